#include "mixtures/share_bounds.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/name_list.h"
#include "core/base/status_macros.h"
#include "mixtures/weighting.h"

namespace frond {
namespace {

constexpr int kMaxSweeps = 5000;
constexpr double kSettled = 1e-15;       // relative change of a factor that ends the sweeps
constexpr double kTolerance = 1e-12;     // by which bounds may add up to more or less than all
constexpr double kLeastFactor = 1e-100;  // beyond it factors run away: no solution
constexpr double kViolation = 1e-10;     // of a bound, after the sweeps: it cannot be met

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

// Bounds that share no item; the factors of all of them and of the whole are found at once.
using Family = std::vector<int>;

class Solver {
 public:
  Solver(std::vector<double> start, std::span<const ShareBound> bounds)
      : p_(std::move(start)), bounds_(bounds), factors_(bounds.size(), 1.0) {}

  absl::StatusOr<BoundedShares> Solve() {
    RETURN_IF_ERROR(RemoveForbidden());
    RETURN_IF_ERROR(CheckQuotas());
    GroupFamilies();
    double moved = families_.empty() ? 0 : 1;
    for (int sweep = 0; sweep < kMaxSweeps && moved > kSettled; ++sweep) {
      moved = 0;
      for (const Family& family : families_) {
        ASSIGN_OR_RETURN(const double change, Meet(family));
        moved = std::max(moved, change);
      }
    }
    RETURN_IF_ERROR(CheckMet());
    return BoundedShares{.probabilities = Normalized(p_), .factors = factors_};
  }

 private:
  double MassOf(int bound) const {
    double mass = 0;
    for (const int item : bounds_[bound].items) mass += p_[item];
    return mass;
  }

  // A bound of nothing at all is met at once and for good.
  absl::Status RemoveForbidden() {
    for (size_t b = 0; b < bounds_.size(); ++b) {
      if (bounds_[b].high > 0) continue;
      for (const int item : bounds_[b].items) p_[item] = 0;
      factors_[b] = 0;
    }
    const std::vector<double> rest = Normalized(p_);
    if (std::all_of(rest.begin(), rest.end(), [](double p) { return p == 0; })) {
      return Invalid("the limits leave nothing: every leaf has a limit of 0");
    }
    p_ = rest;
    return absl::OkStatus();
  }

  absl::Status CheckQuotas() const {
    for (size_t b = 0; b < bounds_.size(); ++b) {
      const ShareBound& bound = bounds_[b];
      if (bound.low > bound.high) {
        return Invalid(absl::StrCat(bound.what, " cannot be met: at least ", bound.low,
                                    " and at most ", bound.high, " of the mixture"));
      }
      if (bound.low > 0 && !(MassOf(static_cast<int>(b)) > 0)) {
        return Invalid(
            absl::StrCat(bound.what, " cannot be met: nothing it holds for has a share"));
      }
    }
    return absl::OkStatus();
  }

  void GroupFamilies() {
    std::vector<std::vector<bool>> taken;
    for (size_t b = 0; b < bounds_.size(); ++b) {
      const ShareBound& bound = bounds_[b];
      if (bound.high <= 0 || !(MassOf(static_cast<int>(b)) > 0)) continue;
      size_t f = 0;
      const auto crosses = [&](const std::vector<bool>& used) {
        return std::any_of(bound.items.begin(), bound.items.end(), [&](int i) { return used[i]; });
      };
      while (f < families_.size() && crosses(taken[f])) ++f;
      if (f == families_.size()) {
        families_.emplace_back();
        taken.emplace_back(p_.size(), false);
      }
      families_[f].push_back(static_cast<int>(b));
      for (const int item : bound.items) taken[f][item] = true;
    }
  }

  std::string Names(const Family& family) const {
    constexpr size_t kNamed = 3;
    std::vector<std::string> names;
    for (const int b : family) names.push_back(bounds_[b].what);
    return NameList(names, kNamed);
  }

  // What a family's bounds hold apart from its own factors, and what none of them holds.
  struct Masses {
    std::vector<double> base;
    double free = 0;
  };

  Masses MassesOf(const Family& family) const {
    Masses masses;
    std::vector<bool> held(p_.size(), false);
    for (const int b : family) {
      masses.base.push_back(MassOf(b) / factors_[b]);
      for (const int item : bounds_[b].items) held[item] = true;
    }
    for (size_t i = 0; i < p_.size(); ++i) masses.free += held[i] ? 0 : p_[i];
    return masses;
  }

