#include "data/utf8.h"

#include <cstdint>
#include <cstring>

namespace frond {
namespace {

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Length of the multi-byte sequence at p, of which `left` bytes are readable; 0 where it is
// invalid.
size_t SequenceLength(const uint8_t* p, size_t left) {
  const uint8_t lead = p[0];
  if (lead < 0xC2 || lead > 0xF4) return 0;  // continuation, overlong C0/C1, beyond U+10FFFF
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length > left || !IsContinuation(p[1])) return 0;
  if (lead == 0xE0 && p[1] < 0xA0) return 0;  // overlong
  if (lead == 0xED && p[1] > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && p[1] < 0x90) return 0;  // overlong
  if (lead == 0xF4 && p[1] > 0x8F) return 0;  // beyond U+10FFFF
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(p[i])) return 0;
  }
  return length;
}

}  // namespace

size_t ValidUtf8Prefix(absl::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const size_t size = bytes.size();
  size_t i = 0;
  while (i < size) {
    uint64_t word;
    if (i + sizeof(word) <= size) {
      std::memcpy(&word, data + i, sizeof(word));
      if ((word & 0x8080808080808080ull) == 0) {
        i += sizeof(word);
        continue;
      }
    }
    if (data[i] < 0x80) {
      ++i;
      continue;
    }
    const size_t length = SequenceLength(data + i, size - i);
    if (length == 0) return i;
    i += length;
  }
  return size;
}

}  // namespace frond
