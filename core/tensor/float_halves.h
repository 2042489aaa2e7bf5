// A float as two halves of 16 bits: the high one is the float rounded to bf16, which products read
// as it is, and the low one is what that rounding left out.
//
// high = (bits + 0x8000) >> 16 rounds to nearest and halves away from zero (to even would leave
// 65,537 floats to one of the 2^16 values a low half has), so bits - (high << 16) is a signed
// 16-bit number. NaN alone is cut off instead, that it may not round to another number. Constexpr
// on bits: device code calls these too.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/base/philox.h"
#include "core/tensor/dtype.h"

namespace frond {

constexpr bool IsNanBits(uint32_t bits) { return (bits & 0x7FFFFFFFu) > 0x7F800000u; }

// The bits of a float's high half. NaN stays NaN, made quiet.
constexpr uint16_t HighHalf(uint32_t bits) {
  const uint32_t rounded = (bits + 0x8000u) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>(IsNanBits(bits) ? quiet : rounded);
}

constexpr int16_t LowHalf(uint32_t bits) { return static_cast<int16_t>(bits & 0xFFFFu); }

// The float of these halves: every bit of it, but that a signalling NaN comes back quiet.
constexpr uint32_t JoinHalves(uint16_t high, int16_t low) {
  const uint32_t left_out = static_cast<uint32_t>(static_cast<int32_t>(low));
  const bool is_nan = (high & 0x7FFFu) > 0x7F80u;
  return (uint32_t{high} << 16) + (is_nan ? left_out & 0xFFFFu : left_out);
}

// bf16 at random: up in magnitude with the probability that the 16 bits cut off are of a whole, so
// that the expectation is the float itself. `random`: 16 uniform bits. Infinities and NaN stay.
constexpr uint16_t StochasticHalf(uint32_t bits, uint32_t random) {
  const bool is_finite = (bits & 0x7F800000u) != 0x7F800000u;
  const uint32_t quiet = (bits >> 16) | (IsNanBits(bits) ? 0x40u : 0u);
  return static_cast<uint16_t>(is_finite ? (bits + random) >> 16 : quiet);
}

// 128 bits for StochasticHalf of elements 8 group ... 8 group + 7, two to a word, the first in the
// low half. `key` names the tensor and the step; the constant keeps dropout's bits apart.
constexpr std::array<uint32_t, 4> RoundingBits(uint64_t key, uint64_t group) {
  return Philox(key, group, 0x726F756E64696E67u);
}
constexpr uint32_t RoundingBitsOf(const std::array<uint32_t, 4>& bits, int element_of_group) {
  return (bits[static_cast<size_t>(element_of_group / 2)] >> (16 * (element_of_group % 2))) &
         0xFFFFu;
}

inline BFloat16 BFloat16FromBits(uint16_t bits) {
  BFloat16 value;
  value.bits = bits;
  return value;
}

}  // namespace frond
