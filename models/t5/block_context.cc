#include "models/t5/block_context.h"

#include <utility>

#include "core/ops/elementwise.h"
#include "core/ops/rms_norm.h"

namespace frond {

void AddBranch(Context& ctx, const Linear& layer, ConstView h, const TensorAxis& axis,
               const DropoutSpec& dropout, ConstView x, View out) {
  if (axis.size() == 1 && dropout.rate == 0) return layer.ForwardAdd(ctx, h, x, out);
  Tensor partial(ctx, {h.dim(0), x.dim(1)}, x.dtype);
  layer.Forward(ctx, h, Write::kAssign, partial);
  const Tensor branch = axis.Sum(ctx, std::move(partial));
  DropoutAdd(ctx, branch, dropout, x, out);
}

ConstView BranchGradient(Context& ctx, ConstView dout, const DropoutSpec& dropout, DType compute,
                         Tensor& buffer) {
  if (dropout.rate == 0 && dout.dtype == compute) return dout;
  buffer = Tensor(ctx, dout.shape, compute);
  if (dout.dtype == compute) {
    Dropout(ctx, dout, dropout, buffer);
    return buffer;
  }
  Cast(ctx, dout, buffer);
  if (dropout.rate > 0) Dropout(ctx, buffer, dropout, buffer);
  return buffer;
}

NormLayer::NormLayer(ParamStore& store, const Scope& scope, const BlockDims& dims)
    : scale_(&store.Add(scope / "weight", {.shape = {dims.config->d_model},
                                           .init = Initializer::Constant(1),
                                           .use = ParamUse::kVector})),
      epsilon_(dims.config->layer_norm_epsilon),
      axis_(dims.axis) {}

void NormLayer::Forward(Context& ctx, ConstView x, View y, View rstd) const {
  RmsNorm(ctx, x, scale_->Weight(), epsilon_, y, rstd);
}

void NormLayer::Project(Context& ctx, ConstView x, const JoinedLinear& layer,
                        const TensorAxis& axis, View h, View rstd, View y) const {
  Tensor low, whole, whole_low;
  if (y.dtype != h.dtype) low = Tensor(ctx, h.shape, h.dtype, MemoryKind::kWorkspace);
  RmsNorm(ctx, x, scale_->Weight(), epsilon_, h, rstd, low.empty() ? View{} : low.view());
  const ConstView rest = low.empty() ? ConstView{} : axis.Whole(ctx, low, whole_low);
  layer.Forward(ctx, axis.Whole(ctx, h, whole), y, rest);
}

void NormLayer::Backward(Context& ctx, ConstView dy, ConstView x, ConstView rstd, Write mode,
                         View dx, GradSink& sink) const {
  axis_->AddOverRows(ctx, sink.Open(ctx, *scale_), [&](View dscale) {
    RmsNormGrad(ctx, dy, x, scale_->Weight(), rstd, mode, dx, dscale);
  });
  sink.Close(ctx, *scale_);
}

}  // namespace frond
