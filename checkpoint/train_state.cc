#include "checkpoint/train_state.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "checkpoint/safetensors.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kStateFile[] = "train_state/state.json";
constexpr int64_t kFormat = 1;

// The fields of state.json, for the writer and the reader.
template <class State, class Visit>
void VisitFields(State& state, Visit&& visit) {
  visit("step", state.step);
  visit("stream_window", state.stream_window);
  visit("stream_row", state.stream_row);
  visit("examples", state.examples);
  visit("source_tokens", state.source_tokens);
  visit("target_tokens", state.target_tokens);
  visit("seed", state.seed);
  visit("manifest_hash", state.manifest_hash);
  visit("config_hash", state.config_hash);
  visit("counters", state.counters);
  visit("values", state.values);
}

bool Parse(const Json& json, int64_t& value) {
  if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX}) return false;
  if (!json.is_number_integer()) return false;
  value = json.get<int64_t>();
  return true;
}
bool Parse(const Json& json, uint64_t& value) {
  if (!json.is_number_unsigned()) return false;
  value = json.get<uint64_t>();
  return true;
}
bool Parse(const Json& json, double& value) {
  if (!json.is_number()) return false;
  value = json.get<double>();
  return true;
}
bool Parse(const Json& json, std::string& value) {
  if (!json.is_string()) return false;
  value = json.get<std::string>();
  return true;
}
template <class T>
bool Parse(const Json& json, std::map<std::string, T>& map) {
  if (!json.is_object()) return false;
  for (const auto& [key, value] : json.items()) {
    if (!Parse(value, map[key])) return false;
  }
  return true;
}

absl::Status BadState(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", what));
}

absl::Status ReadTensors(const std::string& path, std::span<const NamedTensor> tensors) {
  ASSIGN_OR_RETURN(const auto reader, SafetensorsReader::Open(path));
  std::set<std::string> wanted;
  for (const NamedTensor& tensor : tensors) {
    wanted.insert(tensor.name);
    RETURN_IF_ERROR(reader->ReadMaster(tensor.name, tensor));
  }
  for (const SafetensorsEntry& entry : reader->entries()) {
    if (!wanted.contains(entry.name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", path, "' has a tensor '", entry.name,
          "' that this run has no place for: was it written with another optimizer or model?"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FileRecord> WriteTrainState(const std::string& folder, const TrainState& state) {
  for (const auto& [name, value] : state.values) CHECK(std::isfinite(value)) << name;
  Json json;
  json["format"] = kFormat;
  VisitFields(state, [&](const char* name, const auto& value) { json[name] = value; });
  RETURN_IF_ERROR(CreateDirectories(JoinPath(folder, kTrainStateFolder)));
  return WriteRecordedFile(folder, kStateFile,
                           json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

absl::StatusOr<TrainState> ReadTrainState(const std::string& folder) {
  const std::string path = JoinPath(folder, kStateFile);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return BadState(path, "not a JSON object");
  if (json.value("format", Json()) != kFormat) {
    return BadState(path, absl::StrCat("field format is not ", kFormat));
  }
  TrainState state;
  std::set<std::string> known = {"format"};
  absl::Status status;
  VisitFields(state, [&](const char* name, auto& value) {
    known.insert(name);
    if (!status.ok()) return;
    if (!json.contains(name)) {
      status = BadState(path, absl::StrCat("field ", name, " is missing"));
    } else if (!Parse(json[name], value)) {
      status = BadState(path, absl::StrCat("field ", name, " has the wrong type"));
    }
  });
  RETURN_IF_ERROR(status);
  for (const auto& [key, value] : json.items()) {
    if (!known.contains(key)) return BadState(path, absl::StrCat("unknown field '", key, "'"));
  }
  return state;
}

absl::Status ReadOptimizerState(const std::string& folder, std::span<const NamedTensor> slots) {
  return ReadTensors(JoinPath(folder, kOptimizerFile), slots);
}

bool HasMasters(const std::string& folder) { return PathExists(JoinPath(folder, kMastersFile)); }

absl::Status ReadMasters(const std::string& folder, std::span<const NamedTensor> masters) {
  return ReadTensors(JoinPath(folder, kMastersFile), masters);
}

}  // namespace frond
