// Short runs of master weights as floats and back, vectorised.
#pragma once

#include <cstdint>

#include "core/ops/master.h"

namespace frond::cpu {

// The halves of x[i]; i < n. `low` may be null.
void SplitRun(const float* x, int64_t n, BFloat16* high, int16_t* low);

// x[i] from its halves; i < n.
void JoinRun(const BFloat16* high, const int16_t* low, int64_t n, float* x);

// y[i] = x[i] rounded stochastically with the bits of the part's element begin + i; i < n.
void StochasticPart(const float* x, uint64_t key, const ElementNumbers& numbers, int64_t begin,
                    int64_t n, BFloat16* y);

}  // namespace frond::cpu
