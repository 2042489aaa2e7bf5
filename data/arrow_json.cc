#include "data/arrow_json.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/message_text.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

using Type = arrow::Type;

// Others keep more than text needs.
template <class Json>
Json JsonOfFloat(float value) {
  if (!std::isfinite(value)) return Json(nullptr);
  // The shortest decimal that reads back, not the binary value's many digits.
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text) - 1, value).ptr;
  *end = '\0';
  return Json(std::strtod(text, nullptr));
}

template <class ArrayType>
auto ValueAt(const arrow::Array& array, int64_t i) {
  return static_cast<const ArrayType&>(array).Value(i);
}

template <class ArrayType, class Json>
absl::Status StringAt(const arrow::Array& array, int64_t i, Json* value) {
  const auto text = static_cast<const ArrayType&>(array).GetView(i);
  RETURN_IF_ERROR(CheckUtf8(absl::string_view(text.data(), text.size())));
  *value = std::string(text);
  return absl::OkStatus();
}

template <class Json>
absl::Status Convert(const arrow::Array& array, int64_t i, Json* value);

template <class Json>
absl::Status ConvertRange(const arrow::Array& values, int64_t begin, int64_t end, Json* list) {
  *list = Json::array();
  for (int64_t k = begin; k < end; ++k) {
    Json element;
    RETURN_IF_ERROR(Convert(values, k, &element));
    list->push_back(std::move(element));
  }
  return absl::OkStatus();
}

template <class ListArray, class Json>
absl::Status ConvertList(const arrow::Array& array, int64_t i, Json* list) {
  const auto& lists = static_cast<const ListArray&>(array);
  const int64_t begin = lists.value_offset(i);
  return ConvertRange(*lists.values(), begin, begin + lists.value_length(i), list);
}

template <class Json>
absl::Status ConvertStruct(const arrow::Array& array, int64_t i, Json* object) {
  const auto& structs = static_cast<const arrow::StructArray&>(array);
  *object = Json::object();
  for (int f = 0; f < structs.num_fields(); ++f) {
    RETURN_IF_ERROR(
        Convert(*structs.field(f), i, &(*object)[structs.struct_type()->field(f)->name()]));
  }
  return absl::OkStatus();
}

template <class Json>
absl::Status ConvertNested(const arrow::Array& array, int64_t i, Json* value) {
  switch (array.type_id()) {
    case Type::DICTIONARY: {
      const auto& codes = static_cast<const arrow::DictionaryArray&>(array);
      return Convert(*codes.dictionary(), codes.GetValueIndex(i), value);
    }
    case Type::LIST:
    case Type::MAP:
      return ConvertList<arrow::ListArray>(array, i, value);
    case Type::LARGE_LIST:
      return ConvertList<arrow::LargeListArray>(array, i, value);
    case Type::FIXED_SIZE_LIST:
      return ConvertList<arrow::FixedSizeListArray>(array, i, value);
    case Type::STRUCT:
      return ConvertStruct(array, i, value);
    default:
      break;
  }
  const auto scalar = array.GetScalar(i);
  if (!scalar.ok()) return absl::InternalError(scalar.status().message());
  *value = (*scalar)->ToString();
  return absl::OkStatus();
}

template <class Json>
absl::Status Convert(const arrow::Array& array, int64_t i, Json* value) {
  if (array.IsNull(i)) {
    *value = nullptr;
    return absl::OkStatus();
  }
  switch (array.type_id()) {
    case Type::STRING:
      return StringAt<arrow::StringArray>(array, i, value);
    case Type::LARGE_STRING:
      return StringAt<arrow::LargeStringArray>(array, i, value);
    case Type::STRING_VIEW:
      return StringAt<arrow::StringViewArray>(array, i, value);
    case Type::BOOL:
      *value = ValueAt<arrow::BooleanArray>(array, i);
      break;
    case Type::INT8:
      *value = ValueAt<arrow::Int8Array>(array, i);
      break;
    case Type::INT16:
      *value = ValueAt<arrow::Int16Array>(array, i);
      break;
    case Type::INT32:
      *value = ValueAt<arrow::Int32Array>(array, i);
      break;
    case Type::INT64:
      *value = ValueAt<arrow::Int64Array>(array, i);
      break;
    case Type::UINT8:
      *value = ValueAt<arrow::UInt8Array>(array, i);
      break;
    case Type::UINT16:
      *value = ValueAt<arrow::UInt16Array>(array, i);
      break;
    case Type::UINT32:
      *value = ValueAt<arrow::UInt32Array>(array, i);
      break;
    case Type::UINT64:
      *value = ValueAt<arrow::UInt64Array>(array, i);
      break;
    case Type::FLOAT:
      *value = JsonOfFloat<Json>(ValueAt<arrow::FloatArray>(array, i));
      break;
    case Type::DOUBLE:
      *value = ValueAt<arrow::DoubleArray>(array, i);
      break;
    default:
      return ConvertNested(array, i, value);
  }
  return absl::OkStatus();
}

}  // namespace

bool ArrowIsText(const arrow::DataType& type) {
  switch (type.id()) {
    case Type::DICTIONARY:
      return ArrowIsText(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case Type::STRING:
    case Type::LARGE_STRING:
    case Type::STRING_VIEW:
    case Type::BOOL:
    case Type::NA:
    case Type::FLOAT:
    case Type::DOUBLE:
      return true;
    default:
      return arrow::is_integer(type.id());
  }
}

bool ArrowIsReadable(const arrow::DataType& type) {
  if (ArrowIsText(type) || arrow::is_temporal(type.id()) || arrow::is_decimal(type.id())) {
    return true;
  }
  const bool is_nested = type.id() == Type::LIST || type.id() == Type::LARGE_LIST ||
                         type.id() == Type::FIXED_SIZE_LIST || type.id() == Type::STRUCT ||
                         type.id() == Type::MAP;
  if (!is_nested) return false;
  for (const auto& field : type.fields()) {
    if (!ArrowIsReadable(*field->type())) return false;
  }
  return true;
}

absl::Status ArrowJson(const arrow::Array& array, int64_t i, nlohmann::json* value) {
  return Convert(array, i, value);
}

absl::Status ArrowJson(const arrow::Array& array, int64_t i, nlohmann::ordered_json* value) {
  return Convert(array, i, value);
}

absl::StatusOr<std::string> ArrowText(const arrow::Array& array, int64_t i) {
  nlohmann::json value;
  RETURN_IF_ERROR(Convert(array, i, &value));
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace frond
