// The runs that a config of `frond ablate` (configs/ablation.proto) stands for: every arm, a choice
// of one variant from each axis, with every seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "configs/ablation.pb.h"

namespace frond {

struct AblationArm {
  std::string name;                       // the names of its variants, joined by '+'
  std::vector<std::string> changes = {};  // what it sets, a line each, for people
};

// One run. Both configs are resolved and validated and differ in `eval` alone: training's makes the
// curves, that of `judged` the scores of the finished cell. Their rows are drawn by one seed in all
// cells.
struct AblationRun {
  std::string name;  // "human+low.seed1", a folder of `out_dir`
  std::string folder;
  size_t arm = 0;  // of AblationGrid::arms
  uint64_t seed = 0;
  config::TrainConfig train;
  config::TrainConfig judged;
};

struct AblationGrid {
  std::string out_dir;
  config::AblationConfig config;  // with defaults written out
  std::vector<AblationArm> arms;  // the first axis varies slowest
  size_t baseline = 0;            // of arms
  std::vector<uint64_t> seeds;
  std::vector<AblationRun> runs;  // by seed, then by arm: after a while every arm has one
};

// Reads the file and what it names. Errors are one line that says where and what would be right.
absl::StatusOr<AblationGrid> ReadAblation(const std::string& path);

// The same for text that is at hand; `file` is what errors call it and what `base` and imports are
// relative to.
absl::StatusOr<AblationGrid> ParseAblation(absl::string_view text, const std::string& file);

// What a cell's results depend on: the run without where it lies, its threads and mesh, and how
// often it saves and reports.
config::AblationCell IdentityOf(const AblationRun& run);

// The first field that differs, "train.steps: 100 -> 200"; empty where there is none.
std::string FirstDifference(const config::AblationCell& before, const config::AblationCell& now);

}  // namespace frond
