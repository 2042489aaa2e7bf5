// One parameter's Adafactor update (optim/adafactor.h says which formulas): sums over the gradient,
// sums over the update, and the update itself, each a pass over memory.
#pragma once

#include <cstdint>

#include "core/ops/master.h"

namespace frond {

struct AdafactorStep {
  double decay = 0;           // v = decay v + (1 - decay) (mean of (gradient_scale g)^2 + epsilon)
  double gradient_scale = 1;  // multiplies every gradient first
  double epsilon = 0;         // the least squared gradient
  double learning_rate = 0;
  double clipping_threshold = 0;  // of the update's RMS; 0: no clipping
  bool multiply_by_parameter_scale = true;
  double epsilon_parameter = 0;  // the least parameter scale
  double keep = 1;               // what weight decay leaves of the weight
  // Names parameter and step where a bf16 master is rounded stochastically.
  uint64_t rounding_key = 0;
};

// grad [rows, cols], v_row [rows] and v_col [cols] f32 (f64); the master in any format. Sums do not
// depend on the number of threads, and on a GPU nothing waits for the host.
void AdafactorUpdateFactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v_row,
                             View v_col, const MasterView& master);

// v in the gradient's shape.
void AdafactorUpdateUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                               const MasterView& master);

}  // namespace frond
