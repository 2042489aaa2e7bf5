#include "launch/memory_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "launch/rehearsal.h"

namespace frond {
namespace {

constexpr double kGiga = 1e9;

std::string Gigabytes(int64_t bytes) {
  return absl::StrFormat("%.3g GB", static_cast<double>(bytes) / kGiga);
}

}  // namespace

std::string MostUsed(const MemoryReport& report) {
  std::vector<std::pair<int64_t, std::string>> kinds;
  for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
    kinds.emplace_back(report.by_kind[kind].peak_bytes,
                       std::string(MemoryKindName(static_cast<MemoryKind>(kind))));
  }
  std::sort(kinds.rbegin(), kinds.rend());
  return absl::StrCat("most for ", kinds[0].second, " (", Gigabytes(kinds[0].first), ") and ",
                      kinds[1].second, " (", Gigabytes(kinds[1].first), ")");
}

absl::Status CheckMemory(const config::TrainConfig& config, const T5Config& model,
                         const ComputeDevice& device, const MeshShape& mesh,
                         std::vector<Batch> batches) {
  if (device.rank_bytes < 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, Rehearse({.config = &config,
                                                        .model = model,
                                                        .device = device.memory->device(),
                                                        .mesh = mesh,
                                                        .batches = std::move(batches),
                                                        .languages = 1,
                                                        .rates = std::nullopt}));
  const int64_t peak = rehearsal.memory.total.peak_bytes;
  const int64_t copy = device.memory->device() == Device::kCpu ? rehearsal.snapshot_bytes : 0;
  if (peak + copy <= device.rank_bytes) return absl::OkStatus();
  std::string needs = absl::StrCat("a step takes ", Gigabytes(peak), " a rank");
  if (copy > 0) absl::StrAppend(&needs, ", the copy of a save beside it ", Gigabytes(copy));
  const absl::string_view advice =
      copy > 0 ? "; `checkpoint.asynchronous: false` saves without a copy" : "";
  return absl::ResourceExhaustedError(
      absl::StrCat("the run does not fit: ", needs, ", and ", device.description, " has ",
                   Gigabytes(device.rank_bytes), " for each; ", MostUsed(rehearsal.memory),
                   "; `frond plan` shows what other memory modes take", advice));
}

}  // namespace frond
