// The output head and its softmax cross-entropy in chunks of rows: whole logits never exist.
#pragma once

#include <cstdint>
#include <span>

#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond {

struct HeadLossSpec {
  // Factor on the hidden state before the head: d_model^-0.5 where the head is tied, else 1.
  double hidden_scale = 1;
  // Coefficient of the auxiliary (log Z)^2 of each target token.
  double z_loss = 0;
  // Upper limit for the logits and their gradient that exist at a time. The gradient of the weight
  // is read and written once a chunk, which is slow where a chunk has few hundred rows.
  int64_t max_logits_bytes = int64_t{1} << 30;
};

// The head's weight [V, d]: its f32 (f64) master and, where the caller packed them, the forms for
// the two products. The packs' dtype is the compute dtype.
struct HeadWeight {
  ConstView value;
  const PackedWeight* forward = nullptr;   // serves Trans::kYes; null: `value` is used as it is
  const PackedWeight* backward = nullptr;  // serves Trans::kNo; may be `forward`
};

// Per target token t: nll[t] = log Z_t - logit[t, target_t]; log_z[t] = log Z_t (both f32, f64 for
// f64, assigned; [T]). loss = sum_t token_weights[t] (nll[t] + z_loss log_z[t]^2). hidden [T, d].
// Where `dhidden` [T, d] (assigned) and `dweight` [V, d] f32/f64 (accumulated) are not empty, the
// loss's gradients are computed in the same pass; the gradient of the logits is token_weights[t]
// ((1 + 2 z_loss log Z_t) softmax - onehot(target)). `token_weights` [T] f64: already divided by
// the global normaliser; a weight of 0 takes a token out. Sums over languages or datasets are made
// of nll and log_z after one copy of them to the host: they are 8 bytes a token.
void HeadLoss(Context& ctx, ConstView hidden, const HeadWeight& weight,
              std::span<const int32_t> targets, std::span<const double> token_weights,
              const HeadLossSpec& spec, View nll, View log_z, View dhidden, View dweight);

// logits [T, V] f32 (f64), assigned: for decoding and tests only.
void HeadLogits(Context& ctx, ConstView hidden, const HeadWeight& weight, double hidden_scale,
                View logits);

}  // namespace frond
