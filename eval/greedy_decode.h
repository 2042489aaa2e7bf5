// Greedy generation for a batch of sources.
#pragma once

#include <cstdint>
#include <vector>

#include "models/t5/t5_model.h"

namespace frond {

// The most probable next token, again and again, until end-of-sequence or `max_new_tokens`. Returns
// the tokens of every sequence without the end-of-sequence id. Targets in the batch are ignored.
std::vector<std::vector<int32_t>> GreedyDecode(Context& ctx, T5Model& model, const Batch& sources,
                                               int64_t max_new_tokens);

}  // namespace frond
