// One pass of AdamW over a parameter, bound by memory.
#pragma once

#include <cstdint>

namespace frond {

struct AdamWStep {
  double beta1, beta2;
  double gradient_scale;
  double step_size;    // learning rate / (1 - beta1^t)
  double root_unbias;  // 1 / sqrt(1 - beta2^t)
  double epsilon;
  double keep;  // 1 - learning rate * weight decay
};

// Updates the moments m and v and the parameter p from the gradient g; n elements each.
template <class T>
void ApplyAdamW(const T* g, int64_t n, const AdamWStep& step, T* m, T* v, T* p);

}  // namespace frond
