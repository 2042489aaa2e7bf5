#include "core/ops/cuda/compare.h"
#include "core/ops/cuda/launch.cuh"

namespace frond::cuda {
namespace {

// flags[0]: some word differs; flags[1]: some word of a is not 0. All writers write the same.
template <class Word>
__global__ void CompareKernel(const Word* a, const Word* b, int64_t n, int32_t* flags) {
  bool differs = false, is_set = false;
  for (int64_t i = FirstItem(); i < n; i += ItemStride()) {
    const Word word = a[i];
    differs |= word != b[i];
    is_set |= word != 0;
  }
  if (differs) flags[0] = 1;
  if (is_set) flags[1] = 1;
}

}  // namespace

BitComparison CompareBits(Context& ctx, ConstView a, ConstView b) {
  CHECK(a.dtype == b.dtype) << DTypeName(a.dtype) << DTypeName(b.dtype);
  CHECK_EQ(a.num_elements(), b.num_elements());
  const int64_t n = a.num_elements();
  Tensor flags(ctx, {2}, DType::kI32, MemoryKind::kWorkspace);
  int32_t* set = flags.As<int32_t>();
  FROND_CUDA_CHECK(cudaMemsetAsync(set, 0, flags.bytes(), StreamOf(ctx)));
  if (DTypeSize(a.dtype) == 2) {
    Launch(ctx, GridFor(ctx, n), CompareKernel<uint16_t>, static_cast<const uint16_t*>(a.data),
           static_cast<const uint16_t*>(b.data), n, set);
  } else {
    CHECK_EQ(DTypeSize(a.dtype), 4u);
    Launch(ctx, GridFor(ctx, n), CompareKernel<uint32_t>, static_cast<const uint32_t*>(a.data),
           static_cast<const uint32_t*>(b.data), n, set);
  }
  int32_t found[2] = {};
  ctx.memory().CopyToHost(set, sizeof(found), found);
  return {.equal = found[0] == 0, .any_set = found[1] != 0};
}

}  // namespace frond::cuda
