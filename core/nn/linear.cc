#include "core/nn/linear.h"

namespace frond {

Linear::Linear(ParamStore& store, const Scope& scope, int64_t in, int64_t out, double init_stddev)
    : weight_(&store.Add(scope / "weight", {.shape = {out, in},
                                            .init = Initializer::Normal(init_stddev),
                                            .use = ParamUse::kMatrix})) {}

void Linear::Forward(Context& ctx, ConstView x, Write mode, View y) const {
  if (weight_->forward.empty()) {
    MatMul(ctx, x, Trans::kNo, weight_->value, Trans::kYes, mode, y);
  } else {
    MatMulPacked(ctx, x, weight_->forward, mode, y);
  }
}

void Linear::BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const {
  if (weight_->backward.empty()) {
    MatMul(ctx, dy, Trans::kNo, weight_->value, Trans::kNo, mode, dx);
  } else {
    MatMulPacked(ctx, dy, weight_->backward, mode, dx);
  }
}

void Linear::BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const {
  const View dweight = sink.Open(ctx, *weight_);
  MatMul(ctx, dy, Trans::kYes, x, Trans::kNo, Write::kAccumulate, dweight);
  sink.Close(ctx, *weight_);
}

}  // namespace frond
