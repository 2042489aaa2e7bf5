// GatedGelu and GatedGeluGrad.
#include <cmath>

#include "core/ops/gated_gelu.h"
#include "tests/core/ops/op_cases.h"

namespace frond::testing {
namespace {

// The formula of the header, as it stands there.
void Reference(const Arrays& in, Arrays& out) {
  const double factor = std::sqrt(2 / std::acos(-1.0));
  for (size_t i = 0; i < out[0].size(); ++i) {
    const double g = in[0][i];
    out[0][i] = g / 2 * (1 + std::tanh(factor * (g + 0.044715 * g * g * g))) * in[1][i];
  }
}

OpCase MakeCase(int64_t rows, int64_t dim, double spread) {
  OpCase op;
  op.name = "gated_gelu/" + std::to_string(rows) + "x" + std::to_string(dim) + "/spread_" +
            std::to_string(static_cast<int>(spread));
  op.inputs = {{.name = "gate", .shape = {rows, dim}, .spread = spread},
               {.name = "up", .shape = {rows, dim}}};
  op.outputs = {{.name = "y", .shape = {rows, dim}}};
  op.forward = [](Context& ctx, const Views& in, const Views& out) {
    GatedGelu(ctx, in[0], in[1], out[0]);
  };
  op.reference = Reference;
  op.backward = [](Context& ctx, const Views& in, const Views&, const Views& dout,
                   const Views& din) { GatedGeluGrad(ctx, dout[0], in[0], in[1], din[0], din[1]); };
  // The slope at a lone gate may be nearly 0: nothing but rounding is left of it.
  if (rows * dim == 1) op.backward = nullptr;
  op.forward_bytes = static_cast<double>(rows * dim) * 12;
  op.backward_bytes = static_cast<double>(rows * dim) * 20;
  return op;
}

// gate and up side by side.
OpCase MakeJoinedCase(int64_t rows, int64_t dim) {
  OpCase op = MakeCase(rows, dim, 1);
  op.name += "/joined";
  op.inputs = {{.name = "hidden", .shape = {rows, 2 * dim}}};
  op.forward = [dim](Context& ctx, const Views& in, const Views& out) {
    GatedGelu(ctx, ColumnsOf(in[0], 0, dim), ColumnsOf(in[0], dim, 2 * dim), out[0]);
  };
  op.reference = [dim](const Arrays& in, Arrays& out) {
    Arrays separate(2);
    for (auto row = in[0].begin(); row != in[0].end(); row += 2 * dim) {
      separate[0].insert(separate[0].end(), row, row + dim);
      separate[1].insert(separate[1].end(), row + dim, row + 2 * dim);
    }
    Reference(separate, out);
  };
  op.backward = [dim](Context& ctx, const Views& in, const Views&, const Views& dout,
                      const Views& din) {
    GatedGeluGrad(ctx, dout[0], ColumnsOf(in[0], 0, dim), ColumnsOf(in[0], dim, 2 * dim),
                  ColumnsOf(din[0], 0, dim), ColumnsOf(din[0], dim, 2 * dim));
  };
  return op;
}

}  // namespace

std::vector<OpCase> GatedGeluCases() {
  return {MakeCase(0, 5, 1), MakeCase(1, 1, 1), MakeCase(3, 19, 1), MakeCase(100, 101, 1),
          MakeCase(100, 101, 8),
          // Rows longer than a thread's share, rows of whole vectors, and others.
          MakeJoinedCase(3, 5000), MakeJoinedCase(67, 64), MakeJoinedCase(30, 37),
          OfWideInputs(MakeCase(100, 101, 8), 2), OfWideInputs(MakeJoinedCase(67, 64), 1)};
}

std::vector<OpCase> GatedGeluTimings() { return {MakeCase(8192, 1024, 1)}; }

}  // namespace frond::testing
