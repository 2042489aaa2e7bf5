// Which elements dropout keeps, from the definition in core/ops/dropout.h.
#pragma once

#include <cstdint>

#include "core/base/philox.h"

namespace frond::testing::reference {

// Cuts the 128 bits of one counter into eight draws of 16.
inline uint32_t Draw16(uint64_t key, uint64_t token_key, uint64_t counter, int draw) {
  uint16_t draws[8];
  const auto words = Philox(key, token_key, counter);
  for (int i = 0; i < 4; ++i) {
    draws[2 * i] = static_cast<uint16_t>(words[i]);
    draws[2 * i + 1] = static_cast<uint16_t>(words[i] / 65536);
  }
  return draws[draw];
}

inline bool DropoutKeeps(uint64_t key, uint64_t token_key, int64_t column, double rate) {
  const int64_t block = column / 128, in_block = column % 128;
  const uint32_t draw = Draw16(key, token_key, static_cast<uint64_t>(16 * block + in_block % 16),
                               static_cast<int>(in_block / 16));
  return draw >= static_cast<uint32_t>(rate * 65536 + 0.5);
}

}  // namespace frond::testing::reference
