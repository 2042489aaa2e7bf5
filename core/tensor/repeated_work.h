// Work that enqueues the same ops again and again, with other operands: where its launches cost
// more than what they start, a GPU can be given all of them at once.
#pragma once

#include <cstdint>
#include <functional>

#include "core/tensor/context.h"

namespace frond {

// Which work it is. Parts of an owner's work keep a CUDA graph each. `shape` tells runs of a part
// apart whose ops have operands of other shapes; they share its graph. An owner is its address: the
// first run of one that lies where another lay may be captured, which costs no bit, but some
// choices.
struct WorkKey {
  const void* owner = nullptr;
  int64_t part = 0;
  int64_t shape = 0;
};

// Runs `work`. On a GPU whose allocator captures repeated work (CreateCudaAllocator) the first run
// of a key is launched op by op, which lets ops choose algorithms and load their kernels; later
// runs are captured and launched as one CUDA graph: the same kernels with the same arguments in the
// same order, so the same bits. Everywhere else, inside other repeated work, and while a profiler
// waits for every op, it is a plain call.
//
// The work is one rank's own: it calls no collective, reads no value of the device and does not
// wait for it, each of which ends the process while it is captured. Host lists of up to 4 MiB in
// all may be sent. Tensors may be made inside and freed outside, and the other way round.
void RunRepeated(Context& ctx, const WorkKey& key, const std::function<void()>& work);

}  // namespace frond
