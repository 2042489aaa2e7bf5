#include "core/base/human_numbers.h"

#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace frond {
namespace {

// Three significant digits, no exponent, for 0 <= value < 1000.
std::string ThreeDigits(double value) {
  if (value >= 99.95) return absl::StrFormat("%.0f", value);
  if (value >= 9.995) return absl::StrFormat("%.1f", value);
  if (value >= 0.9995 || value == 0) return absl::StrFormat("%.2f", value);
  return absl::StrFormat("%.3f", value);
}

}  // namespace

std::string WithThousands(int64_t value) {
  std::string digits = absl::StrFormat("%d", value);
  const size_t first = value < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string ShortNumber(double value) {
  if (!std::isfinite(value)) return absl::StrFormat("%g", value);
  if (value < 0) return absl::StrCat("-", ShortNumber(-value));
  if (value > 0 && value < 0.001) return absl::StrFormat("%.1e", value);
  constexpr std::array kSuffixes = {"", "k", "M", "B", "T"};
  size_t suffix = 0;
  while (value >= 999.5 && suffix + 1 < kSuffixes.size()) {
    value /= 1000;
    ++suffix;
  }
  return ThreeDigits(value) + kSuffixes[suffix];
}

std::string HumanBytes(int64_t bytes) {
  if (bytes < 0) return absl::StrCat("-", HumanBytes(-bytes));
  if (bytes < 1024) return absl::StrFormat("%d B", bytes);
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return ThreeDigits(value) + " " + kUnits[unit];
}

std::string HumanDuration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const int64_t total = std::llround(seconds);
  const int64_t minutes = total / 60, hours = minutes / 60, days = hours / 24;
  if (days > 0) return absl::StrFormat("%dd %02dh", days, hours % 24);
  if (hours > 0) return absl::StrFormat("%dh %02dm", hours, minutes % 60);
  if (minutes > 0) return absl::StrFormat("%dm %02ds", minutes, total % 60);
  return absl::StrFormat("%ds", total);
}

std::string Percent(double share) { return absl::StrFormat("%.1f%%", 100 * share); }

}  // namespace frond
