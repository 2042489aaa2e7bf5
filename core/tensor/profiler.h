// Seconds, floating-point operations and bytes per op name: the profile of a step.
//
// A device works behind the host's back: without a wait, what a scope times there is the launch.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace frond {

class Profiler {
 public:
  struct Entry {
    double seconds = 0;
    double flops = 0;
    double bytes = 0;  // read and written by ops whose time is that of memory
    int64_t calls = 0;
  };
  void Add(absl::string_view name, double seconds, double flops, double bytes = 0) {
    Entry& entry = entries_[std::string(name)];
    entry.seconds += seconds;
    entry.flops += flops;
    entry.bytes += bytes;
    ++entry.calls;
  }
  // Counts operations and bytes only: reading a clock around every op costs more than an op that
  // computes nothing.
  void LeaveOutSeconds() { times_ = false; }
  bool times() const { return times_; }
  // `wait` returns when all work given to the device is done; scopes call it at both ends. Empty:
  // they do not wait.
  void WaitForDevice(std::function<void()> wait) { wait_ = std::move(wait); }
  bool waits() const { return wait_ != nullptr; }
  void Wait() const {
    if (wait_ != nullptr) wait_();
  }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  void Reset() { entries_.clear(); }

 private:
  std::map<std::string, Entry> entries_;
  std::function<void()> wait_;
  bool times_ = true;
};

// Times its own life. Scopes of ops do not nest, so that the entries add up to the step.
class ProfileScope {
 public:
  using Clock = std::chrono::steady_clock;
  ProfileScope(Profiler* profiler, absl::string_view name, double flops = 0, size_t bytes = 0)
      : profiler_(profiler), name_(name), flops_(flops), bytes_(static_cast<double>(bytes)) {
    if (profiler_ == nullptr) return;
    profiler_->Wait();
    if (profiler_->times()) begin_ = Clock::now();
  }
  ~ProfileScope() {
    if (profiler_ == nullptr) return;
    profiler_->Wait();
    const Clock::time_point end = profiler_->times() ? Clock::now() : begin_;
    profiler_->Add(name_, std::chrono::duration<double>(end - begin_).count(), flops_, bytes_);
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  Profiler* profiler_;
  absl::string_view name_;
  double flops_;
  double bytes_;
  Clock::time_point begin_;
};

}  // namespace frond
