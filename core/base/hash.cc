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

std::string HashToHex(uint64_t hash) { return absl::StrFormat("%016x", hash); }

StreamingHash::StreamingHash() : state_(std::make_unique<State>()) {
  CHECK(state_->xxh != nullptr);
  XXH3_64bits_reset(state_->xxh);
}
StreamingHash::~StreamingHash() = default;
StreamingHash::StreamingHash(StreamingHash&&) noexcept = default;
StreamingHash& StreamingHash::operator=(StreamingHash&&) noexcept = default;

void StreamingHash::Add(absl::string_view bytes) {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

uint64_t StreamingHash::Digest() const { return XXH3_64bits_digest(state_->xxh); }

}  // namespace frond
