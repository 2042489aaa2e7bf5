// What the softmax cross-entropy of head_loss.h is told of each row of logits.
#pragma once

#include <cstdint>
#include <span>

namespace frond {

struct SoftmaxLossRows {
  std::span<const int32_t> targets;  // [R], in host memory
  std::span<const double> weights;   // [R], in host memory
  double scale = 1;                  // of the logits, > 0
  double z_loss = 0;
};

}  // namespace frond
