#include "core/nn/linear.h"

namespace frond {
namespace {

// c (+)= a op(W) of a Param or JoinedParams.
template <class Weights>
void Multiply(Context& ctx, ConstView a, const Weights& weights, Trans trans, Write mode, View c) {
  if (const PackedWeight* pack = weights.Pack(trans)) {
    MatMulPacked(ctx, a, *pack, trans, mode, c);
  } else {
    MatMul(ctx, a, Trans::kNo, weights.Weight(), trans, mode, c);
  }
}

Param& Declare(ParamStore& store, const Scope& scope, Shape shape, double init_stddev,
               Partition partition) {
  return store.Add(scope / "weight", {.shape = shape,
                                      .partition = partition,
                                      .init = Initializer::Normal(init_stddev),
                                      .use = ParamUse::kMatrix});
}

void AddWeightGradient(Context& ctx, ConstColumns dy, ConstView x, Param& weight, GradSink& sink) {
  const View dweight = sink.Open(ctx, weight);
  MatMul(ctx, dy, Trans::kYes, x, Trans::kNo, Write::kAccumulate, dweight);
  sink.Close(ctx, weight);
}

}  // namespace

Linear::Linear(ParamStore& store, const Scope& scope, int64_t in, int64_t out, double init_stddev,
               Partition partition)
    : weight_(&Declare(store, scope, {out, in}, init_stddev, partition)) {}

void Linear::Forward(Context& ctx, ConstView x, Write mode, View y) const {
  Multiply(ctx, x, *weight_, Trans::kYes, mode, y);
}

void Linear::ForwardAdd(Context& ctx, ConstView x, ConstView addend, View y) const {
  if (const PackedWeight* pack = weight_->Pack(Trans::kYes)) {
    MatMulPackedAdd(ctx, x, *pack, Trans::kYes, addend, y);
  } else {
    MatMulAdd(ctx, x, Trans::kNo, weight_->Weight(), Trans::kYes, addend, y);
  }
}

void Linear::BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const {
  Multiply(ctx, dy, *weight_, Trans::kNo, mode, dx);
}

void Linear::BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const {
  AddWeightGradient(ctx, dy, x, *weight_, sink);
}

JoinedLinear::JoinedLinear(ParamStore& store, const std::vector<Part>& parts, int64_t in,
                           Partition partition) {
  std::vector<Param*> weights;
  int64_t end = 0;
  for (const Part& part : parts) {
    weights.push_back(&Declare(store, part.scope, {part.out, in}, part.init_stddev, partition));
    end += weights.back()->shape.dim(0);
    ends_.push_back(end);
  }
  weights_ = &store.Join(std::move(weights));
}

void JoinedLinear::Forward(Context& ctx, ConstView x, View y, ConstView low) const {
  const bool has_low = low.data != nullptr;
  CHECK(!has_low || y.dtype == DType::kF32) << DTypeName(y.dtype) << " holds no second term";
  Multiply(ctx, x, *weights_, Trans::kYes, Write::kAssign, y);
  if (!has_low) return;
  CheckSameShape(low, x);
  Multiply(ctx, low, *weights_, Trans::kYes, Write::kAccumulate, y);
}

void JoinedLinear::BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const {
  Multiply(ctx, dy, *weights_, Trans::kNo, mode, dx);
}

void JoinedLinear::BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const {
  for (size_t i = 0; i < weights_->parts.size(); ++i) {
    AddWeightGradient(ctx, Of(i, dy), x, *weights_->parts[i], sink);
  }
}

}  // namespace frond
