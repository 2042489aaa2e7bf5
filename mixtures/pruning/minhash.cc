#include "mixtures/pruning/minhash.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/philox.h"

namespace frond {
namespace {

// Permutations that are computed together: a vector of the machine's widest registers, or several.
constexpr size_t kLanes = 32;
constexpr uint64_t kRollingFactor = 0x9E3779B97F4A7C15;  // odd
using Lanes = uint32_t __attribute__((vector_size(kLanes * sizeof(uint32_t))));

// x -> (x ^ mask) * factor is a permutation of the 32-bit numbers: `factor` is odd.
inline __attribute__((always_inline)) void LeastOfLanes(const std::vector<uint32_t>& shingles,
                                                        const uint32_t* masks,
                                                        const uint32_t* factors, uint32_t* least) {
  Lanes mask, factor, low;
  std::memcpy(&mask, masks, sizeof(mask));
  std::memcpy(&factor, factors, sizeof(factor));
  low = ~Lanes{};
  for (const uint32_t shingle : shingles) {
    const Lanes value = (mask ^ shingle) * factor;
    low = value < low ? value : low;
  }
  std::memcpy(least, &low, sizeof(low));
}

void LeastGeneric(const std::vector<uint32_t>& shingles, const uint32_t* masks,
                  const uint32_t* factors, uint32_t* least) {
  LeastOfLanes(shingles, masks, factors, least);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void LeastAvx2(const std::vector<uint32_t>& shingles,
                                               const uint32_t* masks, const uint32_t* factors,
                                               uint32_t* least) {
  LeastOfLanes(shingles, masks, factors, least);
}

__attribute__((target("avx512f,prefer-vector-width=512"))) void LeastAvx512(
    const std::vector<uint32_t>& shingles, const uint32_t* masks, const uint32_t* factors,
    uint32_t* least) {
  LeastOfLanes(shingles, masks, factors, least);
}

#endif

size_t RoundUp(size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

}  // namespace

#if defined(__x86_64__)
MinHasher::LeastFunction MinHasher::ChooseLeast() {
  if (__builtin_cpu_supports("avx512f")) return LeastAvx512;
  return __builtin_cpu_supports("avx2") ? LeastAvx2 : LeastGeneric;
}
#else
MinHasher::LeastFunction MinHasher::ChooseLeast() { return LeastGeneric; }
#endif

std::vector<uint32_t> ShingleHashes(absl::string_view text, int ngram) {
  std::vector<uint32_t> characters;
  characters.reserve(text.size());
  for (const char c : text) {
    const uint32_t byte = static_cast<unsigned char>(c);
    // Bytes that continue a character add their six bits.
    if ((byte & 0xC0) == 0x80) {
      characters.back() = characters.back() << 6 | (byte & 0x3F);
    } else {
      characters.push_back(byte);
    }
  }
  std::vector<uint32_t> hashes;
  const size_t width = std::min(static_cast<size_t>(ngram), characters.size());
  if (width == 0) return hashes;
  uint64_t oldest_factor = 1;  // of the character that leaves
  for (size_t i = 0; i < width; ++i) oldest_factor *= kRollingFactor;
  uint64_t rolling = 0;
  hashes.reserve(characters.size() + 1 - width);
  for (size_t i = 0; i < characters.size(); ++i) {
    rolling = rolling * kRollingFactor + characters[i];
    if (i >= width) rolling -= oldest_factor * characters[i - width];
    if (i + 1 >= width) hashes.push_back(static_cast<uint32_t>(MixBits(rolling)));
  }
  return hashes;
}

void SortDistinct(std::vector<uint32_t>* hashes) {
  std::sort(hashes->begin(), hashes->end());
  hashes->erase(std::unique(hashes->begin(), hashes->end()), hashes->end());
}

double Jaccard(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  size_t both = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    both += a[i] == b[j];
    const bool step_a = a[i] <= b[j];
    const bool step_b = b[j] <= a[i];
    i += step_a;
    j += step_b;
  }
  const size_t either = a.size() + b.size() - both;
  return either > 0 ? static_cast<double>(both) / static_cast<double>(either) : 1;
}

MinHasher::MinHasher(int permutations, uint64_t seed)
    : least_(ChooseLeast()), permutations_(static_cast<size_t>(permutations)) {
  for (size_t i = 0; i < RoundUp(permutations_); ++i) {
    const auto bits = Philox(MixBits(seed), i, 0);
    masks_.push_back(bits[0]);
    factors_.push_back(bits[1] | 1);
  }
}

std::vector<uint32_t> MinHasher::Signature(const std::vector<uint32_t>& shingles) const {
  std::vector<uint32_t> signature(masks_.size());
  for (size_t i = 0; i < masks_.size(); i += kLanes) {
    least_(shingles, &masks_[i], &factors_[i], &signature[i]);
  }
  signature.resize(permutations_);
  return signature;
}

double BandRecall(double similarity, int bands, int rows) {
  return 1 - std::pow(1 - std::pow(similarity, rows), bands);
}

}  // namespace frond
