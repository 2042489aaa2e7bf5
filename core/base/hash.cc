#include "core/base/hash.h"

#include <xxhash.h>

#include "absl/strings/str_format.h"
#include "core/base/check.h"

namespace frond {

struct StreamingHash::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

uint64_t Hash64(absl::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint64_t SeededHash64(absl::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string HashToHex(uint64_t hash) { return absl::StrFormat("%016x", hash); }

StreamingHash::StreamingHash(uint64_t seed) : state_(std::make_unique<State>()) {
  CHECK(state_->xxh != nullptr);
  Restart(seed);
}
StreamingHash::~StreamingHash() = default;
StreamingHash::StreamingHash(StreamingHash&&) noexcept = default;
StreamingHash& StreamingHash::operator=(StreamingHash&&) noexcept = default;

void StreamingHash::Restart(uint64_t seed) { XXH3_64bits_reset_withSeed(state_->xxh, seed); }

void StreamingHash::Add(absl::string_view bytes) {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

uint64_t StreamingHash::Digest() const { return XXH3_64bits_digest(state_->xxh); }

}  // namespace frond
