// RmsNorm and RmsNormGrad.
#include <cmath>

#include "core/ops/rms_norm.h"
#include "tests/core/ops/op_cases.h"

namespace frond::testing {
namespace {

constexpr float kEpsilon = 1e-2f;  // large enough to be seen

void Reference(int64_t dim, const Arrays& in, Arrays& out) {
  for (size_t t = 0; t < out[1].size(); ++t) {
    long double squares = 0;
    for (int64_t i = 0; i < dim; ++i) squares += std::pow(in[0][t * dim + i], 2);
    const long double rstd = 1 / std::sqrt(squares / dim + static_cast<long double>(kEpsilon));
    out[1][t] = static_cast<double>(rstd);
    for (int64_t i = 0; i < dim; ++i) {
      out[0][t * dim + i] = static_cast<double>(in[0][t * dim + i] * rstd * in[1][i]);
    }
  }
}

OpCase MakeCase(int64_t tokens, int64_t dim, Role x_role, Role y_role, Write mode) {
  OpCase op;
  op.name = "rms_norm/" + std::string(x_role == Role::kMaster ? "wide" : "compute") + "_to_" +
            (y_role == Role::kMaster ? "wide" : "compute") + "/" +
            (mode == Write::kAccumulate ? "add/" : "") + std::to_string(tokens) + "x" +
            std::to_string(dim);
  op.inputs = {{.name = "x",
                .shape = {tokens, dim},
                .role = x_role,
                .accumulated = mode == Write::kAccumulate},
               {.name = "scale", .shape = {dim}, .role = Role::kMaster, .accumulated = true}};
  op.outputs = {{.name = "y", .shape = {tokens, dim}, .role = y_role},
                {.name = "rstd", .shape = {tokens}, .role = Role::kMaster, .constant = true}};
  op.forward = [](Context& ctx, const Views& in, const Views& out) {
    RmsNorm(ctx, in[0], in[1], kEpsilon, out[0], out[1]);
  };
  op.reference = [dim](const Arrays& in, Arrays& out) { Reference(dim, in, out); };
  op.backward = [mode](Context& ctx, const Views& in, const Views& out, const Views& dout,
                       const Views& din) {
    RmsNormGrad(ctx, dout[0], in[0], in[1], out[1], mode, din[0], din[1]);
  };
  // The gradient of a lone element is nearly 0: nothing but rounding is left of it.
  if (dim == 1) op.backward = nullptr;
  op.forward_bytes = static_cast<double>(tokens * dim) * 8;
  op.backward_bytes = static_cast<double>(tokens * dim) * 12;
  return op;
}

}  // namespace

std::vector<OpCase> RmsNormCases() {
  std::vector<OpCase> cases;
  for (const Write mode : {Write::kAssign, Write::kAccumulate}) {
    for (const Role x : {Role::kCompute, Role::kMaster}) {
      for (const Role y : {Role::kCompute, Role::kMaster}) {
        cases.push_back(MakeCase(37, 50, x, y, mode));
      }
    }
  }
  for (const auto& [tokens, dim] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 8}, {1, 1}, {1, 64}, {1500, 33}, {70, 512}}) {
    cases.push_back(MakeCase(tokens, dim, Role::kCompute, Role::kCompute, Write::kAssign));
  }
  return cases;
}

std::vector<OpCase> RmsNormTimings() {
  return {MakeCase(8192, 512, Role::kCompute, Role::kCompute, Write::kAssign)};
}

}  // namespace frond::testing
