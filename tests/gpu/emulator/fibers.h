// The threads of one emulated block: fibers that switch at barriers. A barrier that some threads
// never reach ends the process with a message, as it would hang a GPU.
#pragma once

#include <cstddef>
#include <cstring>

namespace frond::emulator {

int Lane();
void BlockBarrier();
// Returns when all lanes of `mask` have come; CHECKs that none of them has ended.
void WarpBarrier(unsigned mask);

// 32 bytes per lane that a warp's lanes show each other.
void* ExchangeSlot(int lane);

// Calls read(slots) with what each lane passes, as slots(lane); all lanes of `mask` call it
// together.
template <class T, class Read>
void ExchangeAll(unsigned mask, const T& value, const Read& read) {
  static_assert(sizeof(T) <= 32);
  std::memcpy(ExchangeSlot(Lane()), &value, sizeof(T));
  WarpBarrier(mask);
  read([](int lane) {
    T other;
    std::memcpy(&other, ExchangeSlot(lane), sizeof(T));
    return other;
  });
  WarpBarrier(mask);
}

// The value that lane `source` passes; all lanes of `mask` call it together.
template <class T>
T Exchange(unsigned mask, T value, int source) {
  T result;
  ExchangeAll(mask, value, [&](const auto& slots) { result = slots(source); });
  return result;
}

unsigned Ballot(unsigned mask, bool predicate);

// cp.async: `bytes` each (zeros where source is null), done when their group is waited for.
void QueueCopy(void* target, const void* source, size_t bytes = 16);
void CommitCopies();
void WaitForCopies(int pending_groups);

}  // namespace frond::emulator
