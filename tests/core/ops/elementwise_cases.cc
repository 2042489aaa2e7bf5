// Cast, AddScaled, SumOfSquares.
#include "core/ops/elementwise.h"
#include "tests/core/ops/op_cases.h"

namespace frond::testing {
namespace {

// y (+)= alpha x between two roles.
OpCase AddScaledCase(int64_t n, Role from, Role to, Write mode) {
  constexpr double kAlpha = -0.375;  // exact in every dtype
  const bool add = mode == Write::kAccumulate;
  OpCase op;
  op.name = "add_scaled/" + std::string(from == Role::kMaster ? "wide" : "compute") + "_to_" +
            (to == Role::kMaster ? "wide" : "compute") + (add ? "/add/" : "/") + std::to_string(n);
  op.inputs = {{.name = "x", .shape = {n}, .role = from}};
  op.outputs = {{.name = "y", .shape = {n}, .role = to, .accumulated = add}};
  op.forward = [mode](Context& ctx, const Views& in, const Views& out) {
    AddScaled(ctx, kAlpha, in[0], mode, out[0]);
  };
  op.reference = [add](const Arrays& in, Arrays& out) {
    for (size_t i = 0; i < in[0].size(); ++i) {
      out[0][i] = (add ? out[0][i] : 0.0) + kAlpha * in[0][i];
    }
  };
  op.backward = [](Context& ctx, const Views&, const Views&, const Views& dout, const Views& din) {
    AddScaled(ctx, kAlpha, dout[0], Write::kAssign, din[0]);
  };
  return op;
}

OpCase CastCase(int64_t n, Role from, Role to) {
  OpCase op;
  op.name = "cast/" + std::string(from == Role::kMaster ? "wide" : "compute") + "_to_" +
            (to == Role::kMaster ? "wide" : "compute") + "/" + std::to_string(n);
  op.inputs = {{.name = "x", .shape = {n}, .role = from}};
  op.outputs = {{.name = "y", .shape = {n}, .role = to}};
  op.forward = [](Context& ctx, const Views& in, const Views& out) { Cast(ctx, in[0], out[0]); };
  op.reference = [](const Arrays& in, Arrays& out) { out[0] = in[0]; };
  op.backward = [](Context& ctx, const Views&, const Views&, const Views& dout, const Views& din) {
    Cast(ctx, dout[0], din[0]);
  };
  return op;
}

}  // namespace

std::vector<OpCase> ElementwiseCases() {
  std::vector<OpCase> cases;
  for (const Role from : {Role::kCompute, Role::kMaster}) {
    for (const Role to : {Role::kCompute, Role::kMaster}) {
      for (const int64_t n : {0, 13, 20001}) {
        cases.push_back(CastCase(n, from, to));
        cases.push_back(AddScaledCase(n, from, to, Write::kAssign));
        cases.push_back(AddScaledCase(n, from, to, Write::kAccumulate));
      }
    }
  }
  return cases;
}

}  // namespace frond::testing
