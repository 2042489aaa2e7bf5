#include "models/t5/token_chunks.h"

#include <algorithm>

#include "core/base/check.h"

namespace frond {
namespace {

// Tokens of segments [from, to).
int64_t Tokens(const TokenLayout& layout, size_t from, size_t to) {
  return from < to ? int64_t{layout.end[to - 1]} - layout.begin[from] : 0;
}

// Where chunks of at most `limit` tokens begin, filled one after the other; ends with the number of
// segments.
std::vector<size_t> Cuts(const TokenLayout& own, const TokenLayout* memory, int64_t limit) {
  const size_t segments = own.begin.size();
  std::vector<size_t> cuts = {0};
  for (size_t s = 1; s < segments; ++s) {
    // No chunk begins with what fills up one side only: the other might have no token at all.
    if (Tokens(own, s, s + 1) == 0) continue;
    if (memory != nullptr && Tokens(*memory, s, s + 1) == 0) continue;
    const size_t from = cuts.back();
    const int64_t tokens = std::max(Tokens(own, from, s + 1),
                                    memory != nullptr ? Tokens(*memory, from, s + 1) : int64_t{0});
    if (tokens > limit) cuts.push_back(s);
  }
  cuts.push_back(segments);
  return cuts;
}

// The smallest limit that needs no more chunks than `limit` does.
int64_t EvenLimit(const TokenLayout& own, const TokenLayout* memory, int64_t limit) {
  const size_t fewest = Cuts(own, memory, limit).size();
  int64_t low = 0, high = limit;  // low is too small, or the answer is high
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (Cuts(own, memory, middle).size() > fewest ? low : high) = middle;
  }
  return high;
}

LayoutSlice Slice(const TokenLayout& layout, size_t from, size_t to) {
  LayoutSlice slice;
  slice.first = from < to ? layout.begin[from] : layout.num_tokens;
  const auto first = static_cast<int32_t>(slice.first);
  for (size_t s = from; s < to; ++s) {
    CHECK(s == from || layout.begin[s] == layout.end[s - 1]) << "segment " << s << " leaves a gap";
    slice.begin.push_back(layout.begin[s] - first);
    slice.end.push_back(layout.end[s] - first);
  }
  const int64_t tokens = Tokens(layout, from, to);
  slice.layout = {
      .begin = slice.begin, .end = slice.end, .num_tokens = tokens, .axis = layout.axis};
  if (!layout.token_keys.empty()) {
    slice.layout.token_keys =
        layout.token_keys.subspan(static_cast<size_t>(slice.first), static_cast<size_t>(tokens));
  }
  return slice;
}

}  // namespace

std::vector<TokenChunk> CutIntoChunks(const TokenLayout& own, const TokenLayout* memory,
                                      int64_t max_tokens) {
  const size_t segments = own.begin.size();
  if (memory != nullptr) CHECK_EQ(memory->begin.size(), segments);
  std::vector<size_t> cuts = {0, segments};
  if (max_tokens > 0) cuts = Cuts(own, memory, EvenLimit(own, memory, max_tokens));
  std::vector<TokenChunk> chunks;
  for (size_t c = 0; c + 1 < cuts.size(); ++c) {
    TokenChunk& chunk = chunks.emplace_back();
    chunk.own = Slice(own, cuts[c], cuts[c + 1]);
    if (memory != nullptr) chunk.memory = Slice(*memory, cuts[c], cuts[c + 1]);
  }
  return chunks;
}

}  // namespace frond
