// Filling the parameters of a model from a Hugging Face folder's weights.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "checkpoint/hf_weights.h"
#include "checkpoint/named_tensor.h"
#include "core/nn/param.h"

namespace frond {

// A second name under which files may hold a parameter, e.g. "encoder.embed_tokens.weight" of
// "shared.weight".
struct TensorAlias {
  std::string stored;
  std::string param;
};

struct LoadOptions {
  // A parameter that is absent under its own name is read from an alias. An alias beside it must
  // hold the same values: a model that ties what the file has apart would compute something else.
  std::vector<TensorAlias> aliases = {};
  // Names that files may hold and that are not read.
  std::vector<std::string> ignored = {};
};

// Reads every tensor, or the part of it that is held, converting dtypes. Errors name what is
// missing, what the file has beyond it, and shapes that differ; the contents of `tensors` are then
// unspecified.
absl::Status LoadTensors(const HfWeights& weights, std::span<const NamedTensor> tensors,
                         const LoadOptions& options);

// The same for the masters of `store`, which must be allocated.
absl::Status LoadParams(const HfWeights& weights, ParamStore& store, const LoadOptions& options);

// The masters of `store`, as far as this rank holds them, in declaration order; they must be
// allocated.
std::vector<NamedTensor> NamedMasters(const ParamStore& store);

}  // namespace frond
