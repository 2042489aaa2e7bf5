// The model and tokenizer that a config names.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "data/tokenizer.h"
#include "dist/process_mesh.h"
#include "models/t5/t5_model.h"

namespace frond {

// The SentencePiece file of a model folder: spiece.model, sentencepiece.model, tokenizer.model or
// sentencepiece.bpe.model.
absl::StatusOr<std::string> FindTokenizerFile(const std::string& model_folder);

// data.tokenizer, or else the tokenizer in model.path. One that cannot end a sentence is refused.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const config::TrainConfig& config);

// The architecture: read from model.path, or the preset with the fields of model.shape over it, or
// the shape alone. A tokenizer larger than the vocabulary is an error.
absl::StatusOr<T5Config> ResolveT5Config(const config::Model& model, const Tokenizer& tokenizer);

// The architecture for a plan, which needs no tokenizer unless the vocabulary's size is its alone.
absl::StatusOr<T5Config> PlannedT5Config(const config::TrainConfig& config);

// Compute dtype, residual and recomputation.
T5Options ResolveT5Options(const config::Model& model);

// Where a rank's parts of a model lie.
struct ModelPlace {
  TensorAxis tensor;
  AxisPlace shards;  // of the masters
};

// On the ranks of `mesh` as its config asks for it. `axis` is the mesh's tensor axis.
ModelPlace PlaceOnMesh(const config::Mesh& config, ProcessMesh& mesh, const TensorAxis& axis);

// A model whose weights are read from model.path or, where there is none, drawn from `seed`; ready
// for products once its weights are complete (dist/weight_shards.h). A tensor axis whose size does
// not divide the model is an error.
absl::StatusOr<std::unique_ptr<T5Model>> BuildModel(Context& ctx, const config::Model& model,
                                                    const T5Config& t5, uint64_t seed,
                                                    const ModelPlace& place = {});

}  // namespace frond
