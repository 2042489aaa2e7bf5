#include "eval/chrf.h"

#include <algorithm>
#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "eval/unicode_text.h"

namespace frond {
namespace {

// Up to three code points of 21 bits in each half, the n-gram's later ones in `low`.
struct Gram {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const Gram&) const = default;
};

std::u32string WithoutSpace(absl::string_view utf8) {
  std::u32string text = DecodeUtf8(utf8);
  std::erase_if(text, IsUnicodeSpace);
  return text;
}

std::vector<Gram> SortedGrams(const std::u32string& text, size_t order) {
  std::vector<Gram> grams;
  if (text.size() < order) return grams;
  grams.reserve(text.size() - order + 1);
  for (size_t start = 0; start + order <= text.size(); ++start) {
    Gram gram;
    for (size_t i = 0; i < order; ++i) {
      uint64_t& half = i < 3 ? gram.high : gram.low;
      half = half << 21 | text[start + i];
    }
    grams.push_back(gram);
  }
  std::sort(grams.begin(), grams.end());
  return grams;
}

// Size of the intersection of two sorted multisets.
int64_t CountMatches(const std::vector<Gram>& a, const std::vector<Gram>& b) {
  int64_t matches = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      ++matches, ++i, ++j;
    } else if (a[i] < b[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return matches;
}

}  // namespace

void Chrf::Add(absl::string_view hypothesis, absl::string_view reference) {
  const std::u32string hypothesis_text = WithoutSpace(hypothesis);
  const std::u32string reference_text = WithoutSpace(reference);
  for (size_t order = 1; order <= kMaxOrder; ++order) {
    const std::vector<Gram> a = SortedGrams(hypothesis_text, order);
    const std::vector<Gram> b = SortedGrams(reference_text, order);
    OrderCounts& counts = counts_[order - 1];
    // sacrebleu does not count hypothesis n-grams of an order that the reference is too short for.
    counts.hypothesis += b.empty() ? 0 : static_cast<int64_t>(a.size());
    counts.reference += static_cast<int64_t>(b.size());
    counts.match += CountMatches(a, b);
  }
}

void Chrf::AddCounts(const Counts& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    counts_[i].hypothesis += counts[i].hypothesis;
    counts_[i].reference += counts[i].reference;
    counts_[i].match += counts[i].match;
  }
}

double Chrf::Score() const {
  double precision = 0, recall = 0;
  int orders = 0;
  for (const OrderCounts& counts : counts_) {
    if (counts.hypothesis == 0 || counts.reference == 0) continue;
    const auto match = static_cast<double>(counts.match);
    precision += match / static_cast<double>(counts.hypothesis);
    recall += match / static_cast<double>(counts.reference);
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  constexpr double kFactor = kBeta * kBeta;
  return 100 * (1 + kFactor) * precision * recall / (kFactor * precision + recall);
}

double SentenceChrf(absl::string_view hypothesis, absl::string_view reference) {
  Chrf chrf;
  chrf.Add(hypothesis, reference);
  return chrf.Score();
}

}  // namespace frond
