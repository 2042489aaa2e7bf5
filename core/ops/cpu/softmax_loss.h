// Softmax cross-entropy of rows of logits, with its gradient.
#pragma once

#include "core/ops/softmax_loss_rows.h"
#include "core/tensor/tensor.h"

namespace frond::cpu {

// logits [R, V] f32 or f64 are destroyed. nll, log_z [R] of the same dtype as in
// core/ops/head_loss.h. `dlogits`: where the gradient with respect to the unscaled logits goes; the
// logits' own memory, a bf16 [R, V], or empty.
void SoftmaxLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, View nll, View log_z,
                 View dlogits);

}  // namespace frond::cpu
