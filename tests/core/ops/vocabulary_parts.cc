#include "tests/core/ops/vocabulary_parts.h"

#include <numeric>

#include "core/tensor/transfer.h"

namespace frond::testing {
namespace {

using Chunks = std::vector<std::vector<char>>;

std::vector<char> BytesOf(Context& ctx, ConstView x) {
  std::vector<char> bytes(x.bytes());
  ctx.memory().CopyToHost(x.data, bytes.size(), bytes.data());
  return bytes;
}

}  // namespace

void RunParts(
    const std::vector<int64_t>& rows,
    const std::function<void(const HeadLossParts& parts, int64_t rows, bool is_final)>& run) {
  std::vector<Chunks> recorded(rows.size());
  for (const bool is_final : {false, true}) {
    int64_t first_id = 0;
    for (size_t p = 0; p < rows.size(); ++p) {
      size_t chunk = 0;
      const auto gather = [&](Context& ctx, ConstView own, View all) {
        const std::vector<char> bytes = BytesOf(ctx, own);
        if (!is_final) recorded[p].push_back(bytes);
        CHECK(chunk < recorded[p].size() && recorded[p][chunk] == bytes) << "chunk " << chunk;
        std::vector<char> joined;
        for (const Chunks& part : recorded) {
          const std::vector<char>& told = is_final ? part[chunk] : bytes;
          joined.insert(joined.end(), told.begin(), told.end());
        }
        ++chunk;
        CHECK_EQ(joined.size(), all.bytes());
        ctx.memory().CopyFromHost(joined.data(), joined.size(), all.data);
      };
      const int64_t vocabulary = std::accumulate(rows.begin(), rows.end(), int64_t{0});
      run({.part = {.first_id = first_id, .vocabulary = vocabulary},
           .count = static_cast<int>(rows.size()),
           .gather = gather},
          rows[p], is_final);
      CHECK_EQ(chunk, recorded[p].size());
      first_id += rows[p];
    }
  }
  for (const Chunks& part : recorded) CHECK_EQ(part.size(), recorded.front().size());
}

}  // namespace frond::testing
