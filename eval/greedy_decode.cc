#include "eval/greedy_decode.h"

#include "core/ops/argmax.h"
#include "models/t5/incremental_decoder.h"

namespace frond {

std::vector<std::vector<int32_t>> GreedyDecode(Context& ctx, T5Model& model, const Batch& sources,
                                               int64_t max_new_tokens) {
  std::vector<std::vector<int32_t>> outputs(static_cast<size_t>(sources.num_examples()));
  if (outputs.empty() || max_new_tokens <= 0) return outputs;
  IncrementalDecoder decoder(ctx, model, sources, max_new_tokens);
  std::vector<int32_t> active, ids;
  for (int64_t i = 0; i < sources.num_examples(); ++i) {
    active.push_back(static_cast<int32_t>(i));
    ids.push_back(model.config().decoder_start_token_id);
  }
  while (!active.empty() && decoder.position() < max_new_tokens) {
    const Tensor logits = decoder.Step(ctx, active, ids);
    const std::vector<int32_t> best = ArgMaxRows(ctx, logits);
    std::vector<int32_t> still_active, next_ids;
    for (size_t i = 0; i < active.size(); ++i) {
      if (best[i] == model.config().eos_token_id) continue;
      outputs[active[i]].push_back(best[i]);
      still_active.push_back(active[i]);
      next_ids.push_back(best[i]);
    }
    active = std::move(still_active);
    ids = std::move(next_ids);
  }
  return outputs;
}

}  // namespace frond
