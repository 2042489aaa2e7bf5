// Dropout and DropoutAdd.
#include "core/ops/dropout.h"
#include "tests/core/ops/op_cases.h"
#include "tests/core/ops/reference/dropout.h"

namespace frond::testing {
namespace {

constexpr uint64_t kKey = 0x9876543210abcdefull;

std::vector<uint64_t> TokenKeys(int64_t tokens) {
  std::vector<uint64_t> keys;
  for (int64_t t = 0; t < tokens; ++t) keys.push_back(0x100000001ull * static_cast<uint64_t>(t));
  return keys;
}

void Reference(float rate, int64_t dim, int64_t first_column, const Arrays& in, Arrays& out) {
  for (size_t i = 0; i < out[0].size(); ++i) {
    const auto token = static_cast<int64_t>(i) / dim;
    const int64_t column = first_column + static_cast<int64_t>(i) % dim;
    const bool keep = reference::DropoutKeeps(kKey, TokenKeys(token + 1).back(), column, rate);
    out[0][i] = keep ? in[0][i] / (1 - static_cast<double>(rate)) : 0.0;
    if (in.size() > 1) out[0][i] += in[1][i];
  }
}

std::string ColumnName(int64_t first_column) {
  return first_column == 0 ? "" : "/from_column_" + std::to_string(first_column);
}

OpCase PlainCase(int64_t tokens, int64_t dim, float rate, int64_t first_column = 0) {
  OpCase op;
  op.name = "dropout/" + std::to_string(tokens) + "x" + std::to_string(dim) + "/rate_" +
            std::to_string(static_cast<int>(100 * rate)) + ColumnName(first_column);
  op.inputs = {{.name = "x", .shape = {tokens, dim}}};
  op.outputs = {{.name = "y", .shape = {tokens, dim}}};
  const auto run = [keys = TokenKeys(tokens), rate, first_column](Context& ctx, ConstView x,
                                                                  View y) {
    Dropout(ctx, x, {.rate = rate, .key = kKey, .token_keys = keys, .first_column = first_column},
            y);
  };
  op.forward = [run](Context& ctx, const Views& in, const Views& out) { run(ctx, in[0], out[0]); };
  op.reference = [rate, dim, first_column](const Arrays& in, Arrays& out) {
    Reference(rate, dim, first_column, in, out);
  };
  op.backward = [run](Context& ctx, const Views&, const Views&, const Views& dout,
                      const Views& din) { run(ctx, dout[0], din[0]); };
  op.forward_bytes = op.backward_bytes = static_cast<double>(tokens * dim) * 8;
  return op;
}

OpCase AddCase(int64_t tokens, int64_t dim, float rate, Role x_role, Role residual_role,
               int64_t first_column = 0) {
  OpCase op;
  op.name = "dropout_add/" + std::to_string(tokens) + "x" + std::to_string(dim) + "/rate_" +
            std::to_string(static_cast<int>(100 * rate)) +
            (x_role == Role::kMaster ? "/wide" : "/compute") +
            (residual_role == Role::kMaster ? "_to_wide" : "_to_compute") +
            ColumnName(first_column);
  op.inputs = {{.name = "x", .shape = {tokens, dim}, .role = x_role},
               {.name = "residual", .shape = {tokens, dim}, .role = residual_role}};
  op.outputs = {{.name = "out", .shape = {tokens, dim}, .role = residual_role}};
  op.forward = [keys = TokenKeys(tokens), rate, first_column](Context& ctx, const Views& in,
                                                              const Views& out) {
    DropoutAdd(ctx, in[0],
               {.rate = rate, .key = kKey, .token_keys = keys, .first_column = first_column}, in[1],
               out[0]);
  };
  op.reference = [rate, dim, first_column](const Arrays& in, Arrays& out) {
    Reference(rate, dim, first_column, in, out);
  };
  op.forward_bytes = static_cast<double>(tokens * dim) * 12;
  return op;
}

}  // namespace

std::vector<OpCase> DropoutCases() {
  std::vector<OpCase> cases = {PlainCase(0, 8, 0.1f),   PlainCase(1, 1, 0.5f),
                               PlainCase(9, 7, 0.5f),   PlainCase(20, 300, 0.1f),
                               PlainCase(9, 128, 0.9f), PlainCase(9, 40, 0.0f)};
  // Multiples of a group of draws, of a vector's columns, and none.
  for (const int64_t first_column : {1024, 272, 8, 127, 389}) {
    cases.push_back(PlainCase(9, 304, 0.5f, first_column));
    cases.push_back(PlainCase(9, 33, 0.5f, first_column));
    cases.push_back(AddCase(7, 160, 0.25f, Role::kCompute, Role::kMaster, first_column));
  }
  for (const Role x : {Role::kCompute, Role::kMaster}) {
    for (const Role residual : {Role::kCompute, Role::kMaster}) {
      cases.push_back(AddCase(13, 150, 0.25f, x, residual));
      cases.push_back(AddCase(13, 150, 0.0f, x, residual));
    }
  }
  return cases;
}

std::vector<OpCase> DropoutTimings() {
  return {PlainCase(8192, 512, 0.1f), AddCase(8192, 512, 0.1f, Role::kCompute, Role::kCompute)};
}

}  // namespace frond::testing
