#include "models/t5/attention_block.h"

#include <cmath>
#include <utility>

namespace frond {
namespace {

Scope AttentionScope(const Scope& scope, const AttentionRole& role) {
  return scope / (role.is_cross ? "EncDecAttention" : "SelfAttention");
}

double InverseRoot(int64_t size) { return 1.0 / std::sqrt(static_cast<double>(size)); }

}  // namespace

AttentionBlock::AttentionBlock(ParamStore& store, const Scope& scope, const BlockDims& dims,
                               AttentionRole role)
    : dims_(dims),
      role_(role),
      // The queries' initialiser holds the 1/sqrt(d_kv) that T5's scores leave out.
      q_(store, AttentionScope(scope, role) / "q", dims.config->d_model, dims.config->inner_dim(),
         InverseRoot(dims.config->d_model * dims.config->d_kv), Partition::Split(0)),
      k_(store, AttentionScope(scope, role) / "k", dims.config->d_model, dims.config->inner_dim(),
         InverseRoot(dims.config->d_model), Partition::Split(0)),
      v_(store, AttentionScope(scope, role) / "v", dims.config->d_model, dims.config->inner_dim(),
         InverseRoot(dims.config->d_model), Partition::Split(0)),
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

void AttentionBlock::ProjectMemory(Context& ctx, ConstView memory, View k, View v) const {
  k_.Forward(ctx, memory, Write::kAssign, k);
  v_.Forward(ctx, memory, Write::kAssign, v);
}

void AttentionBlock::Forward(Context& ctx, const Input& in, View out, Saved* keep) const {
  const TensorAxis& axis = *in.layout->axis;
  const int64_t tokens = in.layout->num_tokens, inner = dims_.inner();
  Saved local;
  Saved& s = keep != nullptr ? *keep : local;
  s.h = Tensor(ctx, in.x.shape, dims_.compute);
  s.rstd = Tensor(ctx, {in.x.dim(0)}, dims_.statistics());
  norm_.Forward(ctx, in.x, s.h, s.rstd);
  Tensor whole;
  const ConstView h = axis.Whole(ctx, s.h, whole);
  const ConstView memory = role_.is_cross ? in.memory : h;
  s.q = Tensor(ctx, {tokens, inner}, dims_.compute);
  s.k = Tensor(ctx, {memory.dim(0), inner}, dims_.compute);
  s.v = Tensor(ctx, {memory.dim(0), inner}, dims_.compute);
  q_.Forward(ctx, h, Write::kAssign, s.q);
  ProjectMemory(ctx, memory, s.k, s.v);
  whole.Reset();
  s.attended = Tensor(ctx, {tokens, inner}, dims_.compute);
  s.lse = Tensor(ctx, {tokens, dims_.heads()}, dims_.statistics());
  Attention(ctx, s.q, s.k, s.v, in.bias, SpecFor(ctx, in), s.attended, s.lse);
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

  Tensor dq(ctx, saved.q.shape(), dims_.compute);
  Tensor dk(ctx, saved.k.shape(), dims_.compute);
  Tensor dv(ctx, saved.v.shape(), dims_.compute);
  AttentionGrad(ctx, dattended, saved.q, saved.k, saved.v, in.bias, saved.attended, saved.lse,
                SpecFor(ctx, in), dq, dk, dv, dbias);
  dattended.Reset();

  if (saved.h.empty()) {
    saved.h = Tensor(ctx, in.x.shape, dims_.compute);
    norm_.Forward(ctx, in.x, saved.h, saved.rstd);
  }
  Tensor dh(ctx, {dq.shape().dim(0), dims_.config->d_model}, dims_.compute);
  q_.BackwardInput(ctx, dq, Write::kAssign, dh);
  const View dkeys_input = role_.is_cross ? dmemory : dh.view();
  k_.BackwardInput(ctx, dk, Write::kAccumulate, dkeys_input);
  v_.BackwardInput(ctx, dv, Write::kAccumulate, dkeys_input);
  // The sum over the ranks goes on beside the weights' gradients.
  TensorAxis::StartedSum dh_sum = axis.StartSum(ctx, std::move(dh));
  const ConstView h = axis.Whole(ctx, saved.h, buffer);
  const ConstView memory = role_.is_cross ? in.memory : h;
  q_.BackwardWeight(ctx, dq, h, sink);
  k_.BackwardWeight(ctx, dk, memory, sink);
  v_.BackwardWeight(ctx, dv, memory, sink);
  norm_.Backward(ctx, dh_sum.Wait(), in.x, saved.rstd, Write::kAccumulate, dx, sink);
}

}  // namespace frond
