// Places in large chunks of a device's memory, handed out without a call to the device. Host code
// that touches no byte of the memory it deals in. Not thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace frond {

class BlockArena {
 public:
  // A chunk is at least so large.
  static constexpr size_t kChunkBytes = size_t{2} << 20;

  // A place of `bytes` > 0, a multiple of the unit that all places of the arena share, in the
  // smallest gap that holds it. Where none does, `grow` is asked for a chunk of so many bytes.
  void* Take(size_t bytes, const std::function<void*(size_t)>& grow);
  // Returns whether the pointer is a place of this arena; it is free then.
  bool Give(void* pointer);

  size_t bytes() const { return bytes_; }  // of all chunks
  size_t taken_bytes() const { return taken_bytes_; }
  const std::vector<void*>& chunks() const { return chunks_; }

 private:
  struct Piece {
    size_t bytes;
    bool is_taken;
    bool begins_chunk;
  };
  using Pieces = std::map<char*, Piece>;

  void AddGap(Pieces::iterator piece);
  void RemoveGap(Pieces::iterator piece);
  // Joins the gap `next` to the one before it.
  void Join(Pieces::iterator piece, Pieces::iterator next);

  Pieces pieces_;                            // all chunks, without holes
  std::set<std::pair<size_t, char*>> gaps_;  // by size
  std::vector<void*> chunks_;
  size_t bytes_ = 0, taken_bytes_ = 0;
};

}  // namespace frond
