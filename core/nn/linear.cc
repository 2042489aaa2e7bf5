#include "core/nn/linear.h"

namespace frond {
namespace {

// c (+)= a op(W) of a Param or JoinedParams, a being the sum of the operand's terms.
template <class Weights>
void Multiply(Context& ctx, const ProductOperand& a, const Weights& weights, Trans trans,
              Write mode, View c) {
  const PackedWeight* pack = weights.Pack(trans);
  for (const ConstView term : a.terms()) {
    if (pack != nullptr) {
      MatMulPacked(ctx, term, *pack, trans, mode, c);
    } else {
      MatMul(ctx, term, Trans::kNo, weights.Weight(), trans, mode, c);
    }
    mode = Write::kAccumulate;
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
    : products_(store.compute_dtype()),
      weight_(&Declare(store, scope, {out, in}, init_stddev, partition)) {}

void Linear::Forward(Context& ctx, ConstView x, Write mode, View y) const {
  Multiply(ctx, {ctx, x, products_, OperandTerms::kTwo}, *weight_, Trans::kYes, mode, y);
}

void Linear::ForwardAdd(Context& ctx, ConstView x, ConstView addend, View y) const {
  const ProductOperand operand(ctx, x, products_, OperandTerms::kTwo);
  const PackedWeight* pack = weight_->Pack(Trans::kYes);
  for (const ConstView term : operand.terms()) {
    if (pack != nullptr) {
      MatMulPackedAdd(ctx, term, *pack, Trans::kYes, addend, y);
    } else {
      MatMulAdd(ctx, term, Trans::kNo, weight_->Weight(), Trans::kYes, addend, y);
    }
    addend = y;
  }
}

void Linear::BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const {
  Multiply(ctx, {ctx, dy, products_, OperandTerms::kOne}, *weight_, Trans::kNo, mode, dx);
}

void Linear::BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const {
  const ProductOperand left(ctx, dy, products_, OperandTerms::kOne);
  const ProductOperand right(ctx, x, products_, OperandTerms::kOne);
  AddWeightGradient(ctx, left.only(), right.only(), *weight_, sink);
}

JoinedLinear::JoinedLinear(ParamStore& store, const std::vector<Part>& parts, int64_t in,
                           Partition partition)
    : products_(store.compute_dtype()) {
  std::vector<Param*> weights;
  int64_t end = 0;
  for (const Part& part : parts) {
    weights.push_back(&Declare(store, part.scope, {part.out, in}, part.init_stddev, partition));
    end += weights.back()->shape.dim(0);
    ends_.push_back(end);
  }
  weights_ = &store.Join(std::move(weights));
}

void JoinedLinear::Forward(Context& ctx, ConstView x, View y) const {
  Multiply(ctx, {ctx, x, products_, OperandTerms::kTwo}, *weights_, Trans::kYes, Write::kAssign, y);
}

void JoinedLinear::BackwardInput(Context& ctx, ConstView dy, Write mode, View dx) const {
  Multiply(ctx, {ctx, dy, products_, OperandTerms::kOne}, *weights_, Trans::kNo, mode, dx);
}

void JoinedLinear::BackwardWeight(Context& ctx, ConstView dy, ConstView x, GradSink& sink) const {
  const ProductOperand left(ctx, dy, products_, OperandTerms::kOne);
  const ProductOperand right(ctx, x, products_, OperandTerms::kOne);
  for (size_t i = 0; i < weights_->parts.size(); ++i) {
    AddWeightGradient(ctx, Of(i, left.only()), right.only(), *weights_->parts[i], sink);
  }
}

}  // namespace frond
