// Times what a step does beside the model, against a plain copy of memory: first values, kept
// gradients, Adafactor and AdamW; under mpirun also the sum of the gradients over the ranks.
//
//     optim_bench [rows cols]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "core/ops/elementwise.h"
#include "dist/keep_grads.h"
#include "dist/world.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"

namespace frond {
namespace {

constexpr int kRepeats = 3;

double BestSeconds(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int i = 0; i < kRepeats; ++i) {
    const Clock::time_point begin = Clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

// `streams`: how often the call reads or writes each f32 element.
void Report(const char* what, double seconds, int64_t elements, double streams) {
  std::printf("%-24s %8.1f ms  %6.2f ns/element  %6.1f GB/s\n", what, seconds * 1e3,
              seconds * 1e9 / static_cast<double>(elements),
              streams * 4e-9 * static_cast<double>(elements) / seconds);
}

void BenchOptimizer(Context& ctx, const char* name, Optimizer& optimizer, ParamStore& store,
                    const KeepGrads& grads, double streams) {
  optimizer.Register(ctx, store);
  int64_t step = 0;
  Report(name, BestSeconds([&] {
           const StepInfo info{.step = step++, .learning_rate = 1e-3};
           for (const auto& param : store.params()) {
             optimizer.Update(ctx, *param, grads.Grad(*param), info);
           }
         }),
         store.num_elements(), streams);
}

int Main(int argc, char** argv) {
  auto world = CreateWorldCommunicator(argc, argv);
  CHECK_OK(world.status());
  // Every rank works, the first reports.
  if ((*world)->rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;
  const int64_t rows = argc > 2 ? std::atoll(argv[1]) : 250112;
  const int64_t cols = argc > 2 ? std::atoll(argv[2]) : 512;
  CpuAllocator memory;
  Context ctx(memory);
  ParamStore store(DType::kF32);
  Param& param = store.Add(
      Scope("embedding"), {.shape = {rows, cols}, .partition = {}, .init = Initializer::Normal(1)});
  const int64_t n = store.num_elements();
  store.Initialize(ctx, 1);
  Report("initialize (1 stream)", BestSeconds([&] { store.Initialize(ctx, 1); }), n, 1);
  KeepGrads grads(ctx, store);
  Report("zero gradients (1)", BestSeconds([&] { grads.StartStep(ctx); }), n, 1);
  Cast(ctx, param.value, grads.Open(ctx, param));
  Report("copy (2)", BestSeconds([&] { Cast(ctx, param.value, grads.Open(ctx, param)); }), n, 2);
  Report("sum over ranks, norm (3)",
         BestSeconds([&] { CHECK_OK(grads.Finish(ctx, **world).status()); }), n,
         (*world)->size() > 1 ? 3 : 1);
  Adafactor adafactor({});
  BenchOptimizer(ctx, "adafactor (6)", adafactor, store, grads, 6);
  AdamW adamw({});
  BenchOptimizer(ctx, "adamw (7)", adamw, store, grads, 7);
  return 0;
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Main(argc, argv); }
