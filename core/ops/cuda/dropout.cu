// One pass, eight neighbouring columns a thread. One Philox call draws for eight columns that are
// 16 apart, so half a warp draws for 128 columns and hands the outcomes round by ballots.
#include "core/base/philox.h"
#include "core/ops/cuda/dropout.h"
#include "core/ops/cuda/sent_lists.h"
#include "core/ops/cuda/vectors.cuh"

namespace frond::cuda {
namespace {

constexpr int kColumns = 128;         // whose draws come from 16 counters
constexpr int kThreadsPerGroup = 16;  // threads that do kColumns columns of one row

struct DropoutRows {
  uint64_t key;
  const uint64_t* token_keys;  // [rows], not read where threshold is 0
  uint32_t threshold;
  float keep_scale;
  uint32_t items;   // rows * groups
  uint32_t groups;  // of kColumns that a row touches
  // Of the whole tensor: the first group that a row touches, and the columns of it before the row.
  uint64_t first_group;
  int skipped;
  int64_t dim;
};

// Bit i: whether column 128 group + 8 thread + i of the whole tensor is kept (DropoutKeeps).
// `thread` counts within the half of a warp that does the group; the halves may have different
// groups.
__device__ __forceinline__ uint32_t KeptBits(const DropoutRows& rows, uint64_t token_key,
                                             uint64_t group, int thread) {
  const auto bits = Philox(rows.key, token_key, group * 16 + static_cast<unsigned>(thread));
  uint32_t mine = 0;
#pragma unroll
  for (int draw = 0; draw < 8; ++draw) {
    const uint32_t value = (bits[static_cast<size_t>(draw / 2)] >> (draw % 2 * 16)) & 0xFFFFu;
    // Bit 16 half + lane: column 16 draw + lane.
    const uint32_t kept = __ballot_sync(0xFFFFFFFFu, value >= rows.threshold ? 1 : 0);
    if (thread / 2 == draw) mine = kept;
  }
  return mine >> (threadIdx.x / 16 % 2 * 16 + static_cast<unsigned>(thread % 2) * 8);
}

// Elements [begin, end) of the eight at p; zeros elsewhere. Of wide ones it is all or none.
struct Part {
  int64_t begin, end;
};
template <bool kWide, class T>
__device__ __forceinline__ Floats<8> LoadPart(const T* p, Part part) {
  Floats<8> x;
  if constexpr (kWide) {
    if (part.begin == 0 && part.end > 0) x = LoadFloats<8>(p);
  } else {
    for (int i = 0; i < 8; ++i) {
      if (part.begin <= i && i < part.end) x.at[i] = ToFloat(p[i]);
    }
  }
  return x;
}
template <bool kWide, class T>
__device__ __forceinline__ void StorePart(const Floats<8>& x, Part part, T* p) {
  if constexpr (kWide) {
    if (part.begin == 0 && part.end > 0) StoreFloats(x, p);
  } else {
    for (int i = 0; i < 8; ++i) {
      if (part.begin <= i && i < part.end) p[i] = FromFloat<T>(x.at[i]);
    }
  }
}

// out = dropout(x) (+ residual, where it is not null).
template <bool kWide, class X, class Out>
__global__ void DropoutKernel(DropoutRows rows, const X* x, const Out* residual, Out* out) {
  const int thread = static_cast<int>(threadIdx.x) % kThreadsPerGroup;
  const auto stride = static_cast<uint32_t>(ItemStride() / kThreadsPerGroup);
  const auto first = static_cast<uint32_t>(FirstItem() / kThreadsPerGroup);
  uint32_t row = first / rows.groups, group = first % rows.groups;
  const uint32_t row_step = stride / rows.groups, group_step = stride % rows.groups;
  // Both halves of a warp stay until the first one has no item left.
  for (uint64_t item = first; item - threadIdx.x / kThreadsPerGroup % 2 < rows.items;
       item += stride) {
    const int64_t column = int64_t{group} * kColumns + 8 * thread - rows.skipped;
    const Part part = {column < 0 ? -column : 0, item < rows.items ? rows.dim - column : 0};
    const int64_t at = int64_t{row} * rows.dim + column;
    Floats<8> y = LoadPart<kWide>(x + at, part), old;
    if (residual != nullptr) old = LoadPart<kWide>(residual + at, part);
    uint32_t kept = 0xFF;
    if (rows.threshold > 0) {
      const uint64_t token_key = item < rows.items ? rows.token_keys[row] : 0;
      kept = KeptBits(rows, token_key, rows.first_group + group, thread);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      y.at[i] = ((kept >> i) & 1u) != 0 ? y.at[i] * rows.keep_scale : 0.0f;
      if (residual != nullptr) y.at[i] += old.at[i];
    }
    StorePart<kWide>(y, part, out + at);
    row += row_step;
    group += group_step;
    if (group >= rows.groups) group -= rows.groups, ++row;
  }
}

void Apply(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out) {
  const int64_t skipped = spec.first_column % kColumns;
  const int64_t groups = DivideUp(skipped + x.dim(1), kColumns), items = x.dim(0) * groups;
  CHECK_LE(items, int64_t{1} << 31) << x.shape;
  if (items == 0) return;
  DropoutRows rows = {.key = spec.key,
                      .token_keys = nullptr,
                      .threshold = DropoutThreshold(spec.rate),
                      .keep_scale = static_cast<float>(1 / (1 - static_cast<double>(spec.rate))),
                      .items = static_cast<uint32_t>(items),
                      .groups = static_cast<uint32_t>(groups),
                      .first_group = static_cast<uint64_t>(spec.first_column / kColumns),
                      .skipped = static_cast<int>(skipped),
                      .dim = x.dim(1)};
  if (rows.threshold > 0) {
    rows.token_keys = ctx.Backend<SentLists>().OnDevice(ctx, spec.token_keys);
  }
  const bool has_residual = residual.data != nullptr;
  const bool wide = skipped % 8 == 0 && HasRowsOfEight(x) && HasRowsOfEight(out) &&
                    (!has_residual || HasRowsOfEight(residual));
  VisitGpuType(x.dtype, [&](auto in) {
    VisitGpuType(out.dtype, [&](auto type) {
      using In = decltype(in);
      using Out = decltype(type);
      Launch(ctx, GridFor(ctx, items * kThreadsPerGroup),
             wide ? DropoutKernel<true, In, Out> : DropoutKernel<false, In, Out>, rows, x.As<In>(),
             has_residual ? residual.As<Out>() : nullptr, out.As<Out>());
    });
  });
}

}  // namespace

void Dropout(Context& ctx, ConstView x, const DropoutSpec& spec, View y) {
  if (spec.rate > 0) return Apply(ctx, x, spec, {}, y);
  ctx.memory().CopyWithin(x.data, x.bytes(), y.data);
}

void DropoutAdd(Context& ctx, ConstView x, const DropoutSpec& spec, ConstView residual, View out) {
  Apply(ctx, x, spec, residual, out);
}

}  // namespace frond::cuda
