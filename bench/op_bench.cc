// Times the large op cases of tests/core/ops/op_cases.h against the machine's matmul peak.
//
//     op_bench [--threads N] [--filter TEXT] [--repeats N]
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ops/matmul_peak.h"
#include "tests/core/ops/op_cases.h"

namespace frond::testing {
namespace {

struct Options {
  int threads = 1;
  int repeats = 7;
  std::string filter;
};

// A pattern, since normal values for a quarter million rows would take longer than the timing.
void FillWithPattern(View v) {
  VisitFloatType(v.dtype, [&](auto type) {
    using T = decltype(type);
    T* target = v.As<T>();
    for (int64_t i = 0; i < v.num_elements(); ++i) {
      target[i] = T(static_cast<float>((i * 37) % 101 - 50) * 0.01f);
    }
  });
}

class Operands {
 public:
  Operands(Context& ctx, const std::vector<TensorSpec>& specs, DType compute, bool gradients) {
    for (const TensorSpec& spec : specs) {
      if (gradients && spec.constant) {
        views.push_back(View{});
        continue;
      }
      tensors_.emplace_back(ctx, spec.shape, DTypeFor(spec, compute));
      FillWithPattern(tensors_.back());
      views.push_back(tensors_.back().view());
    }
  }
  Views views;

 private:
  std::vector<Tensor> tensors_;
};

double MedianSeconds(int repeats, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  run();
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) {
    const Clock::time_point begin = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void Print(const std::string& name, DType dtype, double seconds, double flops, double bytes,
           double peak) {
  std::printf("%-44s %-4s %9.3f ms", name.c_str(), std::string(DTypeName(dtype)).c_str(),
              seconds * 1e3);
  if (flops > 0) {
    std::printf(" %8.1f GFLOP/s %5.1f %% of peak", flops / seconds * 1e-9,
                100 * flops / seconds * 1e-9 / peak);
  }
  if (bytes > 0) std::printf(" %8.1f GB/s", bytes / seconds * 1e-9);
  std::printf("\n");
}

void PrintProfile(const Profiler& profiler) {
  for (const auto& [name, entry] : profiler.entries()) {
    std::printf("    %-40s %12.3f ms/call %6lld calls", name.c_str(),
                entry.seconds / static_cast<double>(entry.calls) * 1e3,
                static_cast<long long>(entry.calls));
    if (entry.flops > 0) std::printf(" %8.1f GFLOP/s", entry.flops / entry.seconds * 1e-9);
    std::printf("\n");
  }
}

void TimeCase(const OpCase& op, DType dtype, const Options& options, double peak) {
  CpuAllocator memory;
  Profiler profiler;
  Context ctx(memory, &profiler);
  const Operands in(ctx, op.inputs, dtype, false), out(ctx, op.outputs, dtype, false);
  const double forward =
      MedianSeconds(options.repeats, [&] { op.forward(ctx, in.views, out.views); });
  Print(op.name, dtype, forward, op.forward_flops, op.forward_bytes, peak);
  if (op.backward) {
    profiler.Reset();
    const Operands dout(ctx, op.outputs, dtype, true), din(ctx, op.inputs, dtype, true);
    const double backward = MedianSeconds(
        options.repeats, [&] { op.backward(ctx, in.views, out.views, dout.views, din.views); });
    Print(op.name + " grad", dtype, backward, op.backward_flops, op.backward_bytes, peak);
  }
  if (profiler.entries().size() > 1) PrintProfile(profiler);
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--threads") options.threads = std::atoi(argv[i + 1]);
    if (flag == "--repeats") options.repeats = std::atoi(argv[i + 1]);
    if (flag == "--filter") options.filter = argv[i + 1];
  }
  return options;
}

}  // namespace
}  // namespace frond::testing

int main(int argc, char** argv) {
  using namespace frond;
  const testing::Options options = testing::ParseOptions(argc, argv);
  omp_set_num_threads(options.threads);
  CpuAllocator memory;
  Context ctx(memory);
  std::map<DType, double> peaks;
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    peaks[dtype] = MeasureMatMulPeak(ctx, dtype);
    std::printf("matmul peak %-4s %d thread(s): %.1f GFLOP/s\n",
                std::string(DTypeName(dtype)).c_str(), options.threads, peaks[dtype]);
  }
  for (const testing::OpCase& op : testing::AllTimings()) {
    if (op.name.find(options.filter) == std::string::npos) continue;
    for (const DType dtype : op.dtypes) testing::TimeCase(op, dtype, options, peaks[dtype]);
  }
  return 0;
}
