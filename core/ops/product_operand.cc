#include "core/ops/product_operand.h"

#include "core/ops/cpu/product_operand.h"
#include "core/ops/cuda/product_operand.h"
#include "core/ops/dispatch.h"

namespace frond {

void SplitToBf16(Context& ctx, ConstView x, View high, View low) {
  CHECK(x.dtype == DType::kF32 && high.dtype == DType::kBF16) << DTypeName(x.dtype);
  CHECK_EQ(x.shape, high.shape);
  if (low.data != nullptr) {
    CHECK(low.dtype == DType::kBF16) << DTypeName(low.dtype);
    CHECK_EQ(x.shape, low.shape);
  }
  const ProfileScope scope(ctx.profiler(), "elementwise", 0,
                           x.bytes() + high.bytes() + (low.data != nullptr ? low.bytes() : 0));
  Dispatch<cpu::SplitToBf16, cuda::SplitToBf16>(ctx, x, high, low);
}

ProductOperand::ProductOperand(Context& ctx, ConstView x, DType products, OperandTerms terms) {
  if (x.dtype == products) {
    terms_[0] = x;
    return;
  }
  CHECK(x.dtype == DType::kF32 && products == DType::kBF16)
      << DTypeName(x.dtype) << " in products of " << DTypeName(products);
  high_ = Tensor(ctx, x.shape, DType::kBF16, MemoryKind::kWorkspace);
  if (terms == OperandTerms::kTwo) {
    low_ = Tensor(ctx, x.shape, DType::kBF16, MemoryKind::kWorkspace);
    count_ = 2;
  }
  SplitToBf16(ctx, x, high_.view(), count_ == 2 ? low_.view() : View{});
  terms_ = {high_, count_ == 2 ? ConstView(low_) : ConstView{}};
}

ConstView ProductOperand::only() const {
  CHECK_EQ(count_, 1u);
  return terms_[0];
}

}  // namespace frond
