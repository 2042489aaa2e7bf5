#include "core/tensor/block_arena.h"

#include <algorithm>
#include <iterator>

#include "core/base/check.h"

namespace frond {

void BlockArena::AddGap(Pieces::iterator piece) {
  piece->second.is_taken = false;
  gaps_.insert({piece->second.bytes, piece->first});
}

void BlockArena::RemoveGap(Pieces::iterator piece) {
  gaps_.erase({piece->second.bytes, piece->first});
}

void BlockArena::Join(Pieces::iterator piece, Pieces::iterator next) {
  RemoveGap(piece);
  RemoveGap(next);
  piece->second.bytes += next->second.bytes;
  pieces_.erase(next);
  AddGap(piece);
}

void* BlockArena::Take(size_t bytes, const std::function<void*(size_t)>& grow) {
  CHECK(bytes > 0);
  auto gap = gaps_.lower_bound({bytes, nullptr});
  if (gap == gaps_.end()) {
    const size_t chunk_bytes = std::max(bytes, kChunkBytes);
    auto* chunk = static_cast<char*>(grow(chunk_bytes));
    chunks_.push_back(chunk);
    bytes_ += chunk_bytes;
    AddGap(pieces_.insert({chunk, {chunk_bytes, false, true}}).first);
    gap = gaps_.find({chunk_bytes, chunk});
  }
  const auto piece = pieces_.find(gap->second);
  RemoveGap(piece);
  const size_t rest = piece->second.bytes - bytes;
  if (rest > 0) AddGap(pieces_.insert({piece->first + bytes, {rest, false, false}}).first);
  piece->second.bytes = bytes;
  piece->second.is_taken = true;
  taken_bytes_ += bytes;
  return piece->first;
}

bool BlockArena::Give(void* pointer) {
  const auto piece = pieces_.find(static_cast<char*>(pointer));
  if (piece == pieces_.end()) return false;
  CHECK(piece->second.is_taken) << "freed twice";
  taken_bytes_ -= piece->second.bytes;
  AddGap(piece);
  const auto next = std::next(piece);
  if (next != pieces_.end() && !next->second.is_taken && !next->second.begins_chunk) {
    Join(piece, next);
  }
  if (piece->second.begins_chunk) return true;
  const auto before = std::prev(piece);
  if (!before->second.is_taken) Join(before, piece);
  return true;
}

}  // namespace frond
