// HeadLoss: the case's last output is the loss itself, whose gradient the op computes.
#include <memory>

#include "core/base/philox.h"
#include "core/ops/elementwise.h"
#include "core/ops/head_loss.h"
#include "core/tensor/transfer.h"
#include "tests/core/ops/op_cases.h"
#include "tests/core/ops/reference/head_loss.h"
#include "tests/core/ops/vocabulary_parts.h"

namespace frond::testing {
namespace {

struct Head {
  int64_t tokens, vocabulary, d;
  HeadLossSpec spec;
  bool packed = false;
  std::vector<int64_t> parts = {};  // rows of each, where the vocabulary is split
};

struct Tokens {
  std::vector<int32_t> targets;
  std::vector<double> weights;
};

Tokens DrawTokens(const Head& head) {
  Tokens tokens;
  for (int64_t t = 0; t < head.tokens; ++t) {
    const auto index = static_cast<uint64_t>(t);
    tokens.targets.push_back(
        static_cast<int32_t>(UniformAt(1, index) * static_cast<double>(head.vocabulary)));
    // Every fifth token is out.
    tokens.weights.push_back(t % 5 == 3 ? 0.0 : 0.5 + UniformAt(2, index));
  }
  return tokens;
}

// HeadLoss with what it reads and writes; the gradients may be empty.
struct Call {
  ConstView hidden, weight;
  View nll, log_z, dhidden, dweight;
};

void RunCall(Context& ctx, const Head& head, const Tokens& tokens, const HeadLossSpec& spec,
             const Call& call) {
  HeadWeight weight = {.value = call.weight};
  PackedWeight forward, backward;
  if (head.packed) {
    PackWeight(ctx, call.weight, Trans::kYes, call.hidden.dtype, forward);
    PackWeight(ctx, call.weight, Trans::kNo, call.hidden.dtype, backward);
    weight.forward = &forward;
    weight.backward = &backward;
  }
  HeadLoss(ctx, call.hidden, weight, tokens.targets, tokens.weights, spec, call.nll, call.log_z,
           call.dhidden, call.dweight);
}

// Sums dhidden over the parts, as their ranks do.
void RunAllParts(Context& ctx, const Head& head, const Tokens& tokens, const Call& whole) {
  RunParts(head.parts, [&](const HeadLossParts& parts, int64_t rows, bool is_final) {
    const int64_t begin = parts.part.first_id, end = begin + rows;
    Call call = whole;
    call.weight = Rows(whole.weight, begin, end);
    Tensor dhidden, scratch;
    if (whole.dhidden.data != nullptr) {
      dhidden = Tensor(ctx, whole.hidden.shape, whole.hidden.dtype);
      scratch = Tensor(ctx, call.weight.shape, whole.dweight.dtype);
      call.dhidden = dhidden.view();
      call.dweight = is_final ? Rows(whole.dweight, begin, end) : scratch.view();
    }
    HeadLossSpec spec = head.spec;
    spec.parts = parts;
    RunCall(ctx, head, tokens, spec, call);
    if (!is_final || dhidden.empty()) return;
    AddScaled(ctx, 1, dhidden, begin == 0 ? Write::kAssign : Write::kAccumulate, whole.dhidden);
  });
}

void Run(Context& ctx, const Head& head, const Tokens& tokens, const Views& in, const Views& out,
         const Views& din) {
  Call call = {.hidden = in[0], .weight = in[1], .nll = out[0], .log_z = out[1]};
  if (!din.empty()) {
    call.dhidden = din[0];
    call.dweight = din[1];
  }
  if (!head.parts.empty()) return RunAllParts(ctx, head, tokens, call);
  RunCall(ctx, head, tokens, head.spec, call);
}

double Loss(const Head& head, const Tokens& tokens, const std::vector<double>& nll,
            const std::vector<double>& log_z) {
  double sum = 0;
  for (size_t t = 0; t < tokens.weights.size(); ++t) {
    sum += tokens.weights[t] * (nll[t] + head.spec.z_loss * log_z[t] * log_z[t]);
  }
  return sum;
}

OpCase MakeCase(const std::string& name, const Head& head) {
  const auto tokens = std::make_shared<const Tokens>(DrawTokens(head));
  OpCase op;
  op.name = "head_loss/" + name;
  op.inputs = {{.name = "hidden", .shape = {head.tokens, head.d}},
               {.name = "weight",
                .shape = {head.vocabulary, head.d},
                .role = Role::kMaster,
                .rounded = true,
                .accumulated = true}};
  op.outputs = {{.name = "nll", .shape = {head.tokens}, .role = Role::kMaster, .constant = true},
                {.name = "log_z", .shape = {head.tokens}, .role = Role::kMaster, .constant = true},
                {.name = "loss", .shape = {1}, .role = Role::kMaster}};
  op.forward = [head, tokens](Context& ctx, const Views& in, const Views& out) {
    Run(ctx, head, *tokens, in, out, {});
    const double loss = Loss(head, *tokens, ToDoubles(ctx, out[0]), ToDoubles(ctx, out[1]));
    const auto rounded = static_cast<float>(loss);
    const bool is_wide = out[2].dtype == DType::kF64;
    CopyFromHost(ctx, is_wide ? static_cast<const void*>(&loss) : &rounded, out[2]);
  };
  op.reference = [head, tokens](const Arrays& in, Arrays& out) {
    for (size_t t = 0; t < tokens->targets.size(); ++t) {
      const auto value =
          reference::HeadLoss(in[0].data() + t * static_cast<size_t>(head.d), in[1], head.d,
                              tokens->targets[t], static_cast<double>(head.spec.hidden_scale));
      out[0][t] = value.nll;
      out[1][t] = value.log_z;
    }
    out[2][0] = Loss(head, *tokens, out[0], out[1]);
  };
  op.backward = [head, tokens](Context& ctx, const Views& in, const Views& out, const Views& dout,
                               const Views& din) {
    Tokens scaled = *tokens;
    const double dloss = ToDoubles(ctx, dout[2])[0];
    for (double& weight : scaled.weights) weight *= dloss;
    Run(ctx, head, scaled, in, out, din);
  };
  op.forward_flops =
      2.0 * static_cast<double>(head.tokens * head.vocabulary) * static_cast<double>(head.d);
  op.backward_flops = 3 * op.forward_flops;  // it computes the logits again
  // Over so few tokens the loss and its gradients can cancel until mostly rounding is left.
  if (head.tokens < 16) {
    op.f32_tolerance = 4e-6;
    op.bf16_tolerance = 1e-2;
  }
  return op;
}

}  // namespace

std::vector<OpCase> HeadLossCases() {
  const HeadLossSpec plain, z_loss = {.z_loss = 0.01f};
  const HeadLossSpec small_chunks = {
      .hidden_scale = 0.125f, .z_loss = 1e-4f, .max_logits_bytes = 20000};
  return {
      MakeCase("plain", {9, 37, 16, plain}),
      MakeCase("z_loss", {9, 131, 16, z_loss}),
      MakeCase("tied_chunks", {23, 517, 32, small_chunks}),
      MakeCase("packed", {23, 517, 32, small_chunks, /*packed=*/true}),
      MakeCase("long_rows", {5, 5003, 24, z_loss, /*packed=*/true}),
      MakeCase("one_token", {1, 64, 8, plain}),
      MakeCase("no_tokens", {0, 64, 8, plain}),
      MakeCase("parts/halves", {9, 132, 16, z_loss, false, {66, 66}}),
      MakeCase("parts/uneven", {23, 517, 32, small_chunks, false, {400, 16, 101}}),
      MakeCase("parts/packed", {23, 517, 32, small_chunks, /*packed=*/true, {128, 128, 128, 133}}),
      MakeCase("parts/long_rows", {5, 5004, 24, z_loss, false, {5000, 4}}),
      MakeCase("parts/no_tokens", {0, 64, 8, plain, false, {32, 32}}),
  };
}

std::vector<OpCase> HeadLossTimings() {
  return {MakeCase("1024x250112x512", {1024, 250112, 512, {}, /*packed=*/false})};
}

}  // namespace frond::testing
