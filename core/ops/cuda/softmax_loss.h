// Softmax cross-entropy of rows of logits on a GPU, with its gradient.
#pragma once

#include "core/ops/softmax_loss_rows.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

// As cpu::SoftmaxLoss, for f32 logits: nll, log_z [R] f32; `dlogits` is the logits' own memory, a
// bf16 [R, V], or empty.
void SoftmaxLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, View nll, View log_z,
                 View dlogits);

// As cpu::PartStatistics and cpu::PartLoss, for f32 logits, which the first one does not change.
void PartStatistics(Context& ctx, View logits, const SoftmaxLossRows& rows, View own);
void PartLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, ConstView own, ConstView all,
              View nll, View log_z, View dlogits);

}  // namespace frond::cuda
