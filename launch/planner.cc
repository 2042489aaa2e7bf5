#include "launch/planner.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "launch/memory_check.h"

namespace frond {
namespace {

constexpr double kGiga = 1e9;
// Tokens of a chunk that is tried where the config has none.
constexpr int64_t kChunkTokens = 8192;
// Offsets of a batch are 32 bits wide; more rows than this are not looked for.
constexpr int64_t kMaxTokens = int64_t{1} << 30;

struct MemoryMode {
  config::Recompute recompute = config::NONE;
  int64_t chunk_tokens = 0;
  bool update_in_backward = false;
  bool is_own = false;
};

MemoryMode OwnMode(const config::TrainConfig& config) {
  return {.recompute = config.model().recompute(),
          .chunk_tokens = config.model().chunk_tokens(),
          .update_in_backward = config.optimizer().update_in_backward(),
          .is_own = true};
}

// The own mode first.
std::vector<MemoryMode> ModesOf(const config::TrainConfig& config) {
  const MemoryMode own = OwnMode(config);
  std::vector<MemoryMode> modes = {own};
  const bool may_update =
      config.optimizer().clip_global_norm() == 0 && config.batch().micro_batches() == 1;
  const int64_t chunk = own.chunk_tokens > 0 ? own.chunk_tokens : kChunkTokens;
  for (const bool update : {false, true}) {
    if (update && !may_update) continue;
    for (const auto& [recompute, tokens] : {std::pair{config::NONE, int64_t{0}},
                                            {config::SELECTIVE, 0},
                                            {config::BLOCK, 0},
                                            {config::BLOCK, chunk}}) {
      const auto same = [&, recompute = recompute, tokens = tokens](const MemoryMode& mode) {
        return mode.recompute == recompute && mode.chunk_tokens == tokens &&
               mode.update_in_backward == update;
      };
      if (!std::any_of(modes.begin(), modes.end(), same)) {
        modes.push_back(
            {.recompute = recompute, .chunk_tokens = tokens, .update_in_backward = update});
      }
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
  return config;
}

// Why no step of the config can be shared out over the mesh; empty where it can.
std::string MeshRefusal(const config::TrainConfig& config, const MeshShape& mesh) {
  if (mesh.tensor > 1) return "this version has no tensor parallelism";
  if (config.batch().rows() < mesh.data) {
    return absl::StrCat("batch.rows is ", config.batch().rows(), ", less than ", mesh.data,
                        " data ranks: some would idle");
  }
  const int tensor = config.mesh().tensor();
  if (tensor > 1 && mesh.tensor != tensor) return absl::StrCat("mesh.tensor is ", tensor);
  return "";
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
    const std::string refusal = MeshRefusal(config_, mesh);
    for (const MemoryMode& mode : ModesOf(config_)) {
      PlanCandidate candidate = {.mesh = mesh,
                                 .recompute = mode.recompute,
                                 .chunk_tokens = mode.chunk_tokens,
                                 .update_in_backward = mode.update_in_backward,
                                 .is_own = mode.is_own,
                                 .refusal = refusal};
      if (candidate.fits()) RETURN_IF_ERROR(Judge(candidate));
      plan.candidates.push_back(std::move(candidate));
      // The mesh is refused whatever the mode is: once is enough.
      if (!refusal.empty()) break;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Rehearsal> RehearseRows(const PlanCandidate& candidate, int64_t rows) const {
    config::TrainConfig config = WithMode(config_, candidate);
    config.mutable_batch()->set_rows(static_cast<int>(rows));
    return Rehearse({.config = &config,
                     .model = model_,
                     .device = Device::kCuda,
                     .mesh = candidate.mesh,
                     .batches = FullRows(config, candidate.mesh.data, options_.examples_per_row),
                     .languages = 1,
                     .rates = RatesOf(cluster_, Compute(), candidate.mesh)});
  }

  absl::Status Judge(PlanCandidate& candidate) const {
    ASSIGN_OR_RETURN(candidate.rehearsal, RehearseRows(candidate, config_.batch().rows()));
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

  absl::StatusOr<bool> Fits(const PlanCandidate& candidate, int64_t per_pass) const {
    ASSIGN_OR_RETURN(const Rehearsal rehearsal,
                     RehearseRows(candidate, RowsOf(candidate, per_pass)));
    return rehearsal.memory.total.peak_bytes <= capacity_;
  }

  // By bisection over the rows of a pass.
  absl::StatusOr<int64_t> LargestRows(const PlanCandidate& candidate) const {
    const int64_t row_tokens =
        std::max(config_.data().source_length(), config_.data().target_length());
    const int64_t most = std::max<int64_t>(
        kMaxTokens / row_tokens / config_.batch().micro_batches() / candidate.mesh.data, 1);
    int64_t low = 0, high = 1;  // low fits, high is the next to try
    while (high <= most) {
      ASSIGN_OR_RETURN(const bool fits, Fits(candidate, high));
      if (!fits) break;
      low = high;
      high *= 2;
    }
    high = std::min(high, most + 1);  // does not fit, or is not looked for
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      ASSIGN_OR_RETURN(const bool fits, Fits(candidate, middle));
      (fits ? low : high) = middle;
    }
    return RowsOf(candidate, low);
  }

  DType Compute() const {
    return config_.model().compute() == config::BF16 ? DType::kBF16 : DType::kF32;
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
