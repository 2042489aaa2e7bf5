// Reading a T5 model from a Hugging Face folder: config.json and safetensors.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/t5/t5_model.h"

namespace frond {

// The architecture of the model in `folder`. Whether the head is tied is read off the weights.
absl::StatusOr<T5Config> ReadT5Config(const std::string& folder);

// Allocates the model's parameters and fills them from the weights in `folder`.
absl::Status LoadT5Weights(Context& ctx, const std::string& folder, T5Model& model);

}  // namespace frond
