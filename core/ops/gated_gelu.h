// The gate of T5 v1.1's feed-forward layer (Shazeer, "GLU variants improve transformer", 2020).
#pragma once

#include "core/tensor/tensor.h"

namespace frond {

// y = gelu(gate) * up, element by element, gelu(g) = g/2 (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3))):
// the tanh form that T5 v1.1 and mT5 were trained with. All of one shape and dtype; y is assigned.
void GatedGelu(Context& ctx, ConstView gate, ConstView up, View y);

// dgate and dup, both assigned; either may alias its input (dgate on gate, dup on up).
void GatedGeluGrad(Context& ctx, ConstView dy, ConstView gate, ConstView up, View dgate, View dup);

}  // namespace frond
