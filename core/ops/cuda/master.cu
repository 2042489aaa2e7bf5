#include "core/ops/cuda/elementwise.h"
#include "core/ops/cuda/master.h"
#include "core/ops/cuda/masters.cuh"

namespace frond::cuda {
namespace {

// bf16 alone, rounded to nearest: the high half of a split weight.
struct NearestMaster {
  uint16_t* value;

  bool IsAligned() const { return reinterpret_cast<uintptr_t>(value) % 8 == 0; }
  __device__ __forceinline__ void Store(float x, int64_t i) const {
    value[i] = HighHalf(__float_as_uint(x));
  }
  __device__ __forceinline__ void StoreFour(float4 x, int64_t i) const {
    *reinterpret_cast<uint2*>(value + i) =
        make_uint2(PackHalves(HighHalf(__float_as_uint(x.x)), HighHalf(__float_as_uint(x.y))),
                   PackHalves(HighHalf(__float_as_uint(x.z)), HighHalf(__float_as_uint(x.w))));
  }
};

template <class Source, class Target>
__global__ void MoveKernel(Source source, Target target, int64_t fours, int64_t n) {
  for (int64_t i = FirstItem(); i < fours; i += ItemStride()) {
    target.StoreFour(source.LoadFour(4 * i), 4 * i);
  }
  for (int64_t i = 4 * fours + FirstItem(); i < n; i += ItemStride()) {
    target.Store(source.Load(i), i);
  }
}

template <class Source, class Target>
void Move(Context& ctx, const Source& source, const Target& target, int64_t n) {
  const bool aligned = source.IsAligned() && target.IsAligned();
  Launch(ctx, GridFor(ctx, aligned ? DivideUp(n, 4) : n), MoveKernel<Source, Target>, source,
         target, aligned ? n / 4 : 0, n);
}

// Only read.
WholeMaster WholeOf(ConstView x) { return {const_cast<float*>(x.As<float>())}; }

}  // namespace

void ReadMaster(Context& ctx, const MasterView& master, View x) {
  if (!master.is_split()) return Cast(ctx, master.value, x);
  VisitMaster(master, 0, {}, [&](auto source) { Move(ctx, source, WholeOf(x), x.num_elements()); });
}

void WriteMaster(Context& ctx, ConstView x, const MasterView& master) {
  if (master.value.dtype != DType::kBF16) return Cast(ctx, x, master.value);
  auto* value = reinterpret_cast<uint16_t*>(master.value.As<BFloat16>());
  if (master.is_split()) {
    const SplitMaster target{value, master.low.As<int16_t>()};
    return Move(ctx, WholeOf(x), target, x.num_elements());
  }
  Move(ctx, WholeOf(x), NearestMaster{value}, x.num_elements());
}

void CastStochastic(Context& ctx, ConstView x, uint64_t key, const ElementNumbers& numbers,
                    View y) {
  Move(ctx, WholeOf(x), StochasticMaster{y.As<BFloat16>(), key, numbers}, x.num_elements());
}

}  // namespace frond::cuda
