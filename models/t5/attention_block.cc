#include "models/t5/attention_block.h"

#include <cmath>
#include <utility>

namespace frond {
namespace {

Scope AttentionScope(const Scope& scope, const AttentionRole& role) {
  return scope / (role.is_cross ? "EncDecAttention" : "SelfAttention");
}

double InverseRoot(int64_t size) { return 1.0 / std::sqrt(static_cast<double>(size)); }

std::vector<JoinedLinear::Part> KeysAndValues(const Scope& scope, const T5Config& config) {
  const double stddev = InverseRoot(config.d_model);
  return {{scope / "k", config.inner_dim(), stddev}, {scope / "v", config.inner_dim(), stddev}};
}

// To q, and k and v of self-attention.
JoinedLinear Projection(ParamStore& store, const Scope& scope, const T5Config& config,
                        const AttentionRole& role) {
  // The queries' initialiser holds the 1/sqrt(d_kv) that T5's scores leave out.
  std::vector<JoinedLinear::Part> parts = {
      {scope / "q", config.inner_dim(), InverseRoot(config.d_model * config.d_kv)}};
  if (!role.is_cross) {
    for (JoinedLinear::Part& part : KeysAndValues(scope, config)) parts.push_back(std::move(part));
  }
  return {store, parts, config.d_model, Partition::Split(0)};
}

std::optional<JoinedLinear> MemoryProjection(ParamStore& store, const Scope& scope,
                                             const T5Config& config, const AttentionRole& role) {
  if (!role.is_cross) return std::nullopt;
  return JoinedLinear(store, KeysAndValues(scope, config), config.d_model, Partition::Split(0));
}

}  // namespace

AttentionBlock::AttentionBlock(ParamStore& store, const Scope& scope, const BlockDims& dims,
                               AttentionRole role)
    : dims_(dims),
      role_(role),
      projection_(Projection(store, AttentionScope(scope, role), *dims.config, role)),
      memory_projection_(MemoryProjection(store, AttentionScope(scope, role), *dims.config, role)),
      o_(store, AttentionScope(scope, role) / "o", dims.config->inner_dim(), dims.config->d_model,
         InverseRoot(dims.config->inner_dim()), Partition::Split(1)),
      norm_(store, scope / "layer_norm", dims) {}

AttentionSpec AttentionBlock::Spec() const {
  AttentionSpec spec;
  spec.num_heads = static_cast<int>(dims_.heads());
  spec.first_head = static_cast<int>(dims_.axis->PartBegin(dims_.config->num_heads));
  spec.head_dim = static_cast<int>(dims_.config->d_kv);
  spec.causal = role_.is_decoder && !role_.is_cross;
  spec.num_buckets = static_cast<int>(dims_.config->relative_attention_num_buckets);
  spec.max_distance = static_cast<int>(dims_.config->relative_attention_max_distance);
  spec.bidirectional = !role_.is_decoder;
  return spec;
}

AttentionSpec AttentionBlock::SpecFor(const Context& ctx, const Input& in) const {
  const TokenLayout& keys = role_.is_cross ? *in.memory_layout : *in.layout;
  AttentionSpec spec = Spec();
  spec.query_begin = in.layout->begin;
  spec.query_end = in.layout->end;
  spec.key_begin = keys.begin;
  spec.key_end = keys.end;
  spec.dropout_rate = in.dropout;
  spec.dropout_key = ctx.rng.At(
      DropoutSite(role_.is_decoder, role_.layer,
                  role_.is_cross ? DropoutPlace::kCrossProbs : DropoutPlace::kSelfProbs));
  spec.key_token_keys = keys.token_keys;
  if (role_.is_cross) spec.engine = dims_.cross_attention;
  return spec;
}

DropoutSpec AttentionBlock::OutputDropout(const Context& ctx, const Input& in) const {
  const DropoutPlace place = role_.is_cross ? DropoutPlace::kCross : DropoutPlace::kSelf;
  return DropoutAt(ctx, in.dropout, DropoutSite(role_.is_decoder, role_.layer, place), *in.layout);
}

template <class Part, class Whole>
AttentionBlock::Operands<Part> AttentionBlock::OperandsIn(Whole projected, Whole memory_kv) const {
  const Part q = projection_.Of(0, projected);
  if (!role_.is_cross) return {q, projection_.Of(1, projected), projection_.Of(2, projected)};
  return {q, memory_projection_->Of(0, memory_kv), memory_projection_->Of(1, memory_kv)};
}

void AttentionBlock::Forward(Context& ctx, const Input& in, View out, Saved* keep) const {
  const TensorAxis& axis = *in.layout->axis;
  const int64_t tokens = in.layout->num_tokens;
  Saved local;
  Saved& s = keep != nullptr ? *keep : local;
  s.h = Tensor(ctx, in.x.shape, dims_.compute);
  s.rstd = Tensor(ctx, {in.x.dim(0)}, dims_.statistics());
  s.projected = Tensor(ctx, {tokens, projection_.out()}, dims_.projected);
  norm_.Project(ctx, in.x, projection_, axis, s.h, s.rstd, s.projected);
  if (role_.is_cross) {
    s.memory_kv = Tensor(ctx, {in.memory.dim(0), memory_projection_->out()}, dims_.projected);
    memory_projection_->Forward(ctx, in.memory, s.memory_kv);
  }
  s.attended = Tensor(ctx, {tokens, dims_.inner()}, dims_.compute);
  s.lse = Tensor(ctx, {tokens, dims_.heads()}, dims_.statistics());
  const auto x = OperandsIn<ConstColumns, ConstView>(s.projected, s.memory_kv);
  Attention(ctx, x.q, x.k, x.v, in.bias, SpecFor(ctx, in), s.attended, s.lse);
  AddBranch(ctx, o_, s.attended, axis, OutputDropout(ctx, in), in.x, out);
}

void AttentionBlock::Backward(Context& ctx, const Input& in, Saved saved, View dx, View dmemory,
                              View dbias, GradSink& sink) const {
  const TensorAxis& axis = *in.layout->axis;
  Tensor own_buffer, buffer;
  const ConstView dbranch = axis.Whole(
      ctx, BranchGradient(ctx, dx, OutputDropout(ctx, in), dims_.compute, own_buffer), buffer);
  o_.BackwardWeight(ctx, dbranch, saved.attended, sink);
  Tensor dattended(ctx, saved.attended.shape(), dims_.compute);
  o_.BackwardInput(ctx, dbranch, Write::kAssign, dattended);
  own_buffer.Reset();
  buffer.Reset();

  Tensor dprojected(ctx, saved.projected.shape(), dims_.compute), dmemory_kv;
  if (role_.is_cross) dmemory_kv = Tensor(ctx, saved.memory_kv.shape(), dims_.compute);
  const auto x = OperandsIn<ConstColumns, ConstView>(saved.projected, saved.memory_kv);
  const auto d = OperandsIn<Columns, View>(dprojected, dmemory_kv);
  AttentionGrad(ctx, dattended, x.q, x.k, x.v, in.bias, saved.attended, saved.lse, SpecFor(ctx, in),
                d.q, d.k, d.v, dbias);
  dattended.Reset();

  if (saved.h.empty()) {
    saved.h = Tensor(ctx, in.x.shape, dims_.compute);
    norm_.Forward(ctx, in.x, saved.h, saved.rstd);
  }
  Tensor dh(ctx, {dprojected.shape().dim(0), dims_.config->d_model}, dims_.compute);
  projection_.BackwardInput(ctx, dprojected, Write::kAssign, dh);
  if (role_.is_cross) {
    memory_projection_->BackwardInput(ctx, dmemory_kv, Write::kAccumulate, dmemory);
  }
  // The sum over the ranks goes on beside the weights' gradients.
  TensorAxis::StartedSum dh_sum = axis.StartSum(ctx, std::move(dh));
  projection_.BackwardWeight(ctx, dprojected, axis.Whole(ctx, saved.h, buffer), sink);
  if (role_.is_cross) memory_projection_->BackwardWeight(ctx, dmemory_kv, in.memory, sink);
  norm_.Backward(ctx, dh_sum.Wait(), in.x, saved.rstd, Write::kAccumulate, dx, sink);
}

}  // namespace frond
