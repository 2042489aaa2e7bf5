#include "launch/model_builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "models/t5/t5_folder.h"

namespace frond {
namespace {

constexpr int64_t kVocabularyUnit = 64;

void ApplyShape(const config::T5Shape& shape, T5Config& t5) {
  if (shape.has_vocab_size()) t5.vocab_size = shape.vocab_size();
  if (shape.has_d_model()) t5.d_model = shape.d_model();
  if (shape.has_d_kv()) t5.d_kv = shape.d_kv();
  if (shape.has_d_ff()) t5.d_ff = shape.d_ff();
  if (shape.has_num_heads()) t5.num_heads = shape.num_heads();
  if (shape.has_num_layers()) t5.num_layers = t5.num_decoder_layers = shape.num_layers();
  if (shape.has_num_decoder_layers()) t5.num_decoder_layers = shape.num_decoder_layers();
  if (shape.has_tied_head()) t5.tied_head = t5.scale_decoder_output = shape.tied_head();
  // Transformers scales the decoder's output in T5 only.
  if (t5.tied_head) t5.model_type = "t5";
}

absl::StatusOr<T5Config> FreshConfig(const config::Model& model, const Tokenizer& tokenizer) {
  T5Config t5;
  if (model.has_preset()) {
    ASSIGN_OR_RETURN(t5, T5Preset(model.preset()));
  } else {
    t5.vocab_size =
        (tokenizer.vocab_size() + kVocabularyUnit - 1) / kVocabularyUnit * kVocabularyUnit;
  }
  ApplyShape(model.shape(), t5);
  t5.pad_token_id = t5.decoder_start_token_id = tokenizer.pad_id();
  t5.eos_token_id = tokenizer.eos_id();
  return t5;
}

absl::Status CheckCrossAttention(Context& ctx, const T5Config& t5, const T5Options& options) {
  if (options.cross_attention == AttentionEngine::kFrond) return absl::OkStatus();
  const auto heads = static_cast<int>(options.tensor.Part(t5.num_heads));
  const absl::Status status =
      CheckCudnnAttention(ctx, options.projected(), heads, static_cast<int>(t5.d_kv));
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("model.cross_attention is CUDNN, but ",
                                                  std::string(status.message())));
}

}  // namespace

absl::StatusOr<std::string> FindTokenizerFile(const std::string& model_folder) {
  for (const char* name :
       {"spiece.model", "sentencepiece.model", "tokenizer.model", "sentencepiece.bpe.model"}) {
    const std::string path = JoinPath(model_folder, name);
    if (PathExists(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat("no SentencePiece model (spiece.model) in '",
                                          model_folder, "'; name one in data.tokenizer"));
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const config::TrainConfig& config) {
  std::string path = config.data().tokenizer();
  if (path.empty()) {
    if (config.model().path().empty()) {
      return absl::InvalidArgumentError(
          "data.tokenizer is missing: a fresh model needs a SentencePiece model file");
    }
    ASSIGN_OR_RETURN(path, FindTokenizerFile(config.model().path()));
  }
  ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Load(path));
  if (tokenizer->eos_id() < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": this model has no end-of-sequence piece (such as </s>), which training needs"));
  }
  return tokenizer;
}

absl::StatusOr<T5Config> ResolveT5Config(const config::Model& model, const Tokenizer& tokenizer) {
  T5Config t5;
  if (!model.path().empty()) {
    ASSIGN_OR_RETURN(t5, ReadT5Config(model.path()));
  } else {
    ASSIGN_OR_RETURN(t5, FreshConfig(model, tokenizer));
  }
  RETURN_IF_ERROR(ValidateT5Config(t5));
  if (tokenizer.vocab_size() > t5.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tokenizer ", tokenizer.name(), " has ", tokenizer.vocab_size(),
                     " pieces, more than the model's vocabulary of ", t5.vocab_size));
  }
  if (tokenizer.eos_id() != t5.eos_token_id) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tokenizer ", tokenizer.name(), " ends sequences with id ",
                     tokenizer.eos_id(), ", the model in ", model.path(), " with ", t5.eos_token_id,
                     "; its answers would never end: use the model's own tokenizer"));
  }
  t5.dropout_rate = model.dropout();
  return t5;
}

absl::StatusOr<T5Config> PlannedT5Config(const config::TrainConfig& config) {
  const config::Model& model = config.model();
  T5Config t5;
  if (!model.path().empty()) {
    ASSIGN_OR_RETURN(t5, ReadT5Config(model.path()));
  } else if (model.has_preset() || model.shape().has_vocab_size()) {
    if (model.has_preset()) {
      ASSIGN_OR_RETURN(t5, T5Preset(model.preset()));
    }
    ApplyShape(model.shape(), t5);
  } else {
    ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(config));
    return ResolveT5Config(model, *tokenizer);
  }
  RETURN_IF_ERROR(ValidateT5Config(t5));
  t5.dropout_rate = model.dropout();
  return t5;
}

T5Options ResolveT5Options(const config::Model& model) {
  T5Options options = {.compute = model.compute() == config::BF16 ? DType::kBF16 : DType::kF32,
                       .f32_residual = model.f32_residual(),
                       .f32_activations = model.f32_activations()};
  if (model.masters() == config::Model::SPLIT) options.masters = MasterFormat::kSplit;
  if (model.masters() == config::Model::BF16_STOCHASTIC) {
    options.masters = MasterFormat::kStochastic;
  }
  options.recompute.max_chunk_tokens = model.chunk_tokens();
  if (model.cross_attention() == config::Model::CUDNN) {
    options.cross_attention = AttentionEngine::kCudnn;
  }
  switch (model.recompute()) {
    case config::NONE:
      options.recompute.mode = RecomputeMode::kNone;
      break;
    case config::SELECTIVE:
      options.recompute.mode = RecomputeMode::kSelective;
      break;
    case config::BLOCK:
      options.recompute.mode = RecomputeMode::kBlock;
      break;
  }
  return options;
}

ModelPlace PlaceOnMesh(const config::Mesh& config, ProcessMesh& mesh, const TensorAxis& axis) {
  ModelPlace place = {.tensor = axis};
  if (config.zero_stage() == 2) {
    place.shards = {.rank = mesh.data().rank(), .size = mesh.data().size()};
  }
  return place;
}

absl::StatusOr<std::unique_ptr<T5Model>> BuildModel(Context& ctx, const config::Model& model,
                                                    const T5Config& t5, uint64_t seed,
                                                    const ModelPlace& place) {
  RETURN_IF_ERROR(CheckTensorAxis(t5, place.tensor.size()));
  T5Options options = ResolveT5Options(model);
  options.tensor = place.tensor;
  options.shards = place.shards;
  RETURN_IF_ERROR(CheckCrossAttention(ctx, t5, options));
  auto built = std::make_unique<T5Model>(t5, options);
  if (!model.path().empty()) {
    RETURN_IF_ERROR(LoadT5Weights(ctx, model.path(), *built));
  } else {
    built->params().Initialize(ctx, seed);
  }
  return built;
}

}  // namespace frond
