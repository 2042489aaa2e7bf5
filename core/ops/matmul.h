// Matrix products.
#pragma once

#include <memory>

#include "core/tensor/columns.h"

namespace frond {

enum class Trans : uint8_t { kNo, kYes };
enum class Write : uint8_t { kAssign, kAccumulate };

// c (+)= op(a) op(b), with op(a) [m, k], op(b) [k, n], c [m, n]; op transposes where asked.
// a and b share a dtype; c has it too, or is f32 where they are bf16. Sums are kept in f32 (f64 for
// f64). a may be some columns of a wider matrix.
void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c);

// c = op(a) op(b) + addend, rounded once; a as above. addend has c's shape and dtype and may be c.
void MatMulAdd(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b,
               ConstView addend, View c);

// A weight [out, in] in the backend's preferred memory layout, for the products of one step.
// A product says how it uses the right operand: kYes for y = x W^T (forward), kNo for dx = dy W
// (backward).
class PackedWeight {
 public:
  PackedWeight() = default;
  bool empty() const { return storage_.empty(); }
  // Whether products with this use of the weight can take the pack.
  bool Serves(Trans trans) const { return !empty() && (is_plain_ || trans_ == trans); }

  Tensor storage_;      // opaque bytes
  Shape weight_shape_;  // [out, in]
  DType dtype_ = DType::kF32;
  Trans trans_ = Trans::kNo;
  bool is_plain_ = false;  // the weight as it is, row-major: serves both uses
};

// Whether the context's backend multiplies by plain weights: then one pack serves both uses, and a
// weight that has the products' dtype already needs none.
bool UsesPlainWeights(const Context& ctx);

// (Re)packs `weight` [out, in] (f32 or bf16) for the use `trans`, reusing its memory. The weight
// may be freed afterwards. A bf16 pack may be made from an f32 weight, rounded as a master's
// high half is (core/ops/master.h), so that every format of masters gives the same products.
void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed);

// c (+)= a op(W), as MatMul with the packed operand, which serves `trans`, on the right.
void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c);
// c = a op(W) + addend, as MatMulAdd.
void MatMulPackedAdd(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans,
                     ConstView addend, View c);

}  // namespace frond
