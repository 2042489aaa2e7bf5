#include "launch/planner.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "launch/memory_check.h"
#include "launch/model_builder.h"

namespace frond {
namespace {

constexpr double kGiga = 1e9;
// Tokens of a chunk that is tried where the config has none.
constexpr int64_t kChunkTokens = 8192;
// Of a pass on either side; larger batches are not looked for: no run is faster for them.
constexpr int64_t kMaxTokens = int64_t{1} << 21;

// Whether two candidates have the same memory mode, whatever their meshes.
bool IsSameMode(const PlanCandidate& a, const PlanCandidate& b) {
  const auto mode = [](const PlanCandidate& c) {
    return std::make_tuple(c.recompute, c.chunk_tokens, c.update_in_backward, c.zero_stage,
                           c.sequence_parallel);
  };
  return mode(a) == mode(b);
}

PlanCandidate OwnMode(const config::TrainConfig& config, const MeshShape& mesh) {
  const config::Mesh& own = config.mesh();
  return {.mesh = mesh,
          .recompute = config.model().recompute(),
          .chunk_tokens = config.model().chunk_tokens(),
          .update_in_backward = config.optimizer().update_in_backward(),
          .zero_stage = own.zero_stage(),
          .sequence_parallel = own.sequence_parallel(),
          .is_own = own.tensor() == mesh.tensor && (own.data() == 0 || own.data() == mesh.data)};
}

// What may be recomputed, in chunks or not; ranks that share tokens have no chunks.
std::vector<PlanCandidate> RecomputeModes(const config::TrainConfig& config,
                                          bool sequence_parallel) {
  std::vector<PlanCandidate> modes;
  for (const config::Recompute recompute : {config::NONE, config::SELECTIVE, config::BLOCK}) {
    modes.emplace_back().recompute = recompute;
  }
  if (sequence_parallel) return modes;
  modes.push_back(modes.back());
  const int64_t own = config.model().chunk_tokens();
  modes.back().chunk_tokens = own > 0 ? own : kChunkTokens;
  return modes;
}

// Every memory mode of the config on `mesh`, its own first.
std::vector<PlanCandidate> ModesOf(const config::TrainConfig& config, const MeshShape& mesh) {
  std::vector<PlanCandidate> modes = {OwnMode(config, mesh)};
  const bool may_update =
      config.optimizer().clip_global_norm() == 0 && config.batch().micro_batches() == 1;
  const auto add = [&](bool update, int zero_stage, bool sequence_parallel) {
    for (PlanCandidate mode : RecomputeModes(config, sequence_parallel)) {
      mode.mesh = mesh;
      mode.update_in_backward = update;
      mode.zero_stage = zero_stage;
      mode.sequence_parallel = sequence_parallel;
      if (!IsSameMode(mode, modes.front())) modes.push_back(std::move(mode));
    }
  };
  for (const bool update : {false, true}) {
    if (update && !may_update) continue;
    for (const int zero_stage : {0, 2}) {
      if (zero_stage > 0 && (mesh.data == 1 || config.cuda_graphs())) continue;
      add(update, zero_stage, /*sequence_parallel=*/false);
      if (mesh.tensor > 1) add(update, zero_stage, /*sequence_parallel=*/true);
    }
  }
  return modes;
}

config::TrainConfig WithMode(config::TrainConfig config, const PlanCandidate& candidate) {
  config.mutable_model()->set_recompute(candidate.recompute);
  config.mutable_model()->set_chunk_tokens(candidate.chunk_tokens);
  config.mutable_optimizer()->set_update_in_backward(candidate.update_in_backward);
  config.mutable_mesh()->set_data(candidate.mesh.data);
  config.mutable_mesh()->set_tensor(candidate.mesh.tensor);
  config.mutable_mesh()->set_zero_stage(candidate.zero_stage);
  config.mutable_mesh()->set_sequence_parallel(candidate.sequence_parallel);
  return config;
}

// Why the model or a step cannot be shared out over the mesh; empty where they can.
std::string MeshRefusal(const config::TrainConfig& config, const T5Config& model,
                        const MeshShape& mesh) {
  const absl::Status status = CheckTensorAxis(model, mesh.tensor);
  if (!status.ok()) return std::string(status.message());
  if (config.batch().rows() >= mesh.data) return "";
  return absl::StrCat("batch.rows is ", config.batch().rows(), ", less than ", mesh.data,
                      " data ranks: some would idle");
}

std::string MemoryRefusal(const MemoryReport& memory, int64_t capacity) {
  return absl::StrFormat("needs %.1f GB of %.1f, %s",
                         static_cast<double>(memory.total.peak_bytes) / kGiga,
                         static_cast<double>(capacity) / kGiga, MostUsed(memory));
}

class Planner {
 public:
  Planner(const config::TrainConfig& config, const T5Config& model, const config::Cluster& cluster,
          const PlanOptions& options)
      : config_(config), model_(model), cluster_(cluster), options_(options) {
    const config::Gpu& gpu = cluster.gpu();
    capacity_ = static_cast<int64_t>((gpu.memory_gb() - gpu.reserved_gb()) * kGiga);
  }

