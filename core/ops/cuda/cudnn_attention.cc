#include "core/ops/cuda/cudnn_attention.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/ops/cuda/cudnn_pass.h"
#include "core/tensor/cuda/runtime.h"

namespace frond::cuda {
namespace {

template <class T>
Tensor Upload(Context& ctx, const std::vector<T>& values) {
  const size_t bytes = values.size() * sizeof(T);
  Tensor device(ctx, {static_cast<int64_t>(bytes / 4)}, DType::kI32, MemoryKind::kWorkspace);
  ctx.memory().CopyFromHost(values.data(), bytes, device.view().data);
  return device;
}

int64_t KeptBytes(const CudnnSegments& segments, const CudnnAttentionIds& ids) {
  int64_t floats = segments.num_stats();
  if (ids.row_sums != CudnnGraph::kNone) floats += segments.num_stats();
  if (ids.dq_sum != CudnnGraph::kNone) floats += segments.query_rows * segments.width();
  return floats * 4;
}

}  // namespace

struct CudnnAttention::State {
  CudnnSegments segments;
  CudnnAttentionOptions options;
  CudnnSession session;
  CudnnBuiltPass forward, gradient;
  Tensor stats;
  // Offsets of rows of all heads and of one number a head.
  Tensor query_lengths, key_lengths, query_offsets, key_offsets, stats_offsets;

