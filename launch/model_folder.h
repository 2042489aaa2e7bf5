// A model folder with its tokenizer, read for use without training.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "models/t5/t5_model.h"

namespace frond {

struct ModelFolder {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<T5Model> model;  // ready for products
};

// Reads a checkpoint or Hugging Face folder. A tokenizer larger than the vocabulary is an error.
absl::StatusOr<ModelFolder> ReadModelFolder(Context& ctx, const std::string& folder, DType compute);

// f32 or bf16, as flags spell them.
absl::StatusOr<DType> ParseComputeType(const std::string& name);

}  // namespace frond