  absl::StatusOr<Plan> Make() {
    Plan plan = {.cluster = cluster_.name(),
                 .gpus = cluster_.nodes() * cluster_.gpus_per_node(),
                 .capacity_bytes = capacity_,
                 .parameters = T5ParameterCount(model_),
                 .rows = config_.batch().rows(),
                 .candidates = {}};
    for (int tensor = 1; tensor <= cluster_.gpus_per_node(); ++tensor) {
      if (cluster_.gpus_per_node() % tensor != 0) continue;
      if (tensor > 1 && config_.cuda_graphs()) break;  // they hold no sums over ranks
      RETURN_IF_ERROR(AddMesh({.data = plan.gpus / tensor, .tensor = tensor}, plan));
    }
    const auto order = [](const PlanCandidate& candidate) {
      const double rank = candidate.fits()
                              ? -candidate.examples_per_second
                              : static_cast<double>(candidate.rehearsal.memory.total.peak_bytes);
      return std::make_tuple(!candidate.fits(), !candidate.is_rehearsed, rank, !candidate.is_own);
    };
    std::stable_sort(plan.candidates.begin(), plan.candidates.end(),
                     [&](const auto& a, const auto& b) { return order(a) < order(b); });
    return plan;
  }

 private:
  absl::Status AddMesh(const MeshShape& mesh, Plan& plan) {
    const std::string refusal = MeshRefusal(config_, model_, mesh);
    for (PlanCandidate& candidate : ModesOf(config_, mesh)) {
      if (options_.only_own && !candidate.is_own) continue;
      candidate.refusal = refusal;
      if (candidate.fits()) RETURN_IF_ERROR(Judge(candidate));
      plan.candidates.push_back(std::move(candidate));
      // The mesh is refused whatever the mode is: once is enough.
      if (!refusal.empty()) break;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Rehearsal> RehearseRows(const PlanCandidate& candidate, int64_t rows,
                                         bool memory_only) const {
    config::TrainConfig config = WithMode(config_, candidate);
    config.mutable_batch()->set_rows(static_cast<int>(rows));
    const T5Options options = ResolveT5Options(config.model());
    return Rehearse(
        {.config = &config,
         .model = model_,
         .device = Device::kCuda,
         .mesh = candidate.mesh,
         .batches = FullRows(config, candidate.mesh.data, options_.examples_per_row),
         .languages = 1,
         .rates = RatesOf(cluster_, options.compute, options.projected(), candidate.mesh),
         .memory_only = memory_only});
  }

  absl::Status Judge(PlanCandidate& candidate) const {
    ASSIGN_OR_RETURN(candidate.rehearsal,
                     RehearseRows(candidate, config_.batch().rows(), /*memory_only=*/false));
    candidate.is_rehearsed = true;
    const double examples = static_cast<double>(config_.batch().rows()) * options_.examples_per_row;
    candidate.step_flops =
        3 * examples *
        T5ForwardFlops(model_, config_.data().source_length() / options_.examples_per_row,
                       config_.data().target_length() / options_.examples_per_row);
    const double seconds = candidate.rehearsal.seconds;
    candidate.examples_per_second = examples / seconds;
    candidate.mfu = candidate.step_flops / seconds /
                    (candidate.mesh.ranks() * cluster_.gpu().bf16_tflops() * 1e12);
    ASSIGN_OR_RETURN(candidate.largest_rows, LargestRows(candidate));
    if (candidate.rehearsal.memory.total.peak_bytes > capacity_) {
      candidate.refusal = MemoryRefusal(candidate.rehearsal.memory, capacity_);
    }
    return absl::OkStatus();
  }

  // Rows of a step with `per_pass` rows in every pass.
  int64_t RowsOf(const PlanCandidate& candidate, int64_t per_pass) const {
    return per_pass * candidate.mesh.data * config_.batch().micro_batches();
  }

  // Bytes of a rank with so many rows in every pass.
  absl::StatusOr<int64_t> PeakOf(const PlanCandidate& candidate, int64_t per_pass) const {
    ASSIGN_OR_RETURN(const Rehearsal rehearsal,
                     RehearseRows(candidate, RowsOf(candidate, per_pass), /*memory_only=*/true));
    return rehearsal.memory.total.peak_bytes;
  }

  // The most that fit, by rows of a pass: their memory is all but linear, so two sizes of which one
  // fits say where to look next; every other time it is the middle, that the search may end.
  absl::StatusOr<int64_t> LargestRows(PlanCandidate& candidate) const {
    const int64_t row_tokens =
        std::max(config_.data().source_length(), config_.data().target_length());
    const int64_t most = std::max<int64_t>(kMaxTokens / row_tokens, 1);
    int64_t low = 0, low_bytes = 0;  // fits
    int64_t high = 1, high_bytes = 0;
    while (true) {
      ASSIGN_OR_RETURN(high_bytes, PeakOf(candidate, high));
      if (high_bytes > capacity_) break;
      if (high == most) {
        candidate.is_largest_known = false;
        return RowsOf(candidate, most);
      }
      low = std::exchange(high, std::min(4 * high, most));
      low_bytes = high_bytes;
    }
    for (bool halve = false; high - low > 1; halve = !halve) {
      const double share = halve ? 0.5
                                 : static_cast<double>(capacity_ - low_bytes) /
                                       static_cast<double>(high_bytes - low_bytes);
      const auto step = static_cast<int64_t>(share * static_cast<double>(high - low));
      const int64_t next = std::clamp(low + step, low + 1, high - 1);
      ASSIGN_OR_RETURN(const int64_t bytes, PeakOf(candidate, next));
      if (bytes <= capacity_) {
        low = next;
        low_bytes = bytes;
      } else {
        high = next;
        high_bytes = bytes;
      }
    }
    return RowsOf(candidate, low);
  }

  const config::TrainConfig& config_;
  const T5Config& model_;
  const config::Cluster& cluster_;
  const PlanOptions& options_;
  int64_t capacity_ = 0;
};

}  // namespace

absl::StatusOr<Plan> MakePlan(const config::TrainConfig& config, const T5Config& model,
                              const config::Cluster& cluster, const PlanOptions& options) {
  if (options.examples_per_row < 1 ||
      options.examples_per_row >
          std::min(config.data().source_length(), config.data().target_length())) {
    return absl::InvalidArgumentError(
        absl::StrCat("examples per row are ", options.examples_per_row, "; a row of ",
                     config.data().source_length(), " / ", config.data().target_length(),
                     " tokens can be cut into 1 to ",
                     std::min(config.data().source_length(), config.data().target_length())));
  }
  return Planner(config, model, cluster, options).Make();
}

}  // namespace frond
