#include "core/ops/matmul.h"

#include "core/ops/cpu/matmul.h"
#include "core/ops/cuda/matmul.h"
#include "core/ops/dispatch.h"
#include "core/ops/meta/op_memory.h"

namespace frond {
namespace {

bool IsPairing(DType operand, DType result) {
  return operand == result || (operand == DType::kBF16 && result == DType::kF32);
}

double ProductFlops(int64_t m, int64_t n, int64_t k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

}  // namespace

void MatMul(Context& ctx, ConstView a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c) {
  CHECK(a.shape.rank() == 2 && b.shape.rank() == 2 && c.shape.rank() == 2)
      << a.shape << b.shape << c.shape;
  CHECK(a.dtype == b.dtype && IsPairing(a.dtype, c.dtype))
      << DTypeName(a.dtype) << " x " << DTypeName(b.dtype) << " -> " << DTypeName(c.dtype);
  const int64_t m = a.dim(trans_a == Trans::kYes ? 1 : 0);
  const int64_t k = a.dim(trans_a == Trans::kYes ? 0 : 1);
  const int64_t n = b.dim(trans_b == Trans::kYes ? 0 : 1);
  CHECK_EQ(b.dim(trans_b == Trans::kYes ? 1 : 0), k) << a.shape << b.shape;
  CHECK_EQ(c.shape, (Shape{m, n}));
  const ProfileScope scope(ctx.profiler(), "matmul", ProductFlops(m, n, k));
  Dispatch<cpu::MatMul, cuda::MatMul, meta::MatMul>(ctx, a, trans_a, b, trans_b, mode, c);
}

bool UsesPlainWeights(const Context& ctx) { return ctx.stands_for() == Device::kCuda; }

void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed) {
  CHECK_EQ(weight.shape.rank(), 2) << weight.shape;
  CHECK(weight.dtype == dtype || (weight.dtype == DType::kF32 && dtype == DType::kBF16))
      << DTypeName(weight.dtype) << " packed as " << DTypeName(dtype);
  const ProfileScope scope(ctx.profiler(), "pack_weight", 0, 2 * weight.bytes());
  Dispatch<cpu::PackWeight, cuda::PackWeight, meta::PackWeight>(ctx, weight, trans, dtype, packed);
}

void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c) {
  CHECK(weight.Serves(trans)) << "the weight is packed for its other use, or not at all";
  CHECK(a.shape.rank() == 2 && c.shape.rank() == 2) << a.shape << c.shape;
  CHECK(a.dtype == weight.dtype_ && IsPairing(a.dtype, c.dtype))
      << DTypeName(a.dtype) << " x " << DTypeName(weight.dtype_) << " -> " << DTypeName(c.dtype);
  const bool forward = trans == Trans::kYes;
  const int64_t k = weight.weight_shape_.dim(forward ? 1 : 0);
  const int64_t n = weight.weight_shape_.dim(forward ? 0 : 1);
  CHECK_EQ(a.dim(1), k) << a.shape << weight.weight_shape_;
  CHECK_EQ(c.shape, (Shape{a.dim(0), n}));
  const ProfileScope scope(ctx.profiler(), "matmul", ProductFlops(a.dim(0), n, k));
  Dispatch<cpu::MatMulPacked, cuda::MatMulPacked, meta::MatMulPacked>(ctx, a, weight, trans, mode,
                                                                      c);
}

}  // namespace frond
