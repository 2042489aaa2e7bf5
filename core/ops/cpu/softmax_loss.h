// Softmax cross-entropy of rows of logits, with its gradient.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/tensor.h"

namespace frond::cpu {

struct SoftmaxLossRows {
  std::span<const int32_t> targets;  // [R]
  std::span<const double> weights;   // [R]
  double scale = 1;                  // of the logits, > 0
  double z_loss = 0;
};

// logits [R, V] f32 or f64 are destroyed. nll, log_z [R] of the same dtype as in
// core/ops/head_loss.h. `dlogits`: where the gradient with respect to the unscaled logits goes; the
// logits' own memory, a bf16 [R, V], or empty.
void SoftmaxLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, View nll, View log_z,
                 View dlogits);

}  // namespace frond::cpu
