// `frond train --benchmark`: rates, exact FLOPs against the measured matmul peak, and a profile of
// the step.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "configs/train.pb.h"
#include "dist/communicator.h"

namespace frond {

struct BenchmarkOptions {
  int64_t steps = 5;
  // Where the timed steps' batches are written, as JSON lines {"sources": [[ids] ...], "targets":
  // [[ids] ...]}, one step a line; empty: nowhere.
  std::string dump;
};

// Trains in a scratch folder below work_dir that is removed afterwards. Prints a table and one line
// of JSON. Collective.
absl::Status RunBenchmark(config::TrainConfig config, Communicator& world,
                          const BenchmarkOptions& options);

}  // namespace frond
