// Checksums of bytes (XXH3, 64 bits): fast, stable across machines, not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

uint64_t Hash64(absl::string_view bytes);
// The same bytes under another seed give another checksum; seed 0 is Hash64.
uint64_t SeededHash64(absl::string_view bytes, uint64_t seed);

// 16 lower-case hexadecimal digits.
std::string HashToHex(uint64_t hash);

// A checksum built from pieces; equals SeededHash64 of their concatenation.
class StreamingHash {
 public:
  explicit StreamingHash(uint64_t seed = 0);
  ~StreamingHash();
  StreamingHash(StreamingHash&&) noexcept;
  StreamingHash& operator=(StreamingHash&&) noexcept;
  // Forgets all bytes so far.
  void Restart(uint64_t seed);
  void Add(absl::string_view bytes);
  uint64_t Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace frond
