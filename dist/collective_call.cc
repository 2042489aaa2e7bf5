#include "dist/collective_call.h"

#include "absl/strings/str_cat.h"

namespace frond {

bool Agree(const CollectiveCall& a, const CollectiveCall& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case CallKind::kAllReduce:
    case CallKind::kReduceScatter:
      return a.count == b.count && a.dtype == b.dtype && a.reduce == b.reduce;
    case CallKind::kAllGather:
      return a.count == b.count && a.dtype == b.dtype;
    case CallKind::kBroadcast:
      return a.count == b.count && a.dtype == b.dtype && a.root == b.root;
    default:
      return true;
  }
}

std::string Describe(const CollectiveCall& call) {
  const std::string elements = absl::StrCat(" of ", call.count, " ", DTypeName(call.dtype));
  const absl::string_view reduce = call.reduce == Reduce::kSum ? " (sum)" : " (max)";
  switch (call.kind) {
    case CallKind::kNone:
      return "no collective";
    case CallKind::kAllReduce:
      return absl::StrCat("AllReduce", reduce, elements);
    case CallKind::kReduceScatter:
      return absl::StrCat("ReduceScatter", reduce, elements);
    case CallKind::kAllGather:
      return absl::StrCat("AllGather", elements);
    case CallKind::kBroadcast:
      return absl::StrCat("Broadcast", elements, " from rank ", call.root);
    case CallKind::kBarrier:
      return "Barrier";
    case CallKind::kAllGatherBytes:
      return absl::StrCat("AllGatherBytes of ", call.count, " bytes");
    case CallKind::kSplit:
      return "Split";
    case CallKind::kStart:
      return "the start of NCCL";
    case CallKind::kLeave:
      return "the end of the job";
  }
  return "?";
}

}  // namespace frond
