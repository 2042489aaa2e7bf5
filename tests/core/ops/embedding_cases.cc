// Embedding and EmbeddingGrad.
#include "core/base/philox.h"
#include "core/ops/embedding.h"
#include "tests/core/ops/op_cases.h"

namespace frond::testing {
namespace {

// Few distinct ids, so that rows repeat and the gradient must add.
std::vector<int32_t> DrawIds(int64_t tokens, int64_t vocabulary, uint64_t key) {
  std::vector<int32_t> ids(static_cast<size_t>(tokens));
  for (size_t t = 0; t < ids.size(); ++t) {
    const double u = UniformAt(key, t);
    ids[t] = static_cast<int32_t>(u * u * static_cast<double>(vocabulary));
  }
  return ids;
}

OpCase MakeCase(int64_t tokens, int64_t vocabulary, int64_t d) {
  const std::vector<int32_t> ids = DrawIds(tokens, vocabulary, static_cast<uint64_t>(tokens));
  OpCase op;
  op.name = "embedding/" + std::to_string(tokens) + "x" + std::to_string(vocabulary) + "x" +
            std::to_string(d);
  op.inputs = {
      {.name = "table", .shape = {vocabulary, d}, .role = Role::kMaster, .accumulated = true}};
  op.outputs = {{.name = "y", .shape = {tokens, d}}};
  op.forward = [ids](Context& ctx, const Views& in, const Views& out) {
    Embedding(ctx, in[0], ids, out[0]);
  };
  op.reference = [ids, d](const Arrays& in, Arrays& out) {
    for (size_t i = 0; i < out[0].size(); ++i) {
      const size_t row = i / static_cast<size_t>(d), column = i % static_cast<size_t>(d);
      out[0][i] = in[0][static_cast<size_t>(ids[row]) * static_cast<size_t>(d) + column];
    }
  };
  op.backward = [ids](Context& ctx, const Views&, const Views&, const Views& dout,
                      const Views& din) { EmbeddingGrad(ctx, dout[0], ids, din[0]); };
  op.forward_bytes = static_cast<double>(tokens * d) * 8;
  op.backward_bytes = static_cast<double>(tokens * d) * 12;
  return op;
}

// A table in the compute dtype, as the halves of split weights are read. It has no gradient.
OpCase ComputeTableCase(int64_t tokens, int64_t vocabulary, int64_t d) {
  OpCase op = MakeCase(tokens, vocabulary, d);
  op.name += "/compute_table";
  op.inputs[0] = {.name = "table", .shape = {vocabulary, d}, .constant = true};
  op.backward = nullptr;
  return op;
}

}  // namespace

std::vector<OpCase> EmbeddingCases() {
  return {MakeCase(50, 11, 7), MakeCase(300, 1000, 64),      MakeCase(0, 4, 8),
          MakeCase(1, 1, 1),   ComputeTableCase(40, 30, 16), ComputeTableCase(9, 30, 5)};
}

std::vector<OpCase> EmbeddingTimings() { return {MakeCase(4096, 250112, 512)}; }

}  // namespace frond::testing
