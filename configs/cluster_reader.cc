#include "configs/cluster_reader.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "configs/config_reader.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr int kGpusPerNode = 8;
constexpr int kMaxGpus = 1 << 16;

struct GpuPreset {
  const char* name;
  double memory_gb;        // as the driver reports it
  double bf16_tflops;      // dense
  double f32_tflops;       // without tensor cores
  double memory_gb_per_s;  // of the maker
  double node_gb_per_s;    // all-reduce bus bandwidth to plan with
};

// A100 SXM 80 GB, H100 SXM, H200 SXM.
constexpr GpuPreset kPresets[] = {
    {"A100", 85.2, 312, 19.5, 2039, 230},
    {"H100", 85.5, 989.4, 60, 3350, 360},
    {"H200", 150.8, 989.4, 60, 4800, 360},
};

absl::StatusOr<config::Cluster> PresetCluster(int gpus, const GpuPreset& preset) {
  if (gpus < 1 || gpus > kMaxGpus || (gpus > kGpusPerNode && gpus % kGpusPerNode != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the cluster is ", gpus, "x", preset.name, "; it must be 1 to ", kGpusPerNode,
                     " GPUs or whole nodes of ", kGpusPerNode, ", at most ", kMaxGpus, " GPUs"));
  }
  config::Cluster cluster;
  cluster.set_name(absl::StrCat(gpus, "x", preset.name));
  cluster.set_nodes(gpus > kGpusPerNode ? gpus / kGpusPerNode : 1);
  cluster.set_gpus_per_node(gpus / cluster.nodes());
  config::Gpu& gpu = *cluster.mutable_gpu();
  gpu.set_name(preset.name);
  gpu.set_memory_gb(preset.memory_gb);
  gpu.set_bf16_tflops(preset.bf16_tflops);
  gpu.set_f32_tflops(preset.f32_tflops);
  gpu.set_memory_gb_per_s(preset.memory_gb_per_s);
  cluster.mutable_links()->set_node_gb_per_s(preset.node_gb_per_s);
  return cluster;
}

absl::Status Positive(absl::string_view path, double value) {
  if (std::isfinite(value) && value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, " is ", value, "; it must be above 0"));
}

absl::Status Share(absl::string_view path, double value, double low) {
  if (value >= low && value <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is ", value, "; it must lie between ", low, " and 1"));
}

absl::Status ValidateCluster(const config::Cluster& cluster) {
  RETURN_IF_ERROR(Positive("nodes", cluster.nodes()));
  RETURN_IF_ERROR(Positive("gpus_per_node", cluster.gpus_per_node()));
  const config::Gpu& gpu = cluster.gpu();
  RETURN_IF_ERROR(Positive("gpu.memory_gb", gpu.memory_gb()));
  RETURN_IF_ERROR(Positive("gpu.bf16_tflops", gpu.bf16_tflops()));
  RETURN_IF_ERROR(Positive("gpu.f32_tflops", gpu.f32_tflops()));
  RETURN_IF_ERROR(Positive("gpu.memory_gb_per_s", gpu.memory_gb_per_s()));
  RETURN_IF_ERROR(
      Share("gpu.reserved_gb over gpu.memory_gb", gpu.reserved_gb() / gpu.memory_gb(), 0));
  const config::Links& links = cluster.links();
  RETURN_IF_ERROR(Positive("links.node_gb_per_s", links.node_gb_per_s()));
  RETURN_IF_ERROR(Positive("links.network_gb_per_s", links.network_gb_per_s()));
  RETURN_IF_ERROR(Share("links.node_latency_us over a second", links.node_latency_us() * 1e-6, 0));
  RETURN_IF_ERROR(
      Share("links.network_latency_us over a second", links.network_latency_us() * 1e-6, 0));
  const config::Efficiency& efficiency = cluster.efficiency();
  RETURN_IF_ERROR(Share("efficiency.products", efficiency.products(), 0.001));
  RETURN_IF_ERROR(Share("efficiency.attention", efficiency.attention(), 0.001));
  RETURN_IF_ERROR(Share("efficiency.memory", efficiency.memory(), 0.001));
  RETURN_IF_ERROR(Share("efficiency.gaps", efficiency.gaps(), 0));
  return Share("efficiency.communicating", efficiency.communicating(), 0);
}

// "64xH100" -> 64 GPUs of a preset; nothing where the text has another form.
std::optional<std::pair<int, const GpuPreset*>> ParsePreset(absl::string_view spec) {
  int gpus = 0;
  const auto [end, error] = std::from_chars(spec.data(), spec.data() + spec.size(), gpus);
  if (error != std::errc()) return std::nullopt;
  for (const GpuPreset& preset : kPresets) {
    if (absl::StrCat(gpus, "x", preset.name) == spec) return std::make_pair(gpus, &preset);
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<config::Cluster> ParseCluster(absl::string_view text, absl::string_view file) {
  config::Cluster cluster;
  RETURN_IF_ERROR(ParseText(text, file, cluster));
  if (!cluster.has_name()) cluster.set_name(std::string(file));
  const absl::Status status = ValidateCluster(cluster);
  if (status.ok()) return cluster;
  return absl::Status(status.code(), absl::StrCat(file, ": ", std::string(status.message())));
}

absl::StatusOr<config::Cluster> ReadCluster(const std::string& spec) {
  if (const auto preset = ParsePreset(spec); preset.has_value()) {
    return PresetCluster(preset->first, *preset->second);
  }
  if (!PathExists(spec)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the cluster '", spec,
                     "' is neither a file nor a count of A100, H100 or H200, such as 8xH100"));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(spec));
  return ParseCluster(text, spec);
}

}  // namespace frond
