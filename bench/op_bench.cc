// Times the large op cases of tests/core/ops/op_cases.h against the machine's matmul peak.
//
//     op_bench [--threads N] [--filter TEXT] [--repeats N]
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "core/ops/matmul.h"
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

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Seconds(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A packed product that runs near the peak. A shared machine's clock changes from one moment to the
// next, so each timing stands beside one of this.
class Probe {
 public:
  Probe(Context& ctx, DType dtype) : ctx_(ctx) {
    constexpr int64_t kDim = 1024;
    a_ = Tensor(ctx, {kDim, kDim}, dtype);
    c_ = Tensor(ctx, {kDim, kDim}, dtype);
    FillWithPattern(a_);
    PackWeight(ctx, a_, Trans::kYes, dtype, packed_);
    flops_ = 2.0 * kDim * kDim * kDim;
  }
  double Rate() {
    return flops_ /
           Seconds([&] { MatMulPacked(ctx_, a_, packed_, Trans::kYes, Write::kAssign, c_); });
  }

 private:
  Context& ctx_;
  Tensor a_, c_;
  PackedWeight packed_;
  double flops_;
};

struct Timing {
  double seconds;    // median
  double peak_rate;  // median of the probe's FLOP/s beside it
};

Timing TimeBesidePeak(int repeats, Probe& probe, const std::function<void()>& run) {
  run();
  std::vector<double> seconds, rates;
  for (int i = 0; i < repeats; ++i) {
    rates.push_back(probe.Rate());
    seconds.push_back(Seconds(run));
    rates.push_back(probe.Rate());
  }
  return {Median(seconds), Median(rates)};
}

void Print(const std::string& name, DType dtype, const Timing& timing, double flops, double bytes) {
  std::printf("%-40s %-4s %9.3f ms", name.c_str(), std::string(DTypeName(dtype)).c_str(),
              timing.seconds * 1e3);
  if (flops > 0) {
    std::printf(" %7.1f of %7.1f GFLOP/s %5.1f %%", flops / timing.seconds * 1e-9,
                timing.peak_rate * 1e-9, 100 * flops / timing.seconds / timing.peak_rate);
  }
  if (bytes > 0) std::printf(" %8.1f GB/s", bytes / timing.seconds * 1e-9);
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

void TimeCase(const OpCase& op, DType dtype, const Options& options) {
  CpuAllocator memory;
  Profiler profiler;
  Context ctx(memory, &profiler), probe_ctx(memory);
  Probe probe(probe_ctx, dtype);
  const Operands in(ctx, op.inputs, dtype, false), out(ctx, op.outputs, dtype, false);
  const Timing forward =
      TimeBesidePeak(options.repeats, probe, [&] { op.forward(ctx, in.views, out.views); });
  Print(op.name, dtype, forward, op.forward_flops, op.forward_bytes);
  if (op.backward) {
    profiler.Reset();
    const Operands dout(ctx, op.outputs, dtype, true), din(ctx, op.inputs, dtype, true);
    const Timing backward = TimeBesidePeak(options.repeats, probe, [&] {
      op.backward(ctx, in.views, out.views, dout.views, din.views);
    });
    Print(op.name + " grad", dtype, backward, op.backward_flops, op.backward_bytes);
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
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    std::printf("matmul peak %-4s %d thread(s): %.1f GFLOP/s\n",
                std::string(DTypeName(dtype)).c_str(), options.threads,
                MeasureMatMulPeak(ctx, dtype));
  }
  for (const testing::OpCase& op : testing::AllTimings()) {
    if (op.name.find(options.filter) == std::string::npos) continue;
    for (const DType dtype : op.dtypes) testing::TimeCase(op, dtype, options);
  }
  return 0;
}
