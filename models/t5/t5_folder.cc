#include "models/t5/t5_folder.h"

#include "checkpoint/hf_weights.h"
#include "checkpoint/load_params.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr char kConfigFile[] = "config.json";

// Older files give cross-attention a table of relative positions, which no version has ever used.
constexpr char kUnusedTable[] =
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

// Also names under which older files repeat the shared embedding.
LoadOptions T5LoadOptions(bool tied_head) {
  LoadOptions options = {.aliases = {{"encoder.embed_tokens.weight", "shared.weight"},
                                     {"decoder.embed_tokens.weight", "shared.weight"}},
                         .ignored = {kUnusedTable}};
  if (tied_head) options.aliases.push_back({"lm_head.weight", "shared.weight"});
  return options;
}

}  // namespace

absl::StatusOr<T5Config> ReadT5Config(const std::string& folder) {
  const std::string path = JoinPath(folder, kConfigFile);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(T5Config config, T5ConfigFromJson(text, path));
  ASSIGN_OR_RETURN(const HfWeights weights, HfWeights::Open(folder));
  config.tied_head = weights.Find("lm_head.weight") == nullptr;
  return config;
}

absl::Status LoadT5Weights(Context& ctx, const std::string& folder, T5Model& model) {
  ASSIGN_OR_RETURN(const HfWeights weights, HfWeights::Open(folder));
  model.params().Allocate(ctx);
  return LoadParams(weights, model.params(), T5LoadOptions(model.config().tied_head));
}

}  // namespace frond
