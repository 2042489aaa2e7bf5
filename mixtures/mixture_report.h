// What a run will see of its mixture, for the table before step 1: computed for
// shares and epochs, estimated from the first window for truncation and packing.
#pragma once

#include <cstdint>
#include <vector>

#include "data/packing.h"
#include "mixtures/row_stream.h"

namespace frond {

struct LeafReport {
  LeafInfo leaf;
  double examples = 0;          // in the planned rows
  double epochs = 0;            // of the leaf's own examples
  int64_t sampled = 0;          // examples of the first window, behind the two shares below
  double source_truncated = 0;  // share of the sampled that lose source tokens
  double target_truncated = 0;
  double source_tokens = 0;  // mean per sampled example, after truncation
  double target_tokens = 0;
};

struct MixtureReport {
  std::vector<LeafReport> leaves;  // in the order of the mixture
  double examples = 0;             // in the planned rows
  double examples_per_row = 0;
  double source_truncated = 0;  // share of all examples of the first window
  double target_truncated = 0;
  PackingReport packing;  // of the first window
};

// `rows` is steps times rows per step. Plans the first window; not collective.
MixtureReport ReportMixture(const RowStream& rows_of, int64_t rows);

}  // namespace frond
