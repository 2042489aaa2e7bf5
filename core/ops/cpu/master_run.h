// Short runs of master weights as floats and back, vectorised.
#pragma once

#include <cstdint>

#include "core/tensor/dtype.h"

namespace frond::cpu {

// The halves of x[i]; i < n. `low` may be null.
void SplitRun(const float* x, int64_t n, BFloat16* high, int16_t* low);

// x[i] from its halves; i < n.
void JoinRun(const BFloat16* high, const int16_t* low, int64_t n, float* x);

// y[i] = x[i] rounded stochastically with the bits of element first + i; i < n.
void StochasticRun(const float* x, uint64_t key, int64_t first, int64_t n, BFloat16* y);

}  // namespace frond::cpu
