#include "mixtures/weighting.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/check.h"

namespace frond {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kInverseLn2 = 1.44269504088896340736;
constexpr double kLn2 = 0.69314718055994530942;
// |s| <= 0.172 and |r ln 2| <= 0.347 below: what the series leave out is under 1e-19.
constexpr int kLogTerms = 12;
constexpr int kExpTerms = 18;

// log2 of the fraction m in [sqrt(1/2), sqrt(2)): 2 atanh((m - 1) / (m + 1)) / ln 2.
double FractionLog2(double m) {
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double sum = 0;
  for (int k = kLogTerms; k >= 0; --k) sum = sum * square + 1.0 / (2 * k + 1);
  return 2 * s * sum * kInverseLn2;
}

// 2^r for |r| <= 1/2.
double SmallExp2(double r) {
  const double x = r * kLn2;
  double sum = 1;
  for (int k = kExpTerms; k >= 1; --k) sum = 1 + sum * x / k;
  return sum;
}

}  // namespace

double Power(double x, double y) {
  CHECK(std::isfinite(x) && std::isfinite(y) && x >= 0 && y >= 0) << x << "^" << y;
  if (y == 0) return 1;
  if (x == 0 || y == 1) return x;
  int exponent = 0;
  double fraction = std::frexp(x, &exponent);
  if (fraction < kSqrtHalf) {
    fraction *= 2;
    --exponent;
  }
  const double log2 = y * (exponent + FractionLog2(fraction));
  const double whole = std::floor(log2 + 0.5);
  return std::ldexp(SmallExp2(log2 - whole), static_cast<int>(std::clamp(whole, -2000.0, 2000.0)));
}

std::vector<double> Normalized(std::span<const double> weights) {
  std::vector<double> shares(weights.begin(), weights.end());
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (!(total > 0)) return std::vector<double>(shares.size(), 0.0);
  for (double& share : shares) share /= total;
  return shares;
}

std::vector<double> TemperatureShares(std::span<const double> sizes, double temperature) {
  CHECK_GT(temperature, 0);
  const double largest = sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
  std::vector<double> rates;
  rates.reserve(sizes.size());
  // Ratios to the largest: no temperature, however low, overflows.
  for (const double size : sizes) {
    rates.push_back(size > 0 ? Power(size / largest, 1 / temperature) : 0);
  }
  return Normalized(rates);
}

double ExamplesProportionalRate(double size, const ExamplesProportionalRule& rule) {
  CHECK_GT(rule.temperature, 0);
  if (!(size > 0)) return 0;
  double rate = size * rule.scale;
  if (rule.maximum > 0) rate = std::min(rate, rule.maximum);
  return Power(rate, 1 / rule.temperature);
}

std::vector<double> UniMaxAllocation(std::span<const double> sizes, double budget,
                                     double max_epochs) {
  std::vector<size_t> order;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sizes[a] < sizes[b]; });
  std::vector<double> allocation(sizes.size(), 0.0);
  double left = budget;
  for (size_t k = 0; k < order.size(); ++k) {
    const double even = left / static_cast<double>(order.size() - k);
    const double given = std::min(even, max_epochs * sizes[order[k]]);
    allocation[order[k]] = given;
    left -= given;
  }
  return allocation;
}

}  // namespace frond
