#include "core/ops/cpu/row_convert.h"

#include <cstring>

#include "core/ops/cpu/vector_clones.h"

namespace frond::cpu {
namespace {

// BFloat16's own conversion, in a form without early exits.
inline uint16_t RoundToBits(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16;
  const uint32_t quiet = (u >> 16) | 0x40u;
  return static_cast<uint16_t>((u & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}

inline float FromBits(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

FROND_VECTOR_CLONES void F32ToBF16(const float* __restrict x, uint16_t* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = RoundToBits(x[i]);
}

FROND_VECTOR_CLONES void BF16ToF32(const uint16_t* __restrict x, float* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = FromBits(x[i]);
}

FROND_VECTOR_CLONES void F32ToF64(const float* __restrict x, double* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i];
}

FROND_VECTOR_CLONES void F64ToF32(const double* __restrict x, float* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

FROND_VECTOR_CLONES void AddF32(float alpha, const float* __restrict x, float* __restrict y,
                                int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += alpha * x[i];
}

FROND_VECTOR_CLONES void AddBF16(float alpha, const uint16_t* __restrict x, float* __restrict y,
                                 int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += alpha * FromBits(x[i]);
}

// No __restrict: in place is allowed, and the vectoriser's own overlap test is cheap.
FROND_VECTOR_CLONES void ScaleF32(float alpha, const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = alpha * x[i];
}

FROND_VECTOR_CLONES void ScaleBF16(float alpha, const uint16_t* __restrict x, float* __restrict y,
                                   int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = alpha * FromBits(x[i]);
}

FROND_VECTOR_CLONES void ScaleF32ToBF16(float alpha, const float* __restrict x,
                                        uint16_t* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = RoundToBits(alpha * x[i]);
}

}  // namespace

void ConvertRun(const float* x, float* y, int64_t n) {
  if (n > 0) std::memmove(y, x, static_cast<size_t>(n) * sizeof(float));
}
void ConvertRun(const BFloat16* x, BFloat16* y, int64_t n) {
  if (n > 0) std::memmove(y, x, static_cast<size_t>(n) * sizeof(BFloat16));
}
void ConvertRun(const double* x, double* y, int64_t n) {
  if (n > 0) std::memmove(y, x, static_cast<size_t>(n) * sizeof(double));
}
void ConvertRun(const float* x, BFloat16* y, int64_t n) {
  F32ToBF16(x, reinterpret_cast<uint16_t*>(y), n);
}
void ConvertRun(const float* x, double* y, int64_t n) { F32ToF64(x, y, n); }
void ConvertRun(const BFloat16* x, float* y, int64_t n) {
  BF16ToF32(reinterpret_cast<const uint16_t*>(x), y, n);
}
void ConvertRun(const BFloat16* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}
void ConvertRun(const double* x, float* y, int64_t n) { F64ToF32(x, y, n); }
void ConvertRun(const double* x, BFloat16* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = BFloat16(static_cast<float>(x[i]));
}

void ScaledRun(float alpha, const float* x, float* y, int64_t n) { ScaleF32(alpha, x, y, n); }
void ScaledRun(float alpha, const BFloat16* x, float* y, int64_t n) {
  ScaleBF16(alpha, reinterpret_cast<const uint16_t*>(x), y, n);
}

void ScaledRun(float alpha, const float* x, BFloat16* y, int64_t n) {
  ScaleF32ToBF16(alpha, x, reinterpret_cast<uint16_t*>(y), n);
}

void AddScaledRun(float alpha, const float* x, float* y, int64_t n) { AddF32(alpha, x, y, n); }
void AddScaledRun(float alpha, const BFloat16* x, float* y, int64_t n) {
  AddBF16(alpha, reinterpret_cast<const uint16_t*>(x), y, n);
}

}  // namespace frond::cpu
