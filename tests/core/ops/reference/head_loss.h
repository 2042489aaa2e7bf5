// Softmax cross-entropy of a linear head, one logit at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace frond::testing::reference {

struct HeadLossValue {
  double nll, log_z;
};

// One token: hidden [d], weight [vocabulary, d].
inline HeadLossValue HeadLoss(const double* hidden, const std::vector<double>& weight, int64_t d,
                              int32_t target, double scale) {
  const int64_t vocabulary = static_cast<int64_t>(weight.size()) / d;
  std::vector<long double> logits(static_cast<size_t>(vocabulary));
  for (int64_t v = 0; v < vocabulary; ++v) {
    long double sum = 0;
    for (int64_t i = 0; i < d; ++i) {
      sum += static_cast<long double>(hidden[i]) * weight[static_cast<size_t>(v * d + i)];
    }
    logits[static_cast<size_t>(v)] = scale * sum;
  }
  const long double maximum = *std::max_element(logits.begin(), logits.end());
  long double sum = 0;
  for (const long double logit : logits) sum += std::exp(logit - maximum);
  const long double log_z = maximum + std::log(sum);
  return {static_cast<double>(log_z - logits[static_cast<size_t>(target)]),
          static_cast<double>(log_z)};
}

}  // namespace frond::testing::reference
