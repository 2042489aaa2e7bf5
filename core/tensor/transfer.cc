#include "core/tensor/transfer.h"

#include <type_traits>

namespace frond {

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
