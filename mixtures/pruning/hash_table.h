// A table from 64-bit hashes to where they were first seen: 16 bytes an entry, open addressing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace frond {

class FirstSeenTable {
 public:
  FirstSeenTable();

  // The value that `hash` has; where it had none it gets `value`, and that is returned.
  uint64_t FindOrAdd(uint64_t hash, uint64_t value);
  // nullptr where `hash` was never added.
  const uint64_t* Find(uint64_t hash) const;
  int64_t size() const { return static_cast<int64_t>(size_); }
  int64_t memory_bytes() const { return static_cast<int64_t>(slots_.size() * sizeof(Slot)); }

 private:
  struct Slot {
    uint64_t hash = 0;  // 0: empty
    uint64_t value = 0;
  };
  // The slot of `hash`, or the empty one where it would be.
  size_t SlotOf(uint64_t hash) const;
  void Grow();

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace frond
