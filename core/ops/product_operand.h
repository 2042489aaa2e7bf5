// Activations in f32 as operands of bf16 products.
#pragma once

#include <array>
#include <span>

#include "core/tensor/tensor.h"

namespace frond {

// high = bf16(x), and where `low` is not empty low = bf16(x - high), each rounded to nearest even:
// high + low is x to 2^-17 of it, but for x beyond bf16's range and for tiny ones, whose low part
// is below it. x f32; high and low bf16 of its shape, assigned.
void SplitToBf16(Context& ctx, ConstView x, View high, View low);

// How much of an f32 operand bf16 products see. A sum of two terms costs two products; forward's
// errors reach every gradient, while those of backward's own operands reach few
// (docs/benchmarks.md).
enum class OperandTerms : uint8_t { kOne, kTwo };

// What products of dtype `products` read in place of x: x itself where it has that dtype, else the
// bf16 terms whose sum stands for it. op(x) b is then the sum of the terms' products.
class ProductOperand {
 public:
  ProductOperand(Context& ctx, ConstView x, DType products, OperandTerms terms);
  ProductOperand(const ProductOperand&) = delete;
  ProductOperand& operator=(const ProductOperand&) = delete;

  std::span<const ConstView> terms() const { return {terms_.data(), count_}; }
  // Of an operand of one term.
  ConstView only() const;

 private:
  Tensor high_, low_;
  std::array<ConstView, 2> terms_;
  size_t count_ = 1;
};

}  // namespace frond
