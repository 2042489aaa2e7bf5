#include "dist/collective_watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"
#include "dist/world.h"

namespace frond {
namespace {

// Between two looks, at most.
constexpr double kLongestInterval = 0.25;
// What an end of the job may take before this process ends by itself.
constexpr std::chrono::seconds kEndPatience(5);
// For the rank that prints, while the others hold still.
constexpr std::chrono::seconds kOtherRanksPatience(10);
constexpr size_t kMostNamedRanks = 8;

double NowSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string Seconds(double seconds) {
  return seconds < 10 ? absl::StrCat(std::round(seconds * 10) / 10, " s")
                      : absl::StrCat(std::llround(seconds), " s");
}

// All at once, so that lines of several ranks do not mix.
void PrintLine(const std::string& line) {
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

CollectiveWatchdog::CollectiveWatchdog(Options options) : options_(std::move(options)) {
  if (options_.end_job == nullptr) {
    options_.end_job = [this](const std::string& line) { PrintAndAbort(line); };
  }
}

CollectiveWatchdog::~CollectiveWatchdog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CollectiveWatchdog::SetTimeout(double seconds) {
  CHECK_GE(seconds, 0);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    timeout_ = seconds;
  }
  wake_.notify_all();
}

void CollectiveWatchdog::SetStep(int64_t step) {
  const std::lock_guard<std::mutex> lock(mutex_);
  step_ = step;
}

int64_t CollectiveWatchdog::step() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return step_;
}

CollectiveWatchdog::Scope::Scope(CollectiveWatchdog& watchdog, const CollectiveCall& call,
                                 Awaited awaited)
    : watchdog_(watchdog),
      id_(watchdog.Begin({.call = call, .awaited = std::move(awaited)})),
      begin_(std::chrono::steady_clock::now()) {}

CollectiveWatchdog::Scope::~Scope() {
  watchdog_.End(id_);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
  const std::lock_guard<std::mutex> lock(watchdog_.mutex_);
  watchdog_.seconds_in_scopes_ += seconds.count();
}

double CollectiveWatchdog::SecondsInScopes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return seconds_in_scopes_;
}

void CollectiveWatchdog::WatchUntilDone(const void* owner, const CollectiveCall& call, Poll poll) {
  Begin({.owner = owner, .call = call, .poll = std::move(poll)});
}

void CollectiveWatchdog::CallAtEnd(const void* owner, std::function<void()> end) {
  const std::lock_guard<std::mutex> lock(mutex_);
  at_end_.emplace_back(owner, std::move(end));
}

void CollectiveWatchdog::Forget(const void* owner) {
  const std::lock_guard<std::mutex> lock(mutex_);
  in_progress_.remove_if([&](const InProgress& entry) { return entry.owner == owner; });
  std::erase_if(at_end_, [&](const auto& entry) { return entry.first == owner; });
}

uint64_t CollectiveWatchdog::Begin(InProgress entry) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (options_.board != nullptr) options_.board->PostInside(entry.call);
  entry.id = next_id_;
  entry.last_seen = NowSeconds();
  in_progress_.push_back(std::move(entry));
  if (!thread_.joinable()) {
    // Signals are for the main thread.
    sigset_t all, before;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, &before), 0);
    thread_ = std::thread([this] { Run(); });
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  }
  return next_id_++;
}

void CollectiveWatchdog::End(uint64_t id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  in_progress_.remove_if([&](const InProgress& entry) { return entry.id == id; });
  PostOldest();
}

void CollectiveWatchdog::PostOldest() {
  if (options_.board == nullptr) return;
  if (in_progress_.empty()) {
    options_.board->PostOutside();
  } else {
    options_.board->PostInside(in_progress_.front().call);
  }
}

double CollectiveWatchdog::Interval() const {
  return timeout_ == 0 ? kLongestInterval : std::min(timeout_ / 8, kLongestInterval);
}

void CollectiveWatchdog::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    const std::string what = Look();
    if (!what.empty()) {
      lock.unlock();  // whoever ends a collective meanwhile must not hang for this
      EndJob(what);
      lock.lock();
    }
    wake_.wait_for(lock, std::chrono::duration<double>(Interval()));
  }
}

std::string CollectiveWatchdog::Look() {
  const double now = NowSeconds();
  for (auto entry = in_progress_.begin(); entry != in_progress_.end();) {
    if (entry->poll != nullptr && !entry->reported) {
      const absl::StatusOr<bool> done = entry->poll();
      if (done.ok() && *done) {
        entry = in_progress_.erase(entry);
        PostOldest();
        continue;
      }
      if (!done.ok()) {
        entry->reported = true;
        return absl::StrCat(Describe(entry->call),
                            " failed: ", std::string(done.status().message()));
      }
    }
    const std::string what = LookAt(*entry, now);
    if (!what.empty()) return what;
    ++entry;
  }
  if (options_.board == nullptr || dead_reported_) return "";
  const std::optional<int> dead = options_.board->FindDead();
  if (!dead.has_value()) return "";
  dead_reported_ = true;
  return DeathText(*dead);
}

