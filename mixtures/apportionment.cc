#include "mixtures/apportionment.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace frond {
namespace {

using Wide = unsigned __int128;
using SignedWide = __int128;

// A leaf that may be rounded up. Ties go to the leaf that comes first.
struct Candidate {
  uint64_t remainder;  // of share * n, out of kShareOne
  size_t leaf;
  bool operator<(const Candidate& other) const {
    return remainder != other.remainder ? remainder > other.remainder : leaf < other.leaf;
  }
};

}  // namespace

Apportionment::Apportionment(std::vector<uint64_t> shares, uint64_t window)
    : shares_(std::move(shares)), window_(window) {
  CHECK_GE(window_, 1u);
  uint64_t sum = 0, smallest = kShareOne;
  for (const uint64_t share : shares_) {
    CHECK_LE(share, kShareOne - sum);
    sum += share;
    if (share > 0) smallest = std::min(smallest, share);
  }
  CHECK_EQ(sum, kShareOne);
  CHECK_GE(smallest, kSmallestShare);
  while ((Wide{smallest} * window_) << levels_ < Wide{kShareOne}) ++levels_;
}

std::vector<uint64_t> Apportionment::Round(uint64_t border, const Counts* around) const {
  const uint64_t n = border * window_;
  std::vector<uint64_t> counts(shares_.size());
  std::vector<Candidate> candidates;
  candidates.reserve(shares_.size());
  int64_t rest = static_cast<int64_t>(n);
  for (size_t i = 0; i < shares_.size(); ++i) {
    const Wide exact = Wide{shares_[i]} * n;
    const uint64_t floor = static_cast<uint64_t>(exact >> kShareBits);
    const uint64_t remainder = static_cast<uint64_t>(exact) & (kShareOne - 1);
    uint64_t low = floor, high = floor + (remainder > 0 ? 1 : 0);
    if (around != nullptr) {
      low = std::clamp(low, around->before[i], around->after[i]);
      high = std::clamp(high, around->before[i], around->after[i]);
    }
    counts[i] = low;
    rest -= static_cast<int64_t>(counts[i]);
    if (low < high) candidates.push_back({remainder, i});
  }
  const int64_t ups = std::clamp<int64_t>(rest, 0, static_cast<int64_t>(candidates.size()));
  std::nth_element(candidates.begin(), candidates.begin() + ups, candidates.end());
  for (int64_t k = 0; k < ups; ++k) ++counts[candidates[k].leaf];
  rest -= ups;
  if (rest != 0) {
    CHECK(around != nullptr) << "free rounding left " << rest;
    Repair(n, rest, *around, counts);
  }
  return counts;
}

// Where the quotas at a border cannot all be met between those of its neighbours, gives (rest > 0)
// or takes (rest < 0) the rest where monotone counts leave room, each time at the leaf that then
// exceeds its quota the least.
void Apportionment::Repair(uint64_t n, int64_t rest, const Counts& around,
                           std::vector<uint64_t>& counts) const {
  const int sign = rest > 0 ? 1 : -1;
  for (; rest != 0; rest -= sign) {
    size_t best = counts.size();
    SignedWide best_room = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      const bool possible = sign > 0 ? counts[i] < around.after[i] : counts[i] > around.before[i];
      if (!possible) continue;
      const SignedWide room =
          sign * (SignedWide{shares_[i]} * n - (SignedWide{counts[i]} << kShareBits));
      if (best < counts.size() && room <= best_room) continue;
      best = i;
      best_room = room;
    }
    CHECK_LT(best, counts.size());
    counts[best] += sign;
  }
}

Apportionment::Counts Apportionment::Around(uint64_t w) const {
  CHECK_LT(w, (uint64_t{1} << 62) / window_);
  uint64_t begin = w >> levels_ << levels_;
  uint64_t end = begin + (uint64_t{1} << levels_);
  Counts counts = {Round(begin, nullptr), Round(end, nullptr)};
  while (end - begin > 1) {
    const uint64_t middle = begin + (end - begin) / 2;
    std::vector<uint64_t> at_middle = Round(middle, &counts);
    if (w < middle) {
      end = middle;
      counts.after = std::move(at_middle);
    } else {
      begin = middle;
      counts.before = std::move(at_middle);
    }
  }
  return counts;
}

}  // namespace frond
