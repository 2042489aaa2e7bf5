// One parameter's Adafactor update (optim/adafactor.h says which formulas) in phases, each a pass
// over memory. A rank may hold a part of the parameter: what a phase sums, it sums over that part,
// and the caller adds the sums up over the ranks before the next phase reads them.
//
// Sums are f64 and lie in the context's memory, so that on a GPU nothing waits for the host; no
// sum depends on the number of threads. `grad` is the part's gradient and `master` its weights, in
// any format; moments are f32 (f64 for f64 masters). A part without elements has sums of zero.
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
  // Of the whole parameter; a vector is a column.
  int64_t whole_rows = 0, whole_cols = 0;
  // Names parameter and step where a bf16 master is rounded stochastically.
  uint64_t rounding_key = 0;
  ElementNumbers numbers;  // of the part's elements
};

// Of the squared gradients.
struct FactoredSums {
  View rows;  // [rows]
  View cols;  // [cols]
};

struct FactoredMoments {
  View row;  // v_row [rows]
  View col;  // v_col [cols]
  View sum;  // [1] f64: of v_row
};

// A matrix. First: sums = those of grad [rows, cols].
void AdafactorSquareSums(Context& ctx, ConstView grad, const FactoredSums& sums);

// Second: the new moments and the sum of v_row, from sums over whole rows and columns.
void AdafactorMoments(Context& ctx, const FactoredSums& sums, const AdafactorStep& step,
                      const FactoredMoments& moments);

// Third: squares [2] = the sums of squares of the update, before clipping and the learning rate,
// and of the weights. moments.sum is over all rows of the parameter.
void AdafactorFactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step,
                              const FactoredMoments& moments, const MasterView& master,
                              View squares);

// Last: the update, with `squares` over the whole parameter.
void AdafactorApplyFactored(Context& ctx, ConstView grad, const AdafactorStep& step,
                            const FactoredMoments& moments, ConstView squares,
                            const MasterView& master);

// Any other parameter, whose v has as many elements as grad. First: the new v and `squares`, as
// above.
void AdafactorUnfactoredSquares(Context& ctx, ConstView grad, const AdafactorStep& step, View v,
                                const MasterView& master, View squares);

// Last: the update, with `squares` over the whole parameter.
void AdafactorApplyUnfactored(Context& ctx, ConstView grad, const AdafactorStep& step, ConstView v,
                              ConstView squares, const MasterView& master);

}  // namespace frond
