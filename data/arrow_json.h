// Values of Arrow columns as JSON and as text. Private to data/.
#pragma once

#include <arrow/api.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace frond {

// Whether a column can be an Example's text: strings, numbers, booleans, and dictionaries of them.
bool ArrowIsText(const arrow::DataType& type);

// Whether values become JSON: those, and lists, structs and maps of what does. Bytes do not.
bool ArrowIsReadable(const arrow::DataType& type);

// Value `i` of an array, nested values as they are; dates, times and decimals as Arrow writes them,
// maps as lists of {"key": ..., "value": ...}. Only for types that are readable. Invalid UTF-8 is
// an error.
absl::Status ArrowJson(const arrow::Array& array, int64_t i, nlohmann::json* value);
absl::Status ArrowJson(const arrow::Array& array, int64_t i, nlohmann::ordered_json* value);

// Value `i` of an array of a text type; empty where it is null.
absl::StatusOr<std::string> ArrowText(const arrow::Array& array, int64_t i);

}  // namespace frond
