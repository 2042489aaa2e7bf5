#include "mixtures/pruning/hash_table.h"

#include <algorithm>
#include <utility>

#include "core/base/philox.h"

namespace frond {
namespace {

constexpr size_t kFirstSlots = 1 << 10;  // a power of two

}  // namespace

FirstSeenTable::FirstSeenTable() : slots_(kFirstSlots) {}

size_t FirstSeenTable::SlotOf(uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = MixBits(hash) & mask;
  while (slots_[at].hash != 0 && slots_[at].hash != hash) at = (at + 1) & mask;
  return at;
}

const uint64_t* FirstSeenTable::Find(uint64_t hash) const {
  const Slot& slot = slots_[SlotOf(std::max<uint64_t>(hash, 1))];
  return slot.hash != 0 ? &slot.value : nullptr;
}

void FirstSeenTable::Grow() {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  for (const Slot& slot : old) {
    if (slot.hash != 0) slots_[SlotOf(slot.hash)] = slot;
  }
}

uint64_t FirstSeenTable::FindOrAdd(uint64_t hash, uint64_t value) {
  hash = std::max<uint64_t>(hash, 1);  // 0 marks empty slots
  Slot& slot = slots_[SlotOf(hash)];
  if (slot.hash != 0) return slot.value;
  slot = {hash, value};
  if (++size_ * 3 > slots_.size() * 2) Grow();
  return value;
}

}  // namespace frond
