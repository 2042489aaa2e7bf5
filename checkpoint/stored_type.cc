#include "checkpoint/stored_type.h"

#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#include "core/base/check.h"

namespace frond {
namespace {

struct TypeRow {
  StoredType type;
  absl::string_view name;
  size_t size;
};

constexpr std::array<TypeRow, 17> kTypes = {{
    {StoredType::kF64, "F64", 8},
    {StoredType::kF32, "F32", 4},
    {StoredType::kF16, "F16", 2},
    {StoredType::kBF16, "BF16", 2},
    {StoredType::kI64, "I64", 8},
    {StoredType::kI32, "I32", 4},
    {StoredType::kI16, "I16", 2},
    {StoredType::kI8, "I8", 1},
    {StoredType::kU64, "U64", 8},
    {StoredType::kU32, "U32", 4},
    {StoredType::kU16, "U16", 2},
    {StoredType::kU8, "U8", 1},
    {StoredType::kBool, "BOOL", 1},
    {StoredType::kC64, "C64", 8},
    {StoredType::kF8E4M3, "F8_E4M3", 1},
    {StoredType::kF8E5M2, "F8_E5M2", 1},
    {StoredType::kF8E8M0, "F8_E8M0", 1},
}};

// IEEE binary16, which no tensor in memory uses.
struct Half {
  uint16_t bits;
};

// Exact: every binary16 is a binary32. Written without branches so that the loop vectorises, and
// without binary32 subnormals so that a flush-to-zero mode cannot change the result.
float ToFloat(Half half) {
  const uint32_t sign = (uint32_t{half.bits} & 0x8000u) << 16;
  const uint32_t magnitude = uint32_t{half.bits} & 0x7FFFu;
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = (magnitude << 13) | 0x7F800000u;
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t finite = magnitude < 0x400u ? subnormal : normal;
  return std::bit_cast<float>(sign | (magnitude >= 0x7C00u ? special : finite));
}
float ToFloat(BFloat16 value) { return static_cast<float>(value); }
float ToFloat(float value) { return value; }
float ToFloat(double value) { return static_cast<float>(value); }

template <class To, class From>
To Convert(From value) {
  if constexpr (std::is_same_v<To, From>) return value;
  if constexpr (std::is_same_v<To, double>) return static_cast<double>(ToFloat(value));
  if constexpr (std::is_same_v<To, float>) return ToFloat(value);
  if constexpr (std::is_same_v<To, BFloat16>) return BFloat16(ToFloat(value));
}

// Both sides may be unaligned.
template <class From, class To>
void ConvertRange(const char* from, int64_t count, char* to) {
  if constexpr (std::is_same_v<From, To>) {
    if (count > 0) std::memcpy(to, from, static_cast<size_t>(count) * sizeof(To));
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof(From)), sizeof(From));
    const To converted = Convert<To>(value);
    std::memcpy(to + i * static_cast<int64_t>(sizeof(To)), &converted, sizeof(To));
  }
}

template <class From>
void ConvertTo(DType to, const char* from, int64_t count, char* out) {
  VisitFloatType(to, [&](auto t) { ConvertRange<From, decltype(t)>(from, count, out); });
}

bool IsFloat(DType dtype) { return dtype != DType::kI32 && dtype != DType::kI16; }

}  // namespace

absl::string_view StoredTypeName(StoredType type) { return kTypes[static_cast<size_t>(type)].name; }

std::optional<StoredType> ParseStoredType(absl::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

size_t StoredTypeSize(StoredType type) { return kTypes[static_cast<size_t>(type)].size; }

StoredType StoredTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return StoredType::kF64;
    case DType::kF32:
      return StoredType::kF32;
    case DType::kBF16:
      return StoredType::kBF16;
    case DType::kI32:
      return StoredType::kI32;
    case DType::kI16:
      break;
  }
  CHECK(false) << DTypeName(dtype) << " is not stored as it is";
  return StoredType::kF32;
}

bool CanDecode(StoredType from, DType to) {
  switch (from) {
    case StoredType::kF64:
    case StoredType::kF32:
    case StoredType::kF16:
    case StoredType::kBF16:
      return IsFloat(to);
    case StoredType::kI32:
      return to == DType::kI32;
    default:
      return false;
  }
}

void DecodeElements(StoredType from, const char* bytes, View out) {
  CHECK(CanDecode(from, out.dtype)) << StoredTypeName(from) << " to " << DTypeName(out.dtype);
  char* to = static_cast<char*>(out.data);
  const int64_t count = out.num_elements();
  switch (from) {
    case StoredType::kF64:
      return ConvertTo<double>(out.dtype, bytes, count, to);
    case StoredType::kF32:
      return ConvertTo<float>(out.dtype, bytes, count, to);
    case StoredType::kF16:
      return ConvertTo<Half>(out.dtype, bytes, count, to);
    case StoredType::kBF16:
      return ConvertTo<BFloat16>(out.dtype, bytes, count, to);
    default:
      return ConvertRange<int32_t, int32_t>(bytes, count, to);
  }
}

bool CanEncode(DType from, DType to) {
  return IsFloat(from) ? IsFloat(to) : from == DType::kI32 && to == DType::kI32;
}

void EncodeElements(ConstView value, int64_t first, int64_t count, DType to, char* bytes) {
  CHECK(CanEncode(value.dtype, to)) << DTypeName(value.dtype) << " to " << DTypeName(to);
  CHECK(0 <= first && first + count <= value.num_elements()) << first << " + " << count;
  const char* from =
      static_cast<const char*>(value.data) + first * static_cast<int64_t>(DTypeSize(value.dtype));
  if (value.dtype == DType::kI32) return ConvertRange<int32_t, int32_t>(from, count, bytes);
  VisitFloatType(value.dtype, [&](auto f) { ConvertTo<decltype(f)>(to, from, count, bytes); });
}

}  // namespace frond
