// The two passes of Adafactor over a parameter with a full second moment: vectors and small tables.
// No result depends on the number of threads.
#pragma once

#include <cstdint>

#include "core/ops/cpu/master_access.h"
#include "core/ops/cpu/update_sums.h"

namespace frond::cpu {

struct SecondMomentStep {
  double decay = 0;           // v = decay v + (1 - decay) ((scale g)^2 + epsilon)
  double gradient_scale = 1;  // scale
  double epsilon = 0;
};

// Updates v; the update that is summed is scale g / sqrt(v).
template <class T>
UpdateSums UpdateSecondMoment(const T* g, const MasterAccess<T>& p, int64_t n,
                              const SecondMomentStep& step, T* v);

// p = keep p - scale g / sqrt(v).
template <class T>
void ApplyUnfactored(const T* g, const T* v, int64_t n, double scale, double keep,
                     const MasterAccess<T>& p);

}  // namespace frond::cpu