std::string CollectiveWatchdog::DeathText(int dead) const {
  const std::string state = StateOf(dead);
  return absl::StrCat(NameOf(dead), " has ended without leaving the job", state.empty() ? "" : ": ",
                      state, "; this rank is ",
                      in_progress_.empty()
                          ? "outside of collectives"
                          : absl::StrCat("in ", Describe(in_progress_.front().call)));
}

std::string CollectiveWatchdog::LookAt(InProgress& entry, double now) {
  // A longer gap than the looks leave means that this process did not run.
  const double longest = std::max(4 * Interval(), std::min(timeout_ / 4, 1.0));
  entry.waited += std::clamp(now - entry.last_seen, 0.0, longest);
  entry.last_seen = now;
  if (timeout_ == 0 || entry.waited < timeout_ || entry.reported) return "";
  entry.reported = true;
  return TimeoutText(entry);
}

std::string CollectiveWatchdog::TimeoutText(const InProgress& entry) const {
  const std::vector<int> awaited = entry.awaited != nullptr ? entry.awaited() : std::vector<int>{};
  return absl::StrCat(Describe(entry.call), " (number ", entry.call.sequence,
                      " of its group) has not ended after ", Seconds(entry.waited), "; ",
                      Others(awaited));
}

// Who is waited for, or, where nobody knows, what the ranks of this machine are at.
std::string CollectiveWatchdog::Others(const std::vector<int>& awaited) const {
  std::vector<int> ranks = awaited;
  if (ranks.empty() && options_.board != nullptr) {
    ranks = options_.board->ranks();
    std::erase(ranks, options_.rank);
  }
  if (ranks.empty()) return "which rank is missing is not known";
  std::vector<std::string> texts;
  for (const int rank : ranks) {
    if (texts.size() == kMostNamedRanks) {
      texts.push_back(absl::StrCat("and ", ranks.size() - kMostNamedRanks, " more"));
      break;
    }
    const std::string state = StateOf(rank);
    texts.push_back(absl::StrCat(NameOf(rank), state.empty() ? "" : ": ", state));
  }
  return absl::StrCat(awaited.empty() ? "of this machine, " : "waiting for ",
                      absl::StrJoin(texts, "; "));
}

std::string CollectiveWatchdog::NameOf(int rank) const {
  const auto at = static_cast<size_t>(rank);
  return at < options_.hosts.size() ? absl::StrCat("rank ", rank, " on ", options_.hosts[at])
                                    : absl::StrCat("rank ", rank);
}

std::string CollectiveWatchdog::StateOf(int rank) const {
  const auto posted =
      options_.board != nullptr ? options_.board->Read(rank) : std::optional<RankBoard::Posted>();
  if (!posted.has_value()) return "";
  const std::string step =
      posted->call.step < 0 ? "" : absl::StrCat(" in step ", posted->call.step);
  std::string text =
      absl::StrCat(posted->inside ? "in " : "outside of collectives since ", Describe(posted->call),
                   step, posted->inside ? " for " : ", ", Seconds(posted->seconds));
  if (posted->process_id != 0) {
    const std::string state = ProcessState(posted->process_id);
    absl::StrAppend(&text, ", process ", posted->process_id, " ", state.empty() ? "gone" : state);
  }
  return text;
}

void CollectiveWatchdog::PrintAndAbort(const std::string& line) {
  if (options_.board == nullptr || options_.board->ClaimReport()) {
    PrintLine(line);
  } else {
    std::this_thread::sleep_for(kOtherRanksPatience);  // the rank that prints ends this one
  }
  // What follows may wait for a thread or a device that hangs.
  std::thread([] {
    std::this_thread::sleep_for(kEndPatience);
    std::_Exit(1);
  }).detach();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [owner, end] : at_end_) end();
  }
  AbortWorld(1);
}

void CollectiveWatchdog::EndJob(const std::string& what) {
  const int64_t current = step();
  const auto rank = static_cast<size_t>(options_.rank);
  const std::string host =
      rank < options_.hosts.size() ? absl::StrCat(" on ", options_.hosts[rank]) : "";
  options_.end_job(absl::StrCat("frond: rank ", options_.rank, " of ", options_.size, host,
                                current < 0 ? "" : absl::StrCat(", step ", current), ": ", what,
                                "; ending the job"));
}

}  // namespace frond
