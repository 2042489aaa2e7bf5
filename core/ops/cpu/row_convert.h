// Vectorised conversion of short runs of elements between the floating dtypes.
#pragma once

#include <cstdint>

#include "core/tensor/dtype.h"

namespace frond::cpu {

// y[i] = x[i] in y's type, round to nearest even; i < n.
void ConvertRun(const float* x, float* y, int64_t n);
void ConvertRun(const float* x, BFloat16* y, int64_t n);
void ConvertRun(const float* x, double* y, int64_t n);
void ConvertRun(const BFloat16* x, float* y, int64_t n);
void ConvertRun(const BFloat16* x, BFloat16* y, int64_t n);
void ConvertRun(const BFloat16* x, double* y, int64_t n);
void ConvertRun(const double* x, float* y, int64_t n);
void ConvertRun(const double* x, BFloat16* y, int64_t n);
void ConvertRun(const double* x, double* y, int64_t n);

// y[i] = alpha x[i]; i < n. y may be x.
void ScaledRun(float alpha, const float* x, float* y, int64_t n);
void ScaledRun(float alpha, const BFloat16* x, float* y, int64_t n);
void ScaledRun(float alpha, const float* x, BFloat16* y, int64_t n);

// y[i] += alpha x[i]; i < n.
void AddScaledRun(float alpha, const float* x, float* y, int64_t n);
void AddScaledRun(float alpha, const BFloat16* x, float* y, int64_t n);

}  // namespace frond::cpu
