// exp for loops that the compiler vectorises.
#pragma once

#include <bit>
#include <cstdint>

namespace frond::cpu {

// exp(x) for x <= 88 with a relative error below 2e-7; x below -87 gives exp(-87). NaN stays NaN.
// Splits x = n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite, 1980), and takes a polynomial of r.
inline float VectorExp(float x) {
  constexpr float kShifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + kShifter;
  const float n = shifted - kShifter;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(power);
}

}  // namespace frond::cpu
