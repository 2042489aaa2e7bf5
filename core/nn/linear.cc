#include "core/nn/linear.h"

namespace frond {

Linear::Linear(ParamStore& store, const Scope& scope, int64_t in, int64_t out, double init_stddev,
               Partition partition)
    : weight_(&store.Add(scope / "weight", {.shape = {out, in},
                                            .partition = partition,
                                            .init = Initializer::Normal(init_stddev),
                                            .use = ParamUse::kMatrix})) {}

void Linear::Multiply(Context& ctx, ConstView a, Trans trans, Write mode, View c) const {
  if (const PackedWeight* pack = weight_->Pack(trans)) {
    MatMulPacked(ctx, a, *pack, trans, mode, c);
  } else {
    MatMul(ctx, a, Trans::kNo, weight_->Weight(), trans, mode, c);
  }
}

void Linear::Forward(Context& ctx, ConstView x, Write mode, View y) const {
  Multiply(ctx, x, Trans::kYes, mode, y);
}

void Linear::ForwardAdd(Context& ctx, ConstView x, ConstView addend, View y) const {
  if (const PackedWeight* pack = weight_->Pack(Trans::kYes)) {
    MatMulPackedAdd(ctx, x, *pack, Trans::kYes, addend, y);
  } else {
    MatMulAdd(ctx, x, Trans::kNo, weight_->Weight(), Trans::kYes, addend, y);
  }
}

void Linear::BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const {
  Multiply(ctx, dy, Trans::kNo, mode, dx);
}

void Linear::BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const {
  const View dweight = sink.Open(ctx, *weight_);
  MatMul(ctx, dy, Trans::kYes, x, Trans::kNo, Write::kAccumulate, dweight);
  sink.Close(ctx, *weight_);
}

}  // namespace frond
