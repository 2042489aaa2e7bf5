#include "launch/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/check.h"

namespace frond {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGINT);
  return set;
}

// The next Ctrl-C ends the process as if nobody listened.
void LetInterruptsThrough() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t set = StopSet();
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK_GE(fd_, 0);
}

StopSignal::~StopSignal() { ::close(fd_); }

bool StopSignal::Requested() {
  signalfd_siginfo info;
  while (::read(fd_, &info, sizeof(info)) == sizeof(info)) {
    requested_ = true;
    if (info.ssi_signo == SIGINT) LetInterruptsThrough();
  }
  return requested_;
}

}  // namespace frond
