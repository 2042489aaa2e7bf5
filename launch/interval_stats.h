// What is averaged between two report lines: overall, per language and per template.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/train_state.h"

namespace frond {

// Sums over the steps since the last report, but for `sent_bytes` the same on every rank. They
// travel with the checkpoint, so that a run that was killed reports the same lines as one that was
// not.
struct IntervalStats {
  // Groups are the languages and behind them the templates.
  explicit IntervalStats(size_t groups) : group_nll(groups), group_tokens(groups) {}

  int64_t steps = 0;
  double loss = 0;       // of the step, z-loss apart; summed over steps
  double z_loss = 0;     // the auxiliary term
  double grad_norm = 0;  // before clipping; summed over steps
  int64_t examples = 0;
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
  int64_t truncated = 0;             // examples that lost tokens on either side
  int64_t sent_bytes = 0;            // by rank 0 to others of the mesh (StepTraffic)
  std::vector<double> group_nll;     // of each group, summed over target tokens
  std::vector<double> group_tokens;  // target tokens

  void Reset();
  // Moves the sums into and out of a checkpoint's state.
  void Save(TrainState& state) const;
  void Load(const TrainState& state);
};

}  // namespace frond
