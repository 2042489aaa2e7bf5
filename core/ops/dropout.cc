#include "core/ops/dropout.h"

#include <cmath>

#include "core/base/check.h"
#include "core/base/philox.h"
#include "core/ops/cpu/dropout.h"
#include "core/ops/cuda/dropout.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

void CheckSpec(ConstView x, const DropoutSpec& spec) {
  CHECK_EQ(x.shape.rank(), 2);
  CHECK(spec.rate >= 0 && spec.rate < 1) << spec.rate;
  CHECK_GE(spec.first_column, 0);
  if (spec.rate > 0) CHECK_EQ(static_cast<int64_t>(spec.token_keys.size()), x.dim(0));
}

}  // namespace

uint32_t DropoutThreshold(float rate) { return static_cast<uint32_t>(std::lround(rate * 65536.0)); }

bool DropoutKeeps(uint64_t key, uint64_t token_key, int64_t column, float rate) {
  const auto group = static_cast<uint64_t>(column / 128 * 16 + column % 16);
  const auto draw = static_cast<uint32_t>(column % 128 / 16);
  const uint32_t word = Philox(key, token_key, group)[draw / 2];
  return ((word >> (draw % 2 * 16)) & 0xFFFFu) >= DropoutThreshold(rate);
}

void Dropout(Context& ctx, ConstView x, const DropoutSpec& spec, View y) {
  CheckSpec(x, spec);
  CHECK_EQ(y.shape, x.shape);
  CHECK(y.dtype == x.dtype) << DTypeName(y.dtype);
  ProfileScope profile(ctx.profiler(), "dropout", 0, x.bytes() + y.bytes());
  Dispatch<cpu::Dropout, cuda::Dropout>(ctx, x, spec, y);
}

void DropoutAdd(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out) {
  CheckSpec(x, spec);
  CHECK_EQ(residual.shape, x.shape);
  CHECK_EQ(out.shape, x.shape);
  CHECK(out.dtype == residual.dtype) << DTypeName(out.dtype);
  CHECK((out.dtype == DType::kF64) == (x.dtype == DType::kF64)) << DTypeName(x.dtype);
  ProfileScope profile(ctx.profiler(), "dropout", 0, x.bytes() + residual.bytes() + out.bytes());
  Dispatch<cpu::DropoutAdd, cuda::DropoutAdd>(ctx, x, spec, residual, out);
}

}  // namespace frond
