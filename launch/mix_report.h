// What a run will see of its mixture, before it is launched: per leaf and summed per dataset,
// language and resource class, with warnings; as a table and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "configs/train.pb.h"
#include "data/packing.h"
#include "launch/training_data.h"
#include "mixtures/languages.h"
#include "mixtures/mixture_tree.h"

namespace frond {

struct MixOptions {
  double most_epochs = 10;      // a leaf that is seen more often is warned of
  double least_share = 1e-4;    // a language with less of the examples likewise
  double most_cut = 0.1;        // a leaf of which a larger share loses tokens likewise
  uint64_t sample_windows = 4;  // planned to see how well rows are filled
};

// A leaf, or the sum over some.
struct MixLine {
  // Of a sum: what its leaves have in common.
  std::string source = {}, language = {}, template_id = {};
  ResourceClass resources = ResourceClass::kOther;
  int64_t leaves = 0;
  uint64_t examples = 0;  // that there are
  uint64_t dropped = 0;   // others that pruning dropped
  double share = 0;       // of the examples of the run
  double seen = 0;        // examples in the planned steps, repeats included
  double repeats = 0;     // those of them that were seen before
  int64_t cut = 0;        // examples that lose tokens on either side
  // Of one epoch, after truncation.
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
  double tokens_seen = 0;  // of both sides, in the planned steps

  double epochs() const { return examples > 0 ? seen / static_cast<double>(examples) : 0; }
  double cut_share() const {
    return examples > 0 ? static_cast<double>(cut) / static_cast<double>(examples) : 0;
  }
};

// What a rule did to a dataset.
struct MixPruning {
  std::string source, node, rule, kind, ledger;
  int64_t seen = 0, dropped = 0;
};

// A template that a dataset names.
struct MixTemplate {
  std::string source = {}, label = {};
  int64_t rows = 0;  // for which it has something to say
  double share = 0;  // of the examples of the run, in the long run
};

struct MixReport {
  int64_t steps = 0;
  int64_t rows_per_step = 0;
  bool packing = false;
  double examples = 0;          // in the planned steps, from the sampled windows
  double examples_per_row = 0;  // of the sampled windows, as is all of `rows`
  PackingReport rows = {};
  uint64_t sampled_windows = 0;
  // With this target length, and the source length as it is, rows of the first window have the
  // least room left; of lengths that cut at most 1 % more of the examples. 0: not packed.
  int32_t proposed_target_length = 0;
  double proposed_fill = 0;          // share of both sides' room that holds tokens
  double fill = 0;                   // the same with the config's own lengths
  std::vector<MixLine> leaves = {};  // in the order of the mixture
  // By falling share.
  std::vector<MixLine> datasets = {}, languages = {}, classes = {};
  std::vector<MixPruning> pruning = {};  // in the order in which rules worked
  MixLine total = {};
  std::vector<MixTemplate> templates = {};  // in the order of the config
  std::vector<std::string> warnings = {};
  std::optional<ResolvedTree> tree = {};  // none for a list of sources
};

// Reads the lengths of all examples and plans the first windows. Not collective.
MixReport MakeMixReport(const TrainingData& data, const config::TrainConfig& config,
                        const MixOptions& options);

// The whole tree, printed; empty for a list of sources.
std::string TreeText(const MixReport& report, size_t max_children);

// Lines that each end with a line feed; of leaves and of languages the `most` largest.
std::string FormatMixReport(const MixReport& report, size_t most);

// One object with all lines.
std::string MixReportToJson(const MixReport& report);

}  // namespace frond
