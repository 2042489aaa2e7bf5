#include "core/ops/master.h"

#include "core/ops/cpu/master.h"
#include "core/ops/cuda/master.h"
#include "core/ops/dispatch.h"

namespace frond {
namespace {

View Flat(View v, int64_t first, int64_t count) {
  if (v.data == nullptr) return v;
  return Rows(Reshape(v, {v.num_elements()}), first, first + count);
}

void CheckMaster(const MasterView& master, ConstView x) {
  CHECK_EQ(master.value.num_elements(), x.num_elements());
  if (master.is_split()) {
    CHECK(master.value.dtype == DType::kBF16 && master.low.dtype == DType::kI16);
    CHECK_EQ(master.low.num_elements(), x.num_elements());
  }
  CHECK(x.dtype == (master.value.dtype == DType::kF64 ? DType::kF64 : DType::kF32))
      << DTypeName(x.dtype) << " and a master of " << DTypeName(master.value.dtype);
}

}  // namespace

MasterView Slice(const MasterView& master, int64_t first, int64_t count) {
  return {Flat(master.value, first, count), Flat(master.low, first, count)};
}

void ReadMaster(Context& ctx, const MasterView& master, View x) {
  CheckMaster(master, x);
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, master.bytes() + x.bytes());
  Dispatch<cpu::ReadMaster, cuda::ReadMaster>(ctx, master, x);
}

void WriteMaster(Context& ctx, ConstView x, const MasterView& master) {
  CheckMaster(master, x);
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, master.bytes() + x.bytes());
  Dispatch<cpu::WriteMaster, cuda::WriteMaster>(ctx, x, master);
}

void CastStochastic(Context& ctx, ConstView x, uint64_t key, const ElementNumbers& numbers,
                    View y) {
  CHECK_EQ(x.num_elements(), y.num_elements());
  CHECK(x.dtype == DType::kF32 && y.dtype == DType::kBF16)
      << DTypeName(x.dtype) << " to " << DTypeName(y.dtype);
  CHECK_GE(numbers.first, 0);
  const ProfileScope scope(ctx.profiler(), "elementwise", 0, x.bytes() + y.bytes());
  Dispatch<cpu::CastStochastic, cuda::CastStochastic>(ctx, x, key, numbers, y);
}

}  // namespace frond
