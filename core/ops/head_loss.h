// The output head and its softmax cross-entropy in chunks of rows: whole logits never exist.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/ops/matmul.h"
#include "core/ops/vocabulary_part.h"
#include "core/tensor/tensor.h"

namespace frond {

// Where the weight's rows are a part of a vocabulary that is split over ranks. Each rank computes
// its part of the logits and of their gradient; what it needs of the others is three numbers a row.
struct HeadLossParts {
  VocabularyPart part;
  int count = 1;
  // Needed where count > 1; called once for each chunk of rows, as often on every rank where rows
  // and spec agree. Fills `all` [count * R, 3] with the `own` [R, 3] of all parts, in the order of
  // their ids, in device memory and in stream order. Collective over the parts' ranks.
  std::function<void(Context& ctx, ConstView own, View all)> gather;
};

struct HeadLossSpec {
  // Factor on the hidden state before the head: d_model^-0.5 where the head is tied, else 1.
  double hidden_scale = 1;
  // Coefficient of the auxiliary (log Z)^2 of each target token.
  double z_loss = 0;
  // Upper limit for the logits and their gradient that exist at a time. The gradient of the weight
  // is read and written once a chunk, which is slow where a chunk has few hundred rows.
  // Parts take each the same number of rows at a time: as many as fit in a part of average size.
  int64_t max_logits_bytes = int64_t{1} << 30;
  HeadLossParts parts;
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
//
// With spec.parts, `targets` are ids of the whole vocabulary and nll and log_z the whole's, the
// same bits on every rank. `dweight` is the part's; `dhidden` is a term: the gradient is the sum
// over ranks, which the caller makes. Collective over the parts' ranks where there are any rows.
void HeadLoss(Context& ctx, ConstView hidden, const HeadWeight& weight,
              std::span<const int32_t> targets, std::span<const double> token_weights,
              const HeadLossSpec& spec, View nll, View log_z, View dhidden, View dweight);

// logits [T, V] f32 (f64), assigned: for decoding and tests only.
void HeadLogits(Context& ctx, ConstView hidden, const HeadWeight& weight, double hidden_scale,
                View logits);

}  // namespace frond
