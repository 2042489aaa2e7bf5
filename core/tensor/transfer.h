// Copies between host memory and a context's device. On the CPU they are plain copies, so that code
// above the ops has one path. Where there is no memory (Device::kMeta), zeros are read and what is
// written is dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
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

// What travels between host and device at once where a large tensor is read or filled in pieces.
inline constexpr int64_t kPieceElements = int64_t{1} << 20;

// Calls `read(first, piece)` with all elements of `source` in order; `first` is the number of a
// piece's first element, the piece is a vector in host memory: everything at once where `memory`,
// in which the tensor lies, is the host's (or null), else copies of kPieceElements. The first error
// ends it.
absl::Status ReadInPieces(Allocator* memory, ConstView source,
                          const std::function<absl::Status(int64_t first, ConstView piece)>& read);

// Likewise `fill` is given host memory that becomes the elements of `target`; an error leaves the
// rest as it is.
absl::Status FillInPieces(Allocator* memory, View target,
                          const std::function<absl::Status(int64_t first, View piece)>& fill);

// The elements of a float tensor as doubles, wherever it lies.
std::vector<double> ToDoubles(Context& ctx, ConstView source);

}  // namespace frond
