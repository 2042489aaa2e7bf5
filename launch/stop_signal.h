// SIGTERM, SIGUSR1 and SIGINT (Ctrl-C) as a flag to look at: finish the step, save, leave.
#pragma once

namespace frond {

// Blocks the signals in the calling thread (and the threads it starts later) and reads them from a
// file descriptor, so that nothing is interrupted. A second SIGINT, once the first was seen, ends
// the process. One per process, made before other threads.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Whether one of the signals has arrived so far.
  bool Requested();

 private:
  int fd_;
  bool requested_ = false;
};

}  // namespace frond
