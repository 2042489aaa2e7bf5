// Whether two stretches of device memory hold the same bits.
#pragma once

#include "core/tensor/tensor.h"

namespace frond::cuda {

struct BitComparison {
  bool equal = true;
  bool any_set = false;  // a bit of the first one
};

// a and b: equal dtypes (f32 or bf16) and element counts. Waits for the device.
BitComparison CompareBits(Context& ctx, ConstView a, ConstView b);

}  // namespace frond::cuda
