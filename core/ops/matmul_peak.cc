#include "core/ops/matmul_peak.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/ops/cpu/elementwise.h"
#include "core/ops/cpu/matmul.h"
#include "core/ops/cuda/matmul.h"
#include "core/ops/dispatch.h"
#include "core/tensor/tensor.h"

namespace frond {
namespace {

constexpr double kSecondsPerShape = 0.13;

// The median rate of [m, k] x [k, n] with a packed right operand.
double MeasureShape(Context& ctx, DType dtype, int64_t m, int64_t n, int64_t k) {
  using Clock = std::chrono::steady_clock;
  Tensor a(ctx, {m, k}, dtype, MemoryKind::kWorkspace);
  Tensor b(ctx, {n, k}, dtype, MemoryKind::kWorkspace);
  Tensor c(ctx, {m, n}, dtype, MemoryKind::kWorkspace);
  cpu::Fill(ctx, 1.0, a.view());
  cpu::Fill(ctx, 1.0 / static_cast<double>(k), b.view());
  PackedWeight packed;
  cpu::PackWeight(ctx, b, Trans::kYes, dtype, packed);

  std::vector<double> seconds;
  double total = 0;
  while (total < kSecondsPerShape || seconds.size() < 3) {
    const Clock::time_point begin = Clock::now();
    cpu::MatMulPacked(ctx, a, packed, Trans::kYes, Write::kAssign, c);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    total += seconds.back();
  }
  std::nth_element(seconds.begin(), seconds.begin() + std::ssize(seconds) / 2, seconds.end());
  const double flops =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  return flops / seconds[seconds.size() / 2] * 1e-9;
}

double MeasureOnCpu(Context& ctx, DType dtype) {
  // Which shape suits the caches best differs between machines.
  return std::max({MeasureShape(ctx, dtype, 1024, 1024, 512),
                   MeasureShape(ctx, dtype, 1536, 1536, 1024),
                   MeasureShape(ctx, dtype, 2048, 2048, 2048)});
}

}  // namespace

double MeasureMatMulPeak(Context& ctx, DType dtype) {
  return Dispatch<MeasureOnCpu, cuda::MeasureMatMulPeak>(ctx, dtype);
}

}  // namespace frond
