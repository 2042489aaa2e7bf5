// chrF2: the F-score (beta 2) of character n-grams up to order 6 without white space (Popovic,
// "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015), equal to sacrebleu 2's
// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no".
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace frond {

// A corpus score is the F-score of the counts summed over its sentences, so it can be built up
// sentence by sentence and joined from parts (other ranks) by adding `counts`.
class Chrf {
 public:
  static constexpr int kMaxOrder = 6;
  static constexpr double kBeta = 2;

  // For each order n - 1: n-grams of the hypotheses (0 where the reference has none of this
  // order), of the references, and common to both.
  struct OrderCounts {
    int64_t hypothesis = 0;
    int64_t reference = 0;
    int64_t match = 0;
  };
  using Counts = std::array<OrderCounts, kMaxOrder>;

  // Both UTF-8. White space (IsUnicodeSpace) is ignored.
  void Add(absl::string_view hypothesis, absl::string_view reference);
  void Add(const Chrf& other) { AddCounts(other.counts_); }
  void AddCounts(const Counts& counts);
  const Counts& counts() const { return counts_; }

  // 0 .. 100. Precision and recall are averaged over the orders that both sides have; 0 where there
  // is none.
  double Score() const;

 private:
  Counts counts_;
};

// The score of one sentence.
double SentenceChrf(absl::string_view hypothesis, absl::string_view reference);

}  // namespace frond
