#include <array>

#include "core/base/philox.h"
#include "core/ops/cuda/attention_keep.h"
#include "core/ops/cuda/sent_lists.h"
#include "core/ops/cuda/vectors.cuh"
#include "core/ops/dropout.h"

namespace frond::cuda {
namespace {

// The groups of eight heads, counted from head 0 of all, that a call's heads touch.
struct HeadGroups {
  int first_head, heads;
  __host__ __device__ int64_t first() const { return first_head / 8; }
  __host__ __device__ int64_t count() const { return (first_head + heads + 7) / 8 - first(); }
};

// keep [heads][tokens]: one thread per (token, eight heads), which share a draw.
__global__ void KeepKernel(const uint64_t* token_keys, int64_t tokens, HeadGroups groups,
                           uint64_t key, uint32_t threshold, float scale, float* keep) {
  for (int64_t i = FirstItem(); i < tokens * groups.count(); i += ItemStride()) {
    const int64_t token = i % tokens, group = groups.first() + i / tokens;
    const std::array<uint32_t, 4> words =
        Philox(key, token_keys[token], static_cast<uint64_t>(group));
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int64_t head = 8 * group + j - groups.first_head;
      const uint32_t draw = (words[static_cast<size_t>(j / 2)] >> (j % 2 * 16)) & 0xFFFFu;
      if (head < 0 || head >= groups.heads) continue;
      keep[head * tokens + token] = draw >= threshold ? scale : 0.0f;
    }
  }
}

// Rows of heads in memory.
struct HeadRows {
  int64_t rows, x_pitch, y_pitch;
  int heads, head_dim;
};

// One thread per eight elements, all of one head.
__global__ void ScaleByKeepKernel(const BFloat16* x, const float* keep, HeadRows at, BFloat16* y) {
  const int64_t eights = int64_t{at.heads} * at.head_dim / 8;
  for (int64_t i = FirstItem(); i < at.rows * eights; i += ItemStride()) {
    const int64_t row = i / eights, column = 8 * (i % eights);
    const float factor = keep[column / at.head_dim * at.rows + row];
    Floats<8> values = LoadFloats<8>(x + row * at.x_pitch + column);
#pragma unroll
    for (int j = 0; j < 8; ++j) values.at[j] *= factor;
    StoreFloats(values, y + row * at.y_pitch + column);
  }
}

}  // namespace

Tensor MakeKeep(Context& ctx, const AttentionSpec& spec, int64_t key_rows) {
  const uint64_t* token_keys = ctx.Backend<SentLists>().OnDevice(ctx, spec.key_token_keys);
  Tensor keep(ctx, {spec.num_heads, key_rows}, DType::kF32, MemoryKind::kWorkspace);
  const HeadGroups groups = {.first_head = spec.first_head, .heads = spec.num_heads};
  Launch(ctx, GridFor(ctx, key_rows * groups.count()), KeepKernel, token_keys, key_rows, groups,
         spec.dropout_key, DropoutThreshold(spec.dropout_rate), 1 / (1 - spec.dropout_rate),
         keep.As<float>());
  return keep;
}

void ScaleByKeep(Context& ctx, ConstColumns x, const Tensor& keep, Columns y) {
  const int64_t heads = keep.shape().dim(0), rows = keep.shape().dim(1), width = x.columns;
  CHECK_EQ(x.rows, rows);
  CHECK_EQ(y.shape(), x.shape());
  CHECK(width % (8 * heads) == 0 && HasRowsOfEight(x) && HasRowsOfEight(y))
      << width << " columns of " << heads << " heads";
  const HeadRows at = {.rows = rows,
                       .x_pitch = x.pitch,
                       .y_pitch = y.pitch,
                       .heads = static_cast<int>(heads),
                       .head_dim = static_cast<int>(width / heads)};
  Launch(ctx, GridFor(ctx, rows * width / 8), ScaleByKeepKernel, x.As<BFloat16>(), keep.As<float>(),
         at, y.As<BFloat16>());
}

}  // namespace frond::cuda
