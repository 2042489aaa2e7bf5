// MinHash signatures of texts (Broder, "On the resemblance and containment of documents", 1997) and
// the exact similarity that they estimate.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond {

// The n-grams of `text` in code points as 32-bit hashes, in their order. A text shorter than an
// n-gram is one of its own; an empty text has none.
std::vector<uint32_t> ShingleHashes(absl::string_view text, int ngram);

// Sorts and leaves each hash once.
void SortDistinct(std::vector<uint32_t>* hashes);

// |a and b| / |a or b| of two lists that SortDistinct made; 1 for two empty ones.
double Jaccard(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b);

// Makes signatures: the least value of the text's shingles under each of many permutations of the
// 32-bit numbers. Two texts agree in one place with the probability of their Jaccard similarity.
class MinHasher {
 public:
  MinHasher(int permutations, uint64_t seed);

  std::vector<uint32_t> Signature(const std::vector<uint32_t>& shingles) const;

 private:
  using LeastFunction = void (*)(const std::vector<uint32_t>& shingles, const uint32_t* masks,
                                 const uint32_t* factors, uint32_t* least);
  static LeastFunction ChooseLeast();

  LeastFunction least_;  // for this processor
  size_t permutations_;
  std::vector<uint32_t> masks_;
  std::vector<uint32_t> factors_;  // odd
};

// The probability that texts of this similarity agree in all rows of at least one band.
double BandRecall(double similarity, int bands, int rows);

}  // namespace frond