  Tensor Floats(Context& ctx, int64_t count) const {
    return Tensor(ctx, {count}, DType::kF32, MemoryKind::kWorkspace);
  }
  void UploadSegments(Context& ctx, const AttentionSpec& spec);
  void CheckShapes(ConstView q, ConstView k, ConstView v, ConstView bias) const;
  CudnnOperands Shared(const CudnnAttentionIds& ids, ConstView q, ConstView k, ConstView v,
                       ConstView bias) const;
};

void CudnnAttention::State::UploadSegments(Context& ctx, const AttentionSpec& spec) {
  std::vector<int32_t> query_length, key_length;
  std::vector<int64_t> query_offset = {0}, key_offset = {0}, stats_offset = {0};
  for (size_t i = 0; i < spec.query_begin.size(); ++i) {
    query_length.push_back(spec.query_end[i] - spec.query_begin[i]);
    key_length.push_back(spec.key_end[i] - spec.key_begin[i]);
    query_offset.push_back(spec.query_end[i] * segments.width());
    key_offset.push_back(spec.key_end[i] * segments.width());
    stats_offset.push_back(spec.query_end[i] * segments.heads);
  }
  query_lengths = Upload(ctx, query_length);
  key_lengths = Upload(ctx, key_length);
  query_offsets = Upload(ctx, query_offset);
  key_offsets = Upload(ctx, key_offset);
  stats_offsets = Upload(ctx, stats_offset);
}

void CudnnAttention::State::CheckShapes(ConstView q, ConstView k, ConstView v,
                                        ConstView bias) const {
  const CudnnSegments& s = segments;
  CHECK(q.dtype == DType::kBF16 && k.dtype == DType::kBF16 && v.dtype == DType::kBF16);
  CHECK_EQ(q.num_elements(), s.query_rows * s.width());
  CHECK_EQ(k.num_elements(), s.key_rows * s.width());
  CHECK_EQ(v.num_elements(), s.key_rows * s.width());
  if (!options.bias) return;
  CHECK(bias.dtype == DType::kBF16);
  CHECK_EQ(bias.num_elements(), s.heads * s.longest_query * s.longest_key);
}

CudnnOperands CudnnAttention::State::Shared(const CudnnAttentionIds& ids, ConstView q, ConstView k,
                                            ConstView v, ConstView bias) const {
  CheckShapes(q, k, v, bias);
  CudnnOperands operands;
  operands.Add(ids.q, q.data);
  operands.Add(ids.k, k.data);
  operands.Add(ids.v, v.data);
  operands.Add(ids.bias, bias.data);
  operands.Add(ids.stats, stats.view().data);
  operands.Add(ids.query_lengths, query_lengths.view().data);
  operands.Add(ids.key_lengths, key_lengths.view().data);
  for (const CudnnAttentionIds::Offsets& offsets : ids.offsets) {
    const bool of_stats = !offsets.of_keys && offsets.pitch == segments.heads;
    const Tensor& list = of_stats ? stats_offsets : offsets.of_keys ? key_offsets : query_offsets;
    operands.Add(offsets.id, list.view().data);
  }
  operands.AddNumbers(ids);
  return operands;
}

absl::StatusOr<CudnnPlanFacts> PlanCudnnAttention(const AttentionSpec& spec,
                                                  const CudnnAttentionOptions& options,
                                                  CudnnPass pass, absl::string_view device) {
  ASSIGN_OR_RETURN(const CudnnSegments segments, ReadSegments(spec));
  ASSIGN_OR_RETURN(const CudnnLibrary cudnn, CudnnLibrary::Load());
  ASSIGN_OR_RETURN(const CudnnBuiltPass built,
                   BuildPass(cudnn, segments, options, pass, {.properties = std::string(device)}));
  return CudnnPlanFacts{.engine = built.plan.engine,
                        .workspace_bytes = built.plan.workspace_bytes,
                        .kept_bytes = KeptBytes(segments, built.ids)};
}

CudnnAttention::CudnnAttention(std::unique_ptr<State> state) : state_(std::move(state)) {}
CudnnAttention::~CudnnAttention() = default;

absl::StatusOr<std::unique_ptr<CudnnAttention>> CudnnAttention::Create(
    Context& ctx, const AttentionSpec& spec, const CudnnAttentionOptions& options) {
  ASSIGN_OR_RETURN(const CudnnSegments segments, ReadSegments(spec));
  ASSIGN_OR_RETURN(CudnnSession session, CudnnSession::Open());
  const CudnnTarget target = {.handle = session.handle()};
  ASSIGN_OR_RETURN(CudnnBuiltPass forward,
                   BuildPass(session.cudnn(), segments, options, CudnnPass::kForward, target));
  ASSIGN_OR_RETURN(CudnnBuiltPass gradient,
                   BuildPass(session.cudnn(), segments, options, CudnnPass::kGradient, target));
  // Members in the order of their declaration.
  auto state = std::unique_ptr<State>(
      new State{segments, options, std::move(session), std::move(forward), std::move(gradient)});
  state->stats = state->Floats(ctx, state->segments.num_stats());
  if (state->segments.packed) state->UploadSegments(ctx, spec);
  return std::unique_ptr<CudnnAttention>(new CudnnAttention(std::move(state)));
}

absl::Status CudnnAttention::Forward(Context& ctx, ConstView q, ConstView k, ConstView v,
                                     ConstView bias, View out) {
  const CudnnAttentionIds& ids = state_->forward.ids;
  CudnnOperands operands = state_->Shared(ids, q, k, v, bias);
  CHECK_EQ(out.num_elements(), q.num_elements());
  operands.Add(ids.out, out.data);
  return RunPass(ctx, state_->session, state_->forward.plan, operands);
}

absl::Status CudnnAttention::Gradient(Context& ctx, ConstView dout, ConstView q, ConstView k,
                                      ConstView v, ConstView bias, ConstView out,
                                      const Gradients& gradients) {
  const CudnnAttentionIds& ids = state_->gradient.ids;
  const CudnnSegments& s = state_->segments;
  CudnnOperands operands = state_->Shared(ids, q, k, v, bias);
  const Tensor row_sums = state_->Floats(ctx, s.num_stats());
  Tensor dq_sum =
      state_->Floats(ctx, ids.dq_sum == CudnnGraph::kNone ? 0 : s.query_rows * s.width());
  if (ids.dq_sum != CudnnGraph::kNone) {  // cuDNN adds to it
    const View sums = dq_sum.view();
    FROND_CUDA_CHECK(cudaMemsetAsync(sums.data, 0, sums.bytes(), StreamOf(ctx)));
  }
  operands.Add(ids.dout, dout.data);
  operands.Add(ids.out, out.data);
  operands.Add(ids.dq, gradients.dq.data);
  operands.Add(ids.dk, gradients.dk.data);
  operands.Add(ids.dv, gradients.dv.data);
  operands.Add(ids.dbias, gradients.dbias.data);
  operands.Add(ids.row_sums, row_sums.view().data);
  operands.Add(ids.dq_sum, dq_sum.view().data);
  return RunPass(ctx, state_->session, state_->gradient.plan, operands);
}

}  // namespace frond::cuda
