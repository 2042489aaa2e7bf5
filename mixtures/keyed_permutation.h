// A pseudo-random order of n things without storing it: a keyed Feistel network on the next even
// number of bits, walked until it lands inside [0, n) again ("cycle walking": Black and Rogaway,
// "Ciphers with arbitrary finite domains", CT-RSA 2002). Not cryptographic.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "core/base/check.h"
#include "core/base/philox.h"

namespace frond {

// A bijection of [0, size) that is a pure function of (size, key), the same on every machine.
class KeyedPermutation {
 public:
  // 1 <= size <= 2^62.
  KeyedPermutation(uint64_t size, uint64_t key) : size_(size) {
    CHECK_GE(size, 1u);
    CHECK_LE(size, uint64_t{1} << 62);
    const int bits = std::max(2, static_cast<int>(std::bit_width(size - 1)));
    half_bits_ = (bits + 1) / 2;
    for (uint64_t& round_key : round_keys_) {
      key = MixBits(key);
      round_key = key;
    }
  }

  uint64_t size() const { return size_; }

  // The place of `index` (< size). The domain is less than four times `size`, so a few walks do.
  uint64_t operator()(uint64_t index) const {
    CHECK_LT(index, size_);
    do {
      index = Encrypt(index);
    } while (index >= size_);
    return index;
  }

 private:
  uint64_t Encrypt(uint64_t block) const {
    const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
    uint64_t left = block >> half_bits_, right = block & mask;
    for (const uint64_t round_key : round_keys_) {
      const uint64_t mixed = left ^ (MixBits(right ^ round_key) & mask);
      left = right;
      right = mixed;
    }
    return left << half_bits_ | right;
  }

  uint64_t size_;
  int half_bits_;
  std::array<uint64_t, 6> round_keys_;
};

}  // namespace frond
