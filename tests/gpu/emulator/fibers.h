// The threads of one emulated block: fibers that switch at barriers. A barrier that some threads
// never reach ends the process with a message, as it would hang a GPU.
#pragma once

#include <cstring>

namespace frond::emulator {

int Lane();
void BlockBarrier();
// Returns when all lanes of `mask` have come; CHECKs that none of them has ended.
void WarpBarrier(unsigned mask);

// 16 bytes per lane that a warp's lanes show each other.
void* ExchangeSlot(int lane);

// The value that lane `source` passes; all lanes of `mask` call it together.
template <class T>
T Exchange(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= 16);
  std::memcpy(ExchangeSlot(Lane()), &value, sizeof(T));
  WarpBarrier(mask);
  T result;
  std::memcpy(&result, ExchangeSlot(source), sizeof(T));
  WarpBarrier(mask);
  return result;
}

unsigned Ballot(unsigned mask, bool predicate);

// cp.async: 16 bytes each (zeros where source is null), done when their group is waited for.
void QueueCopy(void* target, const void* source);
void CommitCopies();
void WaitForCopies(int pending_groups);

}  // namespace frond::emulator
