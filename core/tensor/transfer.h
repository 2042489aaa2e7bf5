// Copies between host memory and a context's device. On the CPU they are plain copies, so that code
// above the ops has one path.
#pragma once

#include <vector>

#include "core/tensor/tensor.h"

namespace frond {

// target [source.bytes()] in host memory becomes the source's contents. Waits for them.
void CopyToHost(Context& ctx, ConstView source, void* target);

// The target's contents become `source` [target.bytes()] in host memory, which may be changed or
// freed as soon as the call returns.
void CopyFromHost(Context& ctx, const void* source, View target);

// target = source, both in the context's memory, equal dtypes and element counts. May return before
// it is done.
void Copy(Context& ctx, ConstView source, View target);

// Waits until all work that was given to the context's device is done.
void Synchronize(Context& ctx);

// The elements of a float tensor as doubles, wherever it lies.
std::vector<double> ToDoubles(Context& ctx, ConstView source);

}  // namespace frond
