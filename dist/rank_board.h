// Where the ranks of one machine post what they are doing, in memory that all of them see: a rank
// that waits can say what the one it waits for is at, although that one answers no message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dist/collective_call.h"

namespace frond {

class RankBoard {
 public:
  struct Posted {
    CollectiveCall call;     // the present collective, or the last one
    bool inside = false;     // in `call`; else after it
    double seconds = 0;      // since it went in or came out
    int64_t process_id = 0;  // 0: nothing is known of the process
  };

  static size_t BytesFor(int ranks);

  // `memory`: BytesFor(ranks.size()) bytes, zero at first, shared by all and outliving the board.
  // `ranks`: the ranks that post here, the same everywhere; `self` is this one.
  RankBoard(void* memory, std::vector<int> ranks, int self);

  // Says that this rank is a process of its own, whose life the others may watch.
  void PostProcess();
  void PostInside(const CollectiveCall& call);
  void PostOutside();
  // The process may end from here on.
  void PostLeft();

  const std::vector<int>& ranks() const { return ranks_; }
  // What `rank` posted; nothing if it has not or is not of this machine.
  std::optional<Posted> Read(int rank) const;
  // A rank whose process has ended without PostLeft.
  std::optional<int> FindDead() const;
  // True for the first rank that asks: one message is enough.
  bool ClaimReport();

 private:
  struct Header;
  struct Slot;
  Slot* SlotOf(int rank) const;

  Header* header_;
  Slot* slots_;
  Slot* mine_;
  std::vector<int> ranks_;
};

// "running", "asleep", "stopped by a signal", ... ; empty where the system does not say.
std::string ProcessState(int64_t process_id);

}  // namespace frond
