#include "dist/rank_board.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file.h"

namespace frond {
namespace {

// Of a clock that all processes of a machine share.
int64_t NowNanoseconds() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

// Process ids mean the same to two processes only within one name space; 0: unknown.
uint64_t ProcessNameSpace() {
  struct stat info;
  return ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

constexpr size_t kCallWords = sizeof(CollectiveCall) / sizeof(uint64_t);
using CallWords = std::array<uint64_t, kCallWords>;

}  // namespace

struct alignas(64) RankBoard::Header {
  std::atomic<uint32_t> claimed;
};

// `version` is odd while the owner writes: a reader that sees it odd or changed reads again.
struct alignas(64) RankBoard::Slot {
  std::atomic<uint64_t> version;
  std::array<std::atomic<uint64_t>, kCallWords> call;
  std::atomic<int64_t> changed;  // nanoseconds; 0: nothing posted yet
  std::atomic<int64_t> process_id;
  std::atomic<uint64_t> name_space;
  std::atomic<uint32_t> inside;
  std::atomic<uint32_t> left;
};

size_t RankBoard::BytesFor(int ranks) {
  return sizeof(Header) + static_cast<size_t>(ranks) * sizeof(Slot);
}

RankBoard::RankBoard(void* memory, std::vector<int> ranks, int self)
    : header_(static_cast<Header*>(memory)),
      slots_(reinterpret_cast<Slot*>(header_ + 1)),
      ranks_(std::move(ranks)) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  CHECK_EQ(reinterpret_cast<uintptr_t>(memory) % alignof(Slot), 0u);
  mine_ = SlotOf(self);
  CHECK(mine_ != nullptr) << "rank " << self << " has no place on the board";
}

RankBoard::Slot* RankBoard::SlotOf(int rank) const {
  const auto at = std::find(ranks_.begin(), ranks_.end(), rank);
  return at == ranks_.end() ? nullptr : slots_ + (at - ranks_.begin());
}

void RankBoard::PostProcess() {
  mine_->name_space = ProcessNameSpace();
  mine_->process_id = ::getpid();
}

void RankBoard::PostInside(const CollectiveCall& call) {
  const auto words = std::bit_cast<CallWords>(call);
  const uint64_t version = mine_->version.load(std::memory_order_relaxed);
  mine_->version.store(version + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (size_t i = 0; i < kCallWords; ++i) {
    mine_->call[i].store(words[i], std::memory_order_relaxed);
  }
  mine_->changed.store(NowNanoseconds(), std::memory_order_relaxed);
  mine_->inside.store(1, std::memory_order_relaxed);
  mine_->version.store(version + 2, std::memory_order_release);
}

void RankBoard::PostOutside() {
  const uint64_t version = mine_->version.load(std::memory_order_relaxed);
  mine_->version.store(version + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  mine_->changed.store(NowNanoseconds(), std::memory_order_relaxed);
  mine_->inside.store(0, std::memory_order_relaxed);
  mine_->version.store(version + 2, std::memory_order_release);
}

void RankBoard::PostLeft() { mine_->left = 1; }

std::optional<RankBoard::Posted> RankBoard::Read(int rank) const {
  const Slot* slot = SlotOf(rank);
  if (slot == nullptr) return std::nullopt;
  // A rank that died while it wrote leaves an odd version for ever: what is there then serves.
  Posted posted;
  int64_t changed = 0;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const uint64_t version = slot->version.load(std::memory_order_acquire);
    CallWords words;
    for (size_t i = 0; i < kCallWords; ++i)
      words[i] = slot->call[i].load(std::memory_order_relaxed);
    changed = slot->changed.load(std::memory_order_relaxed);
    posted.inside = slot->inside.load(std::memory_order_relaxed) != 0;
    posted.call = std::bit_cast<CollectiveCall>(words);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (version % 2 == 0 && slot->version.load(std::memory_order_relaxed) == version) break;
  }
  posted.process_id = slot->process_id;
  if (changed == 0) return std::nullopt;
  posted.seconds = static_cast<double>(NowNanoseconds() - changed) * 1e-9;
  return posted;
}

std::optional<int> RankBoard::FindDead() const {
  for (const int rank : ranks_) {
    const Slot* slot = SlotOf(rank);
    const int64_t process_id = slot->process_id;
    const bool can_tell = slot != mine_ && process_id != 0 && slot->left == 0 &&
                          slot->name_space != 0 && slot->name_space == mine_->name_space;
    if (!can_tell) continue;
    if (::kill(static_cast<pid_t>(process_id), 0) != 0 && errno == ESRCH) return rank;
    if (ProcessState(process_id) == "dead") return rank;
  }
  return std::nullopt;
}

bool RankBoard::ClaimReport() { return header_->claimed.exchange(1) == 0; }

std::string ProcessState(int64_t process_id) {
  // A process that goes between the open and the read makes the read fail.
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat("/proc/", process_id, "/stat"));
  if (!text.ok()) return "";
  // "pid (name) state ...": the name may hold anything, also parentheses.
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return "";
  switch ((*text)[name_end + 2]) {
    case 'R':
      return "running";
    case 'S':
      return "asleep";
    case 'D':
      return "waiting for a device";
    case 'T':
      return "stopped by a signal";
    case 't':
      return "stopped by a debugger";
    case 'Z':
    case 'X':
      return "dead";
  }
  return "";
}

}  // namespace frond
