// Element types as safetensors files spell them, and their conversion from and to tensors in
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "core/tensor/tensor.h"

namespace frond {

enum class StoredType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
  kC64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
};

// "F32", "BF16", ...
absl::string_view StoredTypeName(StoredType type);
std::optional<StoredType> ParseStoredType(absl::string_view name);
size_t StoredTypeSize(StoredType type);

// The file's spelling of a dtype in memory.
StoredType StoredTypeOf(DType dtype);

// Whether DecodeElements can fill a tensor of `to` from elements of `from`: any of F64, F32, F16,
// BF16 to f64, f32, bf16; I32 to i32.
bool CanDecode(StoredType from, DType to);

// Fills `out` from as many elements at `bytes`, which need not be aligned. Narrowing rounds to
// nearest, ties to even; F64 goes to bf16 by way of f32. CHECKs CanDecode.
void DecodeElements(StoredType from, const char* bytes, View out);

// Whether EncodeElements can store a tensor of `from` as `to`: f64, f32, bf16 to each other, and
// i32 to I32.
bool CanEncode(DType from, DType to);

// Writes `count` elements of `value`, beginning at element `first`, to `bytes` as `to`, with the
// rounding of DecodeElements. CHECKs CanEncode.
void EncodeElements(ConstView value, int64_t first, int64_t count, DType to, char* bytes);

}  // namespace frond
