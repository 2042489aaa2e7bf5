#include "mixtures/apportionment.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace frond {
namespace {

using Wide = unsigned __int128;

// A leaf that may be rounded up. Ties go to the leaf that comes first.
struct Candidate {
  uint64_t remainder;  // of share * n, out of kShareOne
  size_t leaf;
  bool operator<(const Candidate& other) const {
    return remainder != other.remainder ? remainder > other.remainder : leaf < other.leaf;
  }
};

// Quotas of neighbouring borders cannot be met together: gives or takes the rest where monotone
// counts leave room, one example a leaf and pass.
void Repair(int64_t rest, const std::vector<uint64_t>& left, const std::vector<uint64_t>& right,
            std::vector<uint64_t>& counts) {
  while (rest != 0) {
    const int64_t rest_before = rest;
    for (size_t i = 0; i < counts.size() && rest != 0; ++i) {
      if (rest > 0 && counts[i] < right[i]) {
        ++counts[i];
        --rest;
      } else if (rest < 0 && counts[i] > left[i]) {
        --counts[i];
        ++rest;
      }
    }
    CHECK_NE(rest, rest_before);
  }
}

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

std::vector<uint64_t> Apportionment::Round(uint64_t border, const std::vector<uint64_t>* left,
                                           const std::vector<uint64_t>* right) const {
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
    if (left != nullptr && right != nullptr) {
      low = std::clamp(low, (*left)[i], (*right)[i]);
      high = std::clamp(high, (*left)[i], (*right)[i]);
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
    CHECK(left != nullptr && right != nullptr) << "free rounding left " << rest;
    Repair(rest, *left, *right, counts);
  }
  return counts;
}

Apportionment::Counts Apportionment::Around(uint64_t w) const {
  CHECK_LT(w, (uint64_t{1} << 62) / window_);
  uint64_t begin = w >> levels_ << levels_;
  uint64_t end = begin + (uint64_t{1} << levels_);
  Counts counts = {Round(begin, nullptr, nullptr), Round(end, nullptr, nullptr)};
  while (end - begin > 1) {
    const uint64_t middle = begin + (end - begin) / 2;
    std::vector<uint64_t> at_middle = Round(middle, &counts.before, &counts.after);
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