  absl::Status CheckRoom(const Family& family, const Masses& masses) const {
    double low = 0, high = 0;
    bool has_rest = masses.free > 0;
    for (const int b : family) {
      low += bounds_[b].low;
      high += bounds_[b].high;
      has_rest = has_rest || bounds_[b].low <= 0;
    }
    if (low > 1 + kTolerance || (has_rest && low > 1 - kTolerance)) {
      return Invalid(absl::StrCat("quotas that cannot be met together, they add up to ", low,
                                  has_rest ? " and leave nothing for the rest: " : ": ",
                                  Names(family)));
    }
    if (!(masses.free > 0) && high < 1 - kTolerance) {
      return Invalid(absl::StrCat("limits that cannot be met together, they allow ", high,
                                  " of the mixture and hold for all of it: ", Names(family)));
    }
    return absl::OkStatus();
  }

  // c with sum_j clamp(c base_j, low_j, high_j) + c free = 1.
  double SolveScale(const Family& family, const Masses& masses) const {
    struct Break {
      double at;
      size_t bound;
      bool reaches_high;  // else it leaves its low
    };
    std::vector<Break> breaks;
    double constant = 0, slope = masses.free, scale = 0;
    for (size_t j = 0; j < family.size(); ++j) {
      const ShareBound& bound = bounds_[family[j]];
      breaks.push_back({bound.low / masses.base[j], j, false});
      breaks.push_back({bound.high / masses.base[j], j, true});
      constant += bound.low;
    }
    std::stable_sort(breaks.begin(), breaks.end(),
                     [](const Break& a, const Break& b) { return a.at < b.at; });
    for (const Break& next : breaks) {
      scale = next.at;
      if (constant + slope * next.at >= 1) break;
      const ShareBound& bound = bounds_[family[next.bound]];
      constant += next.reaches_high ? bound.high : -bound.low;
      slope += next.reaches_high ? -masses.base[next.bound] : masses.base[next.bound];
    }
    return Refined(family, masses, scale, breaks.empty() ? 0 : breaks.back().at);
  }

  // Running sums lose digits: sums once more, afresh, what is linear on the segment that ends at
  // `end` (or, behind the last break, goes on for ever).
  double Refined(const Family& family, const Masses& masses, double end, double last) const {
    double constant = 0, slope = masses.free, reached = 0;
    for (size_t j = 0; j < family.size(); ++j) {
      const ShareBound& bound = bounds_[family[j]];
      reached += std::clamp(end * masses.base[j], bound.low, bound.high);
    }
    const bool behind = end == last && reached + end * masses.free < 1;
    for (size_t j = 0; j < family.size(); ++j) {
      const ShareBound& bound = bounds_[family[j]];
      if (bound.low / masses.base[j] >= end && !behind) {
        constant += bound.low;
      } else if (bound.high / masses.base[j] < end || behind) {
        constant += bound.high;
      } else {
        slope += masses.base[j];
      }
    }
    return slope > 0 ? (1 - constant) / slope : end;
  }

  // Returns the largest relative change of a factor.
  absl::StatusOr<double> Meet(const Family& family) {
    const Masses masses = MassesOf(family);
    RETURN_IF_ERROR(CheckRoom(family, masses));
    const double scale = SolveScale(family, masses);
    double moved = 0;
    for (double& p : p_) p *= scale;
    for (size_t j = 0; j < family.size(); ++j) {
      const ShareBound& bound = bounds_[family[j]];
      const double unbound = scale * masses.base[j];
      const double factor = std::clamp(unbound, bound.low, bound.high) / unbound;
      double& old = factors_[family[j]];
      if (!(factor > kLeastFactor && factor < 1 / kLeastFactor)) return Unmet(family[j]);
      for (const int item : bound.items) p_[item] *= factor / old;
      moved = std::max(moved, std::abs(factor - old) / old);
      old = factor;
    }
    return families_.size() == 1 ? 0 : moved;
  }

  absl::Status Unmet(int bound) const {
    return Invalid(
        absl::StrCat(bounds_[bound].what, " cannot be met together with the other limits"));
  }

  absl::Status CheckMet() const {
    for (size_t b = 0; b < bounds_.size(); ++b) {
      const double mass = MassOf(static_cast<int>(b));
      if (mass >= bounds_[b].low - kViolation && mass <= bounds_[b].high + kViolation) continue;
      return Unmet(static_cast<int>(b));
    }
    return absl::OkStatus();
  }

  std::vector<double> p_;
  std::span<const ShareBound> bounds_;
  std::vector<double> factors_;
  std::vector<Family> families_;
};

}  // namespace

absl::StatusOr<BoundedShares> BoundShares(std::span<const double> wanted,
                                          std::span<const ShareBound> bounds) {
  for (const ShareBound& bound : bounds) {
    for (const int item : bound.items) CHECK_LT(static_cast<size_t>(item), wanted.size());
  }
  return Solver(Normalized(wanted), bounds).Solve();
}

}  // namespace frond
