// A T5 model as a Hugging Face folder: config.json and safetensors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "models/t5/t5_model.h"

namespace frond {

// The architecture of the model in `folder`. Whether the head is tied is read off the weights.
absl::StatusOr<T5Config> ReadT5Config(const std::string& folder);

// Allocates the model's parameters and fills them from the weights in `folder`.
absl::Status LoadT5Weights(Context& ctx, const std::string& folder, T5Model& model);

// Writes config.json and the weights (f32, or bf16) into an existing folder; returns what it wrote.
// Not collective.
absl::StatusOr<std::vector<FileRecord>> WriteT5Folder(const std::string& folder,
                                                      const T5Model& model, DType dtype);

}  // namespace frond
