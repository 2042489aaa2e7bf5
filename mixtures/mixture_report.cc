#include "mixtures/mixture_report.h"

#include <algorithm>

#include "core/base/check.h"

namespace frond {
namespace {

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Adds up one example; FinishLeaf turns the sums into shares and means.
void CountExample(const SideLengths& lengths, const SideLengths& limits, LeafReport& leaf) {
  ++leaf.sampled;
  leaf.source_truncated += lengths.source > limits.source;
  leaf.target_truncated += lengths.target > limits.target;
  leaf.source_tokens += std::min(lengths.source, limits.source);
  leaf.target_tokens += std::min(lengths.target, limits.target);
}

void FinishLeaf(double examples, LeafReport& leaf) {
  const double sampled = static_cast<double>(leaf.sampled);
  leaf.examples = leaf.leaf.probability * examples;
  leaf.epochs = Ratio(leaf.examples, static_cast<double>(leaf.leaf.num_examples));
  for (double* sum :
       {&leaf.source_truncated, &leaf.target_truncated, &leaf.source_tokens, &leaf.target_tokens}) {
    *sum = Ratio(*sum, sampled);
  }
}

}  // namespace

MixtureReport ReportMixture(const RowStream& rows_of, int64_t rows) {
  CHECK_GE(rows, 0);
  const PlannedWindow window = rows_of.Plan(0);
  MixtureReport report = {.packing = window.packing};
  for (const LeafInfo& leaf : rows_of.stream().leaves()) report.leaves.push_back({.leaf = leaf});
  for (const Row& row : window.rows) {
    for (const StreamExample& example : row.examples) {
      CountExample(rows_of.lengths()(example), rows_of.options().limits,
                   report.leaves[example.leaf]);
    }
  }
  const double sampled = static_cast<double>(rows_of.stream().window());
  for (const LeafReport& leaf : report.leaves) {
    report.source_truncated += leaf.source_truncated / sampled;
    report.target_truncated += leaf.target_truncated / sampled;
  }
  report.examples_per_row = sampled / static_cast<double>(window.rows.size());
  report.examples = report.examples_per_row * static_cast<double>(rows);
  for (LeafReport& leaf : report.leaves) FinishLeaf(report.examples, leaf);
  return report;
}

}  // namespace frond
