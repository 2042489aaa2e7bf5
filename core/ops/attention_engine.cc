#include "core/ops/attention_engine.h"

#include "absl/strings/str_cat.h"
#include "core/base/build_config.h"
#include "core/ops/cuda/cudnn_cross_attention.h"

namespace frond {
namespace {

// Of the gradient on a Hopper GPU.
constexpr int kHeadDimUnit = 8, kMostHeadDim = 128;

}  // namespace

absl::Status CheckCudnnAttention(Context& ctx, DType dtype, int num_heads, int head_dim) {
  if (ctx.stands_for() != Device::kCuda) {
    return absl::InvalidArgumentError("the device is the CPU, and cuDNN computes on GPUs only");
  }
  if (dtype != DType::kBF16) {
    return absl::InvalidArgumentError(absl::StrCat("queries and keys are in ", DTypeName(dtype),
                                                   ", and cuDNN's attention is in bf16"));
  }
  if (head_dim % kHeadDimUnit != 0 || head_dim > kMostHeadDim) {
    return absl::InvalidArgumentError(
        absl::StrCat("a head has ", head_dim, " dims, and cuDNN's attention takes multiples of ",
                     kHeadDimUnit, " up to ", kMostHeadDim));
  }
  if (ctx.device() == Device::kMeta) return absl::OkStatus();
  if constexpr (kHaveCudnn) {
    return cuda::ProbeCudnnAttention(ctx, num_heads, head_dim);
  } else {
    return absl::FailedPreconditionError(
        "this build has no cuDNN (FROND_CUDNN, where the headers of cuDNN 9.10.2 or newer are)");
  }
}

}  // namespace frond
