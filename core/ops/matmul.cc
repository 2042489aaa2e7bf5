#include "core/ops/matmul.h"

#include "core/ops/cpu/matmul.h"
#include "core/ops/cuda/matmul.h"
#include "core/ops/dispatch.h"
#include "core/ops/meta/op_memory.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

bool IsPairing(DType operand, DType result) {
  return operand == result || (operand == DType::kBF16 && result == DType::kF32);
}

double ProductFlops(int64_t m, int64_t n, int64_t k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// What a product of these operands computes; CHECKs that they belong together.
double CheckedFlops(ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, View c) {
  CHECK(b.shape.rank() == 2 && c.shape.rank() == 2) << b.shape << c.shape;
  CHECK_GE(a.pitch, a.columns);
  CHECK(a.dtype == b.dtype && IsPairing(a.dtype, c.dtype))
      << DTypeName(a.dtype) << " x " << DTypeName(b.dtype) << " -> " << DTypeName(c.dtype);
  const int64_t m = trans_a == Trans::kYes ? a.columns : a.rows;
  const int64_t k = trans_a == Trans::kYes ? a.rows : a.columns;
  const int64_t n = b.dim(trans_b == Trans::kYes ? 0 : 1);
  CHECK_EQ(b.dim(trans_b == Trans::kYes ? 1 : 0), k) << a.shape() << b.shape;
  CHECK_EQ(c.shape, (Shape{m, n}));
  return ProductFlops(m, n, k);
}

double CheckedFlops(ConstView a, const PackedWeight& weight, Trans trans, View c) {
  CHECK(weight.Serves(trans)) << "the weight is packed for its other use, or not at all";
  return CheckedFlops(a, Trans::kNo, {nullptr, weight.weight_shape_, weight.dtype_}, trans, c);
}

void CheckAddend(ConstView addend, View c) {
  CHECK_EQ(addend.shape, c.shape);
  CHECK(addend.dtype == c.dtype) << DTypeName(addend.dtype) << " + " << DTypeName(c.dtype);
}

// Whether c was, or has become, what a product is added to in place: everywhere but on a GPU, whose
// products read an addend elsewhere.
bool HoldsAddend(Context& ctx, ConstView addend, View c) {
  if (addend.data == c.data) return true;
  if (ctx.device() == Device::kCuda) return false;
  Copy(ctx, addend, c);
  return true;
}

}  // namespace

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c) {
  const ProfileScope scope(ctx.profiler(), "matmul", CheckedFlops(a, trans_a, b, trans_b, c));
  Dispatch<cpu::MatMul, cuda::MatMul, meta::MatMul>(ctx, a, trans_a, b, trans_b, mode, c);
}

void MatMulAdd(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b,
               ConstView addend, View c) {
  CheckAddend(addend, c);
  if (HoldsAddend(ctx, addend, c)) {
    return MatMul(ctx, a, trans_a, b, trans_b, Write::kAccumulate, c);
  }
  const ProfileScope scope(ctx.profiler(), "matmul", CheckedFlops(a, trans_a, b, trans_b, c));
  if constexpr (kHaveCuda) cuda::MatMulAdd(ctx, a, trans_a, b, trans_b, addend, c);
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
  const ProfileScope scope(ctx.profiler(), "matmul", CheckedFlops(a, weight, trans, c));
  Dispatch<cpu::MatMulPacked, cuda::MatMulPacked, meta::MatMulPacked>(ctx, a, weight, trans, mode,
                                                                      c);
}

void MatMulPackedAdd(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans,
                     ConstView addend, View c) {
  CheckAddend(addend, c);
  if (HoldsAddend(ctx, addend, c)) {
    return MatMulPacked(ctx, a, weight, trans, Write::kAccumulate, c);
  }
  const ProfileScope scope(ctx.profiler(), "matmul", CheckedFlops(a, weight, trans, c));
  if constexpr (kHaveCuda) cuda::MatMulPackedAdd(ctx, a, weight, trans, addend, c);
}

}  // namespace frond
