// How head_loss.h cuts its rows into chunks.
#pragma once

#include <cstdint>

#include "core/tensor/allocator.h"
#include "core/tensor/dtype.h"

namespace frond {

struct HeadLossProblem {
  int64_t rows = 0, vocabulary = 0;
  DType compute = DType::kF32;
  bool with_gradient = false;
  int64_t max_bytes = 0;  // of logits and their gradient
  Device device = Device::kCpu;
};

// The products of the gradient read or write the whole weight once a chunk, so their chunks are as
// tall as memory allows; f32 logits behind a narrower gradient need not be: a chunk of gradient
// rows has several chunks of logits.
struct HeadLossPlan {
  bool narrow = false;  // the gradient has its own memory, in the compute dtype
  int64_t logits_capacity = 0, gradient_capacity = 0;  // rows of memory
  int64_t logits = 0, gradient = 0;                    // rows of one chunk
};
HeadLossPlan PlanHeadLoss(const HeadLossProblem& problem);

// f64 for f64, else f32.
inline DType LogitsDType(DType compute) {
  return compute == DType::kF64 ? DType::kF64 : DType::kF32;
}

}  // namespace frond
