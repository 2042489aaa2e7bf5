#include "dist/reduce_kernels.h"

#include <algorithm>

#include "core/base/check.h"

namespace frond {
namespace {

constexpr int64_t kBlock = 2048;  // elements that stay in the first-level cache while folded

template <class T>
struct FoldTypeOf {
  using Type = T;
};
template <>
struct FoldTypeOf<BFloat16> {
  using Type = float;
};

// One block: n <= kBlock elements at `begin` of every source.
template <class T>
void FoldBlock(Reduce op, std::span<const void* const> sources, int64_t begin, int64_t n, T* out) {
  using Sum = typename FoldTypeOf<T>::Type;
  alignas(64) Sum sum[kBlock];
  const T* first = static_cast<const T*>(sources[0]) + begin;
  for (int64_t i = 0; i < n; ++i) sum[i] = static_cast<Sum>(first[i]);
  for (const void* source : sources.subspan(1)) {
    const T* x = static_cast<const T*>(source) + begin;
    if (op == Reduce::kSum) {
      for (int64_t i = 0; i < n; ++i) sum[i] += static_cast<Sum>(x[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) sum[i] = std::max(sum[i], static_cast<Sum>(x[i]));
    }
  }
  for (int64_t i = 0; i < n; ++i) out[begin + i] = static_cast<T>(sum[i]);
}

template <class T>
void Fold(Reduce op, std::span<const void* const> sources, int64_t count, T* out, bool parallel) {
  const int64_t blocks = (count + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (parallel && blocks > 16)
  for (int64_t b = 0; b < blocks; ++b) {
    FoldBlock(op, sources, b * kBlock, std::min(kBlock, count - b * kBlock), out);
  }
}

}  // namespace

void FoldRanks(Reduce op, DType dtype, std::span<const void* const> sources, int64_t count,
               void* out, bool parallel) {
  CHECK(!sources.empty());
  switch (dtype) {
    case DType::kF32:
      return Fold(op, sources, count, static_cast<float*>(out), parallel);
    case DType::kF64:
      return Fold(op, sources, count, static_cast<double*>(out), parallel);
    case DType::kI32:
      return Fold(op, sources, count, static_cast<int32_t*>(out), parallel);
    case DType::kBF16:
      return Fold(op, sources, count, static_cast<BFloat16*>(out), parallel);
    case DType::kI16:
      break;
  }
  CHECK(false) << "no sums of " << DTypeName(dtype);
}

}  // namespace frond
