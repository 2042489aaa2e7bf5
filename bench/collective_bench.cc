// Times the collectives of a step, per call, best of a few rounds. Run under mpirun.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "dist/world.h"

namespace frond {
namespace {

constexpr int kRounds = 7;

double BestMicroseconds(int calls, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    best = std::min(best, std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  return best / calls;
}

int Main(int argc, char** argv) {
  auto world = CreateWorldCommunicator(argc, argv);
  CHECK_OK(world.status());
  Communicator& ranks = **world;
  CpuAllocator memory;
  Context ctx(memory);
  const auto report = [&](const char* what, int64_t n, double microseconds) {
    if (ranks.rank() == 0) std::printf("%-20s %9ld %12.2f us\n", what, long{n}, microseconds);
  };
  report("Barrier", 0, BestMicroseconds(2000, [&] { ranks.Barrier(); }));
  report("AllGatherBytes", 1, BestMicroseconds(2000, [&] { ranks.AllGatherBytes("x"); }));
  for (const int64_t n : {1, 1000, 10000, 100000, 8 << 20}) {
    const int calls = n > 1000000 ? 2 : 500;
    Tensor x(ctx, {n}, DType::kF32), all(ctx, {n * ranks.size()}, DType::kF32);
    std::fill_n(x.As<float>(), n, 0.0f);
    report("AllReduce of f32", n,
           BestMicroseconds(calls, [&] { ranks.AllReduce(ctx, x, Reduce::kSum).Wait(); }));
    report("AllGather of f32", n,
           BestMicroseconds(calls, [&] { ranks.AllGather(ctx, x, all).Wait(); }));
  }
  return 0;
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Main(argc, argv); }
