// Checksums of bytes (XXH3, 64 bits): fast, stable across machines, not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

uint64_t Hash64(absl::string_view bytes);

// 16 lower-case hexadecimal digits.
std::string HashToHex(uint64_t hash);

// A checksum built from pieces; equals Hash64 of their concatenation.
class StreamingHash {
 public:
  StreamingHash();
  ~StreamingHash();
  StreamingHash(StreamingHash&&) noexcept;
  StreamingHash& operator=(StreamingHash&&) noexcept;
  void Add(absl::string_view bytes);
  uint64_t Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace frond
