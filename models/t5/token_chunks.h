// Cutting one side of a batch into chunks of whole segments, so that a block's activations exist
// for one chunk at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "models/t5/token_layout.h"

namespace frond {

// A run of whole segments with offsets that begin at 0 in the chunk's first token. Its spans point
// into itself and, for the keys, into the layout it was cut from.
struct LayoutSlice {
  int64_t first = 0;  // token of the whole layout
  std::vector<int32_t> begin, end;
  TokenLayout layout;
  int64_t end_token() const { return first + layout.num_tokens; }
};

struct TokenChunk {
  LayoutSlice own;
  LayoutSlice memory;  // the same segments of the encoder's side; empty where there is none
};

// Chunks in order, covering every token. Segments lie end to end; `memory` (may be null) has as
// many as `own`. A chunk has at most `max_tokens` tokens on either side, unless it is a single
// segment (with empty ones behind it); 0: no limit. Among all cuts into as few chunks one whose
// largest chunk is smallest is taken.
std::vector<TokenChunk> CutIntoChunks(const TokenLayout& own, const TokenLayout* memory,
                                      int64_t max_tokens);

}  // namespace frond
