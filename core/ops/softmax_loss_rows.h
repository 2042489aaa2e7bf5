// What the softmax cross-entropy of head_loss.h is told of each row of logits, and what the parts
// of a split vocabulary tell each other.
#pragma once

#include <cstdint>
#include <span>

namespace frond {

struct SoftmaxLossRows {
  // [R], in host memory: columns of the logits. -1: the target is in another part.
  std::span<const int32_t> targets;
  std::span<const double> weights;  // [R], in host memory
  double scale = 1;                 // of the logits, > 0
  double z_loss = 0;
};

// A part's row of a tensor [R, 3] of the logits' dtype. From all parts' rows follow the whole row's
// maximum, its sum of exponentials and its target's logit, and they are small: one all-gather takes
// the place of Megatron-LM's three all-reduces (Shoeybi et al., 2019, section 3).
template <class T>
struct SoftmaxStatistics {
  T maximum;       // of the logits, which are not scaled here: scaled ones would be rounded
  T sum;           // of exp(scale (logit - maximum))
  T target_logit;  // 0 where the target is in another part
};
inline constexpr int64_t kSoftmaxStatistics = 3;

}  // namespace frond
