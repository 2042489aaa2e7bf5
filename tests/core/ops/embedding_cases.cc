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

// The table has rows [first_id, first_id + rows) of the vocabulary; 0 rows: all.
struct Part {
  int64_t first_id = 0, rows = 0;
};

OpCase MakeCase(int64_t tokens, int64_t vocabulary, int64_t d, Part part = {}) {
  const std::vector<int32_t> ids = DrawIds(tokens, vocabulary, static_cast<uint64_t>(tokens));
  OpCase op;
  op.name = "embedding/" + std::to_string(tokens) + "x" + std::to_string(vocabulary) + "x" +
            std::to_string(d);
  if (part.rows > 0) op.name += "/part_from_" + std::to_string(part.first_id);
  const VocabularyPart table = {.first_id = part.first_id, .vocabulary = vocabulary};
  const int64_t first_id = part.first_id, rows = part.rows > 0 ? part.rows : vocabulary;
  op.inputs = {{.name = "table", .shape = {rows, d}, .role = Role::kMaster, .accumulated = true}};
  op.outputs = {{.name = "y", .shape = {tokens, d}}};
  op.forward = [ids, table](Context& ctx, const Views& in, const Views& out) {
    Embedding(ctx, in[0], ids, out[0], table);
  };
  op.reference = [ids, d, rows, first_id](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < std::ssize(out[0]); ++i) {
      const int64_t row = ids[static_cast<size_t>(i / d)] - first_id;
      const bool is_here = 0 <= row && row < rows;
      out[0][static_cast<size_t>(i)] = is_here ? in[0][static_cast<size_t>(row * d + i % d)] : 0;
    }
  };
  op.backward = [ids, table](Context& ctx, const Views&, const Views&, const Views& dout,
                             const Views& din) { EmbeddingGrad(ctx, dout[0], ids, din[0], table); };
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
  return {MakeCase(50, 11, 7),
          MakeCase(300, 1000, 64),
          MakeCase(0, 4, 8),
          MakeCase(1, 1, 1),
          MakeCase(90, 40, 24, {.first_id = 0, .rows = 13}),
          MakeCase(300, 40, 7, {.first_id = 5, .rows = 20}),
          MakeCase(90, 40, 24, {.first_id = 30, .rows = 10}),
          MakeCase(20, 1000, 8, {.first_id = 998, .rows = 1}),
          ComputeTableCase(40, 30, 16),
          ComputeTableCase(9, 30, 5)};
}

std::vector<OpCase> EmbeddingTimings() { return {MakeCase(4096, 250112, 512)}; }

}  // namespace frond::testing
