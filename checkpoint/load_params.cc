#include "checkpoint/load_params.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/name_list.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

// Of those that a message is about.
constexpr size_t kShownNames = 5;

// The name under which the file holds the parameter; empty if it does not.
std::string StoredName(const HfWeights& weights, const std::string& param,
                       const LoadOptions& options) {
  if (weights.Find(param) != nullptr) return param;
  for (const TensorAlias& alias : options.aliases) {
    if (alias.param == param && weights.Find(alias.stored) != nullptr) return alias.stored;
  }
  return "";
}

absl::Status CheckShape(const HfWeights& weights, const std::string& stored,
                        const NamedTensor& wanted) {
  const std::vector<int64_t>& dims = weights.Find(stored)->dims;
  const Shape shape = wanted.whole_shape();
  const bool same_rank = static_cast<int>(dims.size()) == shape.rank();
  int differing = 0;
  for (int i = 0; same_rank && i < shape.rank(); ++i) {
    differing += dims[static_cast<size_t>(i)] != shape.dim(i) ? 1 : 0;
  }
  if (same_rank && differing == 0) return absl::OkStatus();
  std::string text = absl::StrCat("'", weights.FileOf(stored), "': tensor '", stored, "' is ",
                                  weights.Find(stored)->ShapeToString(), ", but the model wants ",
                                  shape.ToString());
  if (same_rank && shape.rank() == 2 && differing == 1 && dims[0] != shape.dim(0)) {
    absl::StrAppend(&text,
                    "; only the number of rows differs: for an embedding or an output head "
                    "set vocab_size to ",
                    dims[0]);
  }
  return absl::InvalidArgumentError(text);
}

absl::Status MissingError(const HfWeights& weights, const std::vector<std::string>& missing) {
  std::string text = absl::StrCat("model folder '", weights.folder(), "' lacks ", missing.size(),
                                  missing.size() == 1 ? " tensor" : " tensors",
                                  " of the model: ", NameList(missing, kShownNames));
  const std::string nearest = NearestName(missing.front(), weights.names());
  if (!nearest.empty()) absl::StrAppend(&text, " (nearest name there: ", nearest, ")");
  return absl::NotFoundError(text);
}

// An alias that the file holds beside its parameter must say the same.
absl::Status CheckAlias(const HfWeights& weights, const TensorAlias& alias) {
  const SafetensorsEntry* stored = weights.Find(alias.stored);
  const SafetensorsEntry* param = weights.Find(alias.param);
  if (stored == nullptr || param == nullptr) return absl::OkStatus();
  const bool equal =
      stored->type == param->type && stored->dims == param->dims && stored->bytes == param->bytes;
  if (equal) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", weights.FileOf(alias.stored), "': tensor '", alias.stored, "' differs from '",
      alias.param, "', but in this model they are one parameter (wrong tie_word_embeddings?)"));
}

}  // namespace

absl::Status LoadTensors(const HfWeights& weights, std::span<const NamedTensor> tensors,
                         const LoadOptions& options) {
  std::set<std::string> used(options.ignored.begin(), options.ignored.end());
  std::map<std::string, std::string> stored_names;
  std::vector<std::string> missing;
  for (const NamedTensor& tensor : tensors) {
    const std::string stored = StoredName(weights, tensor.name, options);
    if (stored.empty()) {
      missing.push_back(tensor.name);
      continue;
    }
    RETURN_IF_ERROR(CheckShape(weights, stored, tensor));
    stored_names[tensor.name] = stored;
    used.insert(stored);
  }
  if (!missing.empty()) return MissingError(weights, missing);
  for (const TensorAlias& alias : options.aliases) {
    RETURN_IF_ERROR(CheckAlias(weights, alias));
    used.insert(alias.stored);
  }
  std::vector<std::string> extra;
  for (const std::string& name : weights.names()) {
    if (!used.contains(name)) extra.push_back(name);
  }
  if (!extra.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model folder '", weights.folder(), "' has ", extra.size(),
                     extra.size() == 1 ? " tensor" : " tensors",
                     " that the model does not use: ", NameList(extra, kShownNames)));
  }
  for (const NamedTensor& tensor : tensors) {
    RETURN_IF_ERROR(weights.ReadMaster(stored_names[tensor.name], tensor));
  }
  return absl::OkStatus();
}

absl::Status LoadParams(const HfWeights& weights, ParamStore& store, const LoadOptions& options) {
  return LoadTensors(weights, NamedMasters(store), options);
}

std::vector<NamedTensor> NamedMasters(const ParamStore& store) {
  std::vector<NamedTensor> masters;
  for (const std::unique_ptr<Param>& param : store.params()) {
    CHECK(!param->value.empty()) << param->name << " is not allocated";
    const MasterView master = param->master();
    masters.push_back({.name = param->name,
                       .value = master.value,
                       .memory = param->value.memory(),
                       .low = master.low,
                       .part = TensorPart{param->spec.shape, param->owned}});
  }
  return masters;
}

}  // namespace frond
