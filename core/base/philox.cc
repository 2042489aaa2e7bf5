#include "core/base/philox.h"

#include <cmath>
#include <numbers>

#include "core/base/hash.h"

namespace frond {
namespace {

// 53 random bits as a double in [0, 1).
double ToUnit(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 21) ^ (low >> 11)) * 0x1.0p-53;
}

}  // namespace

double NormalAt(uint64_t key, uint64_t index) {
  const auto bits = Philox(key, index, 1);
  const double u = 1.0 - ToUnit(bits[0], bits[1]);  // in (0, 1], so that the logarithm is finite
  const double angle = 2.0 * std::numbers::pi * ToUnit(bits[2], bits[3]);
  return std::sqrt(-2.0 * std::log(u)) * std::cos(angle);
}

double UniformAt(uint64_t key, uint64_t index) {
  const auto bits = Philox(key, index, 2);
  return ToUnit(bits[0], bits[1]);
}

uint64_t KeyFromText(absl::string_view text) { return Hash64(text); }

}  // namespace frond
