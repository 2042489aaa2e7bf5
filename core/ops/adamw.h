// One parameter's AdamW update (optim/adamw.h says which formulas), one pass over memory.
#pragma once

#include <cstdint>

#include "core/ops/master.h"

namespace frond {

struct AdamWStep {
  double beta1 = 0, beta2 = 0;
  double gradient_scale = 1;
  double step_size = 0;    // learning rate / (1 - beta1^t)
  double root_unbias = 1;  // 1 / sqrt(1 - beta2^t)
  double epsilon = 0;
  double keep = 1;  // 1 - learning rate * weight decay
  // Names parameter and step where a bf16 master is rounded stochastically.
  uint64_t rounding_key = 0;
  ElementNumbers numbers;  // of the elements, where they are a part of the parameter
};

// Updates the moments m and v, f32 (f64), and the master, in any format, from the gradient: all of
// a parameter or a part of it, in any shape of as many elements.
void AdamWUpdate(Context& ctx, ConstView grad, const AdamWStep& step, View m, View v,
                 const MasterView& master);

}  // namespace frond
