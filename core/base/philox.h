// Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011).
//
// A random value is a pure function of (seed, step, site, element), so recomputation repeats its
// dropout with nothing saved and a run draws the same bits on every mesh.
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace frond {

// 128 random bits for (key, counter). constexpr: device code calls it too.
constexpr std::array<uint32_t, 4> Philox(uint64_t key, uint64_t counter_low,
                                         uint64_t counter_high) {
  uint32_t c0 = static_cast<uint32_t>(counter_low), c1 = static_cast<uint32_t>(counter_low >> 32);
  uint32_t c2 = static_cast<uint32_t>(counter_high), c3 = static_cast<uint32_t>(counter_high >> 32);
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0;
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

// A 64-bit mix (the finaliser of SplitMix64): a bijection that spreads every bit of `x`.
constexpr uint64_t MixBits(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// What the randomness of one training step is keyed by.
struct RngKey {
  uint64_t seed = 0;
  uint64_t step = 0;

  // The Philox key of one `site` (a place in the model that draws random numbers, e.g. the dropout
  // after encoder block 3's attention).
  uint64_t At(uint32_t site) const { return MixBits(MixBits(MixBits(seed) ^ step) ^ site); }
};

// A standard normal value for element `index` of the stream `key` (Box-Muller on Philox bits).
double NormalAt(uint64_t key, uint64_t index);

// A uniform value in [0, 1) for element `index` of the stream `key`.
double UniformAt(uint64_t key, uint64_t index);

// A stable 64-bit key from text: the same on every machine and build.
uint64_t KeyFromText(absl::string_view text);

}  // namespace frond
