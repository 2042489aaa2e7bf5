// Run under mpirun: a job whose last rank does not do what the others do. faulty_rank_test.py looks
// at how it ends.
//
// usage: faulty_rank FAULT TIMEOUT_SECONDS
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include "dist/collective_watchdog.h"
#include "dist/world.h"

namespace frond {
namespace {

struct Rank {
  Communicator& world;
  CpuAllocator memory;
  Context ctx{memory};

  bool IsLast() const { return world.rank() + 1 == world.size(); }
  void AllReduce(int64_t n, DType dtype = DType::kF32) {
    Tensor x(ctx, {n}, dtype);
    world.AllReduce(ctx, x, Reduce::kSum).Wait();
  }
  void AllGather(int64_t n) {
    Tensor x(ctx, {n}, DType::kF32), all(ctx, {n * world.size()}, DType::kF32);
    world.AllGather(ctx, x, all).Wait();
  }
};

void SleepSeconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// Long enough for the other ranks to be waiting when this one dies.
constexpr double kOthersWait = 0.5;

void Killed(Rank& rank) {
  if (rank.IsLast()) {
    SleepSeconds(kOthersWait);
    ::raise(SIGKILL);
  }
  rank.AllReduce(10);
}

void Exits(Rank& rank) {
  if (rank.IsLast()) {
    SleepSeconds(kOthersWait);
    std::_Exit(0);
  }
  rank.AllReduce(10);
}

void Stopped(Rank& rank) {
  if (rank.IsLast()) ::raise(SIGSTOP);
  rank.AllReduce(10);
}

void Loops(Rank& rank) {
  if (rank.IsLast()) {
    for (std::atomic<uint64_t> turns = 0;; ++turns) {
    }
  }
  rank.AllReduce(1 << 20);
}

// Stops itself in the midst of a large reduction, all ranks being in it.
void StopsInside(Rank& rank) {
  std::thread stopper;
  if (rank.IsLast()) {
    stopper = std::thread([] {
      SleepSeconds(0.2);
      ::raise(SIGSTOP);
    });
  }
  for (int i = 0; i < 1000000; ++i) rank.AllReduce(1 << 18);
  if (stopper.joinable()) stopper.join();
}

void CallsAnother(Rank& rank) {
  if (rank.IsLast()) {
    rank.AllGather(10);
  } else {
    rank.AllReduce(10);
  }
}

void OtherCount(Rank& rank) { rank.AllReduce(rank.IsLast() ? 1 << 20 : 10); }

void OtherDType(Rank& rank) { rank.AllReduce(100000, rank.IsLast() ? DType::kI32 : DType::kF32); }

// One waits in the world, the other in a group of its own making.
void OtherGroup(Rank& rank) {
  const std::unique_ptr<Communicator> all = rank.world.Split(0, rank.world.rank());
  if (rank.IsLast()) {
    all->Barrier();
  } else {
    rank.AllReduce(10);
  }
}

// Slow, but within the time-out.
void Slow(Rank& rank) {
  for (int i = 0; i < 3; ++i) {
    if (rank.IsLast()) SleepSeconds(0.5);
    rank.AllReduce(10);
  }
}

// Long enough to be stopped and continued from outside while ranks wait.
void Pauses(Rank& rank) {
  std::cout << "pid " << ::getpid() << std::endl;
  for (int i = 0; i < 20; ++i) {
    if (rank.IsLast()) SleepSeconds(0.1);
    rank.AllReduce(10);
  }
}

const std::map<std::string, void (*)(Rank&)>& Faults() {
  static const std::map<std::string, void (*)(Rank&)> faults = {{"killed", Killed},
                                                                {"exits", Exits},
                                                                {"stopped", Stopped},
                                                                {"loops", Loops},
                                                                {"stops_inside", StopsInside},
                                                                {"calls_another", CallsAnother},
                                                                {"other_count", OtherCount},
                                                                {"other_dtype", OtherDType},
                                                                {"other_group", OtherGroup},
                                                                {"slow", Slow},
                                                                {"pauses", Pauses}};
  return faults;
}

int Main(int argc, char** argv) {
  // As training does it, to finish a step before it ends.
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &held, nullptr);
  auto world = CreateWorldCommunicator(argc, argv);
  if (!world.ok() || argc != 3) {
    std::cerr << "usage: mpirun faulty_rank FAULT TIMEOUT_SECONDS" << std::endl;
    return 2;
  }
  (*world)->watchdog().SetTimeout(std::strtod(argv[2], nullptr));
  (*world)->watchdog().SetStep(11);
  (*world)->Barrier();
  (*world)->watchdog().SetStep(12);
  {
    Rank rank{**world};
    Faults().at(argv[1])(rank);
  }
  (*world)->Barrier();
  return 0;
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Main(argc, argv); }
