// The gate of T5 v1.1's feed-forward layer (Shazeer, "GLU variants improve transformer", 2020).
#pragma once

#include "core/tensor/columns.h"

namespace frond {

// y = gelu(gate) * up, element by element, gelu(g) = g/2 (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3))):
// the tanh form that T5 v1.1 and mT5 were trained with. All of one shape and dtype, but y may be
// bf16 where the others are f32; y is assigned. gate and up may be columns of wider matrices, of
// one pitch.
void GatedGelu(Context& ctx, ConstColumns gate, ConstColumns up, View y);

// dgate and dup, both assigned, lie as gate and up do (of the same pitch). They have dy's dtype,
// that of gate and up or bf16 where these are f32; where it is the same, either may alias its input
// (dgate on gate, dup on up).
void GatedGeluGrad(Context& ctx, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup);

}  // namespace frond
