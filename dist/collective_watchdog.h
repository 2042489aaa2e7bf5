// Ends a job whose ranks wait for each other in vain, with one line that says who, where and in
// what: a rank that died, hangs, or calls another collective than the others.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "dist/collective_call.h"
#include "dist/rank_board.h"

namespace frond {

// One per rank, shared by all its groups. A thread of its own looks at what is in progress a few
// times a second; it starts with the first collective. All methods may be called from any thread.
//
// Time is counted only while the process runs: a job that is stopped and continued as a whole, or
// whose machine sleeps, has not waited.
class CollectiveWatchdog {
 public:
  struct Options {
    int rank = 0;
    int size = 1;
    std::vector<std::string> hosts = {};  // by rank; may be empty
    RankBoard* board = nullptr;           // outlives the watchdog; may be null
    // Gets the line and ends the job. It may return in tests only.
    std::function<void(const std::string& line)> end_job = nullptr;
  };

  // Ranks of the world that have not arrived; called by the watchdog's thread.
  using Awaited = std::function<std::vector<int>()>;
  // Of a collective that runs by itself: true when it has ended; an error ends the job.
  using Poll = std::function<absl::StatusOr<bool>()>;

  explicit CollectiveWatchdog(Options options);
  ~CollectiveWatchdog();
  CollectiveWatchdog(const CollectiveWatchdog&) = delete;
  CollectiveWatchdog& operator=(const CollectiveWatchdog&) = delete;

  // Seconds that a collective may take; 0, the start: no limit, since before the first step one
  // rank may prepare data for hours. A dead rank or a mismatch ends the job in any case.
  void SetTimeout(double seconds);
  // The optimizer step (the first is 1) that later collectives belong to; -1: none.
  void SetStep(int64_t step);
  int64_t step() const;

  // A collective in which this rank is, from construction to destruction.
  class Scope {
   public:
    Scope(CollectiveWatchdog& watchdog, const CollectiveCall& call, Awaited awaited);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CollectiveWatchdog& watchdog_;
    uint64_t id_;
    std::chrono::steady_clock::time_point begin_;
  };

  // For how long this rank has been in Scopes since its start, in seconds: the time that its
  // collectives took, waiting for other ranks included.
  double SecondsInScopes() const;

  // A collective of `owner` that was started and ends by itself; `poll` is called until it does.
  void WatchUntilDone(const void* owner, const CollectiveCall& call, Poll poll);
  // `end` is called once the line is printed, before the process ends: it makes a device stop.
  void CallAtEnd(const void* owner, std::function<void()> end);
  // Nothing that `owner` gave is called after this.
  void Forget(const void* owner);

  // Ends the job with `what`, headed by this rank, its host and step. Of ranks of one machine that
  // say so at the same time one prints.
  void EndJob(const std::string& what);

 private:
  struct InProgress {
    uint64_t id = 0;
    const void* owner = nullptr;  // null: a Scope
    CollectiveCall call;
    Awaited awaited;
    Poll poll;
    double last_seen = 0;  // seconds of the clock at the last look, or at the begin
    double waited = 0;
    bool reported = false;
  };

  uint64_t Begin(InProgress entry);
  void End(uint64_t id);
  // On the board, after something has ended.
  void PostOldest();
  void Run();
  // One look; returns what to end the job with, or nothing.
  std::string Look();
  std::string LookAt(InProgress& entry, double now);
  std::string TimeoutText(const InProgress& entry) const;
  std::string DeathText(int dead) const;
  std::string Others(const std::vector<int>& awaited) const;
  std::string NameOf(int rank) const;
  // "outside of collectives since Barrier in step 7, 12 s"; empty where nothing is known.
  std::string StateOf(int rank) const;
  double Interval() const;
  [[noreturn]] void PrintAndAbort(const std::string& line);

  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::list<InProgress> in_progress_;
  std::vector<std::pair<const void*, std::function<void()>>> at_end_;
  uint64_t next_id_ = 0;
  int64_t step_ = -1;
  double timeout_ = 0;
  double seconds_in_scopes_ = 0;
  bool stopping_ = false;
  bool dead_reported_ = false;
  std::thread thread_;
};

}  // namespace frond
