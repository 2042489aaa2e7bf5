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

// The same where `logits` [R, V] are a part of a split vocabulary, in two steps. The first one
// assigns `own` [R, 3], rows of SoftmaxStatistics, and leaves in `logits` what the second one
// needs.
void PartStatistics(Context& ctx, View logits, const SoftmaxLossRows& rows, View own);
// `all` [parts * R, 3]: every part's `own`, in an order that all parts share. nll and log_z are the
// whole row's, with the same bits in every part; `dlogits` as SoftmaxLoss's, for this part.
void PartLoss(Context& ctx, View logits, const SoftmaxLossRows& rows, ConstView own, ConstView all,
              View nll, View log_z, View dlogits);

}  // namespace frond::cpu
