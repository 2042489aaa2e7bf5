#include "core/ops/meta/op_memory.h"

#include "core/ops/attention_groups.h"
#include "core/ops/cpu/attention.h"
#include "core/ops/cpu/matmul.h"
#include "core/ops/cpu/rms_norm.h"
#include "core/ops/cuda/workspace_sizes.h"

namespace frond::meta {
namespace {

// Kept from the first product on.
class CublasWorkspace : public BackendState {
 public:
  void Take(Context& ctx) {
    if (!memory_.empty()) return;
    const int64_t bytes = cuda::kCublasBytesPerMultiprocessor * cuda::kPlannedMultiprocessors;
    memory_ = Tensor(ctx, {bytes / 4}, DType::kI32, MemoryKind::kWorkspace);
  }

 private:
  Tensor memory_;
};

bool StandsForGpu(const Context& ctx) { return ctx.stands_for() == Device::kCuda; }

// The scales of attention's dropout, per head and key.
Tensor KeepScales(Context& ctx, ConstColumns k, const AttentionSpec& spec) {
  if (spec.dropout_rate <= 0) return {};
  return Tensor(ctx, {spec.num_heads, k.rows}, DType::kF32, MemoryKind::kWorkspace);
}

// The rows of v times those scales, which cuDNN's attention reads.
Tensor ScaledValues(Context& ctx, ConstColumns v, const AttentionSpec& spec) {
  if (spec.engine != AttentionEngine::kCudnn || spec.dropout_rate <= 0) return {};
  return Tensor(ctx, v.shape(), v.dtype, MemoryKind::kWorkspace);
}

// Two numbers a query and head for our gradient; one, and its scores, for cuDNN's.
Tensor GradientWorkspace(Context& ctx, ConstColumns q, ConstColumns k, const AttentionSpec& spec) {
  int64_t floats = q.rows * (spec.engine == AttentionEngine::kCudnn ? 1 : 2);
  if (spec.engine == AttentionEngine::kCudnn) {
    const AttentionGroups groups = GradientGroups(spec, q.rows, k.rows);
    floats += groups.most_scores_per_head() * kBytesPerScore / 4;
  }
  return Tensor(ctx, {floats * spec.num_heads}, DType::kF32, MemoryKind::kWorkspace);
}

}  // namespace

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c) {
  if (StandsForGpu(ctx)) return ctx.Backend<CublasWorkspace>().Take(ctx);
  cpu::MatMul(ctx, a, trans_a, b, trans_b, mode, c);
}

void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed) {
  if (!StandsForGpu(ctx)) return cpu::PackWeight(ctx, weight, trans, dtype, packed);
  packed.weight_shape_ = weight.shape;
  packed.dtype_ = dtype;
  packed.trans_ = trans;
  packed.is_plain_ = true;
  if (packed.storage_.empty() || packed.storage_.shape() != weight.shape) {
    packed.storage_ = Tensor(ctx, weight.shape, dtype, MemoryKind::kComputeWeights);
  }
}

void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c) {
  if (StandsForGpu(ctx)) return ctx.Backend<CublasWorkspace>().Take(ctx);
  cpu::MatMulPacked(ctx, a, weight, trans, mode, c);
}

void RmsNormGrad(Context& ctx, ConstView dy, ConstView x, ConstView scale, ConstView rstd,
                 Write mode, View dx, View dscale) {
  if (StandsForGpu(ctx)) return;
  cpu::RmsNormGrad(ctx, dy, x, scale, rstd, mode, dx, dscale);
}

void Attention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v, ConstView bias_table,
               const AttentionSpec& spec, View out, View lse) {
  if (!StandsForGpu(ctx)) return cpu::Attention(ctx, q, k, v, bias_table, spec, out, lse);
  const Tensor keep = KeepScales(ctx, k, spec), scaled = ScaledValues(ctx, v, spec);
}

void AttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k, ConstColumns v,
                   ConstView bias_table, ConstView out, ConstView lse, const AttentionSpec& spec,
                   Columns dq, Columns dk, Columns dv, View dbias_table) {
  if (!StandsForGpu(ctx)) {
    return cpu::AttentionGrad(ctx, dout, q, k, v, bias_table, out, lse, spec, dq, dk, dv,
                              dbias_table);
  }
  const Tensor keep = KeepScales(ctx, k, spec), scaled = ScaledValues(ctx, v, spec);
  const Tensor workspace = GradientWorkspace(ctx, q, k, spec);
}

}  // namespace frond::meta
