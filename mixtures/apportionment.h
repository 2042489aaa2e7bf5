// How many examples each leaf of a mixture has given before a window, in exact integer arithmetic.
//
// A leaf with share p should have given p*n examples after n. Counts are integers, so the best that
// can be had is its quota: floor(p*n) or ceil(p*n). What is asked for is more than rounding at one
// n: the counts of all leaves sum to n at every window's border, and none ever shrinks.
//
// Rounding by the largest remainder at one border on its own may let a leaf shrink whose share of a
// window is less than one example. So borders are fixed coarse to fine, like a tree over time: at
// multiples of 2^K windows (K so large that every leaf's share of 2^K windows is at least one
// example) any rounding will do, as floor has grown past the last ceil; a border in the middle of
// two fixed ones rounds by the largest remainder between what the leaves had at the left and will
// have at the right. A border's counts so depend on its number alone and cost O(leaves * K); K is
// about log2(1 / (window * smallest share)).
#pragma once

#include <cstdint>
#include <vector>

namespace frond {

// Shares are whole numbers out of kShareOne, so that p*n is exact in 128 bits.
constexpr int kShareBits = 62;
constexpr uint64_t kShareOne = uint64_t{1} << kShareBits;
// A leaf that has a share at all has at least this one, so that no border exceeds 64 bits.
constexpr uint64_t kSmallestShare = 4;

class Apportionment {
 public:
  // Examples each leaf has given before a window and after it.
  struct Counts {
    std::vector<uint64_t> before;
    std::vector<uint64_t> after;
  };

  // `shares` sum to kShareOne; each is 0 or at least kSmallestShare; `window` (>= 1) is the
  // examples per window.
  Apportionment(std::vector<uint64_t> shares, uint64_t window);

  // Of window `w`: sum(before) == w * window, before[i] <= after[i], and after equals the next
  // window's before. A count differs from share * n by less than one, but for about one border in a
  // million of mixtures where one or two leaves take nearly all of a window and a few share the
  // rest (seen: 1.09). w < 2^62 / window.
  Counts Around(uint64_t w) const;

  const std::vector<uint64_t>& shares() const { return shares_; }
  uint64_t window() const { return window_; }

 private:
  // Counts before window `border`, between those of the borders around it where there are any.
  std::vector<uint64_t> Round(uint64_t border, const Counts* around) const;
  void Repair(uint64_t n, int64_t rest, const Counts& around, std::vector<uint64_t>& counts) const;

  std::vector<uint64_t> shares_;
  uint64_t window_;
  int levels_ = 0;  // K above
};

}  // namespace frond
