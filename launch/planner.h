// Which meshes and memory modes a config can be trained with on a cluster, how fast each would be,
// and what keeps the others from it: every candidate is rehearsed (launch/rehearsal.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/cluster.pb.h"
#include "configs/train.pb.h"
#include "launch/rehearsal.h"

namespace frond {

struct PlanOptions {
  // Each row's tokens are cut into so many examples of equal lengths.
  int examples_per_row = 1;
  // Leaves out all but the config's own mesh and memory mode.
  bool only_own = false;
};

// A mesh and a memory mode.
struct PlanCandidate {
  MeshShape mesh;
  config::Recompute recompute = config::NONE;
  int64_t chunk_tokens = 0;
  bool update_in_backward = false;
  int zero_stage = 0;
  bool sequence_parallel = false;
  bool is_own = false;  // the config's own memory mode and mesh

  std::string refusal;  // why it cannot be trained; empty where it can
  // False where nothing but the refusal is known.
  bool is_rehearsed = false;
  Rehearsal rehearsal;
  double step_flops = 0;  // that the model needs, all ranks, without recomputation
  double examples_per_second = 0;
  double mfu = 0;                // of the GPUs' bf16 peak
  int64_t largest_rows = 0;      // that fit in a step; 0: not even one a rank and micro-batch
  bool is_largest_known = true;  // false: more may fit

  bool fits() const { return refusal.empty(); }
};

struct Plan {
  std::string cluster;
  int gpus = 0;
  int64_t capacity_bytes = 0;  // of a GPU, for the program
  int64_t parameters = 0;
  int64_t rows = 0;  // of a step
  // The fastest first, then those that cannot be trained: first what is nearest to fitting.
  std::vector<PlanCandidate> candidates;
};

// Tries every mesh data x tensor of the cluster's GPUs whose tensor axis stays inside a node, and,
// with each, the config's own memory mode and all others that keep its masters, its optimizer and
// its step: what is recomputed, token chunks, update in backward, shares of masters and of tokens.
// `config` is resolved and valid.
absl::StatusOr<Plan> MakePlan(const config::TrainConfig& config, const T5Config& model,
                              const config::Cluster& cluster, const PlanOptions& options);

}  // namespace frond
