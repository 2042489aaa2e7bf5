#include "core/tensor/transfer.h"

#include <algorithm>
#include <type_traits>

#include "core/base/status_macros.h"

namespace frond {
namespace {

bool IsHostMemory(const Allocator* memory) {
  return memory == nullptr || memory->device() == Device::kCpu;
}

// Bytes of the longest piece of a tensor.
size_t PieceBytes(ConstView v) {
  return static_cast<size_t>(std::min(v.num_elements(), kPieceElements)) * DTypeSize(v.dtype);
}

}  // namespace

void CopyToHost(Context& ctx, ConstView source, void* target) {
  ctx.memory().CopyToHost(source.data, source.bytes(), target);
}

void CopyFromHost(Context& ctx, const void* source, View target) {
  ctx.memory().CopyFromHost(source, target.bytes(), target.data);
}

void Copy(Context& ctx, ConstView source, View target) {
  CHECK(source.dtype == target.dtype) << DTypeName(source.dtype) << DTypeName(target.dtype);
  CHECK_EQ(source.num_elements(), target.num_elements());
  ctx.memory().CopyWithin(source.data, source.bytes(), target.data);
}

absl::Status ReadInPieces(Allocator* memory, ConstView source,
                          const std::function<absl::Status(int64_t first, ConstView piece)>& read) {
  const int64_t count = source.num_elements();
  const ConstView flat = Reshape(source, {count});
  if (IsHostMemory(memory)) return read(0, flat);
  std::vector<char> buffer(PieceBytes(source));
  for (int64_t first = 0; first < count; first += kPieceElements) {
    const ConstView part = Rows(flat, first, std::min(count, first + kPieceElements));
    memory->CopyToHost(part.data, part.bytes(), buffer.data());
    RETURN_IF_ERROR(read(first, {buffer.data(), part.shape, part.dtype}));
  }
  return absl::OkStatus();
}

absl::Status FillInPieces(Allocator* memory, View target,
                          const std::function<absl::Status(int64_t first, View piece)>& fill) {
  const int64_t count = target.num_elements();
  const View flat = Reshape(target, {count});
  if (IsHostMemory(memory)) return fill(0, flat);
  if (memory->device() == Device::kMeta) return absl::OkStatus();
  std::vector<char> buffer(PieceBytes(target));
  for (int64_t first = 0; first < count; first += kPieceElements) {
    const View part = Rows(flat, first, std::min(count, first + kPieceElements));
    RETURN_IF_ERROR(fill(first, {buffer.data(), part.shape, part.dtype}));
    memory->CopyFromHost(buffer.data(), part.bytes(), part.data);
  }
  return absl::OkStatus();
}

void Synchronize(Context& ctx) { ctx.memory().Synchronize(); }

std::vector<double> ToDoubles(Context& ctx, ConstView source) {
  std::vector<double> values(static_cast<size_t>(source.num_elements()));
  VisitFloatType(source.dtype, [&](auto type) {
    using T = decltype(type);
    std::vector<T> host(values.size());
    CopyToHost(ctx, source, host.data());
    for (size_t i = 0; i < host.size(); ++i) {
      if constexpr (std::is_same_v<T, BFloat16>) {
        values[i] = static_cast<float>(host[i]);
      } else {
        values[i] = static_cast<double>(host[i]);
      }
    }
  });
  return values;
}

}  // namespace frond
