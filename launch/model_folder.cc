#include "launch/model_folder.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "launch/model_builder.h"
#include "models/t5/t5_folder.h"

namespace frond {

absl::StatusOr<ModelFolder> ReadModelFolder(Context& ctx, const std::string& folder,
                                            DType compute) {
  ASSIGN_OR_RETURN(const T5Config config, ReadT5Config(folder));
  ASSIGN_OR_RETURN(const std::string file, FindTokenizerFile(folder));
  ModelFolder read;
  ASSIGN_OR_RETURN(read.tokenizer, Tokenizer::Load(file));
  if (read.tokenizer->vocab_size() > config.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tokenizer ", file, " has ", read.tokenizer->vocab_size(),
                     " pieces, more than the model's vocabulary of ", config.vocab_size));
  }
  read.model = std::make_unique<T5Model>(config, T5Options{.compute = compute});
  RETURN_IF_ERROR(LoadT5Weights(ctx, folder, *read.model));
  read.model->params().PrepareCompute(ctx, /*for_training=*/false);
  return read;
}

absl::StatusOr<DType> ParseComputeType(const std::string& name) {
  if (name == "f32") return DType::kF32;
  if (name == "bf16") return DType::kBF16;
  return absl::InvalidArgumentError(
      absl::StrCat("--compute is '", name, "', expected f32 or bf16"));
}

}  // namespace frond
