// Fresh parameters: element i is a pure function of (seed, name, i), whatever the number of threads
// and the part that a rank holds.
//
// Normals come four at a time from one Philox call (Box-Muller), in f32 with polynomials for the
// logarithm and the sine, so that the whole loop vectorises: 300M parameters take about a second.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/base/philox.h"
#include "core/nn/param.h"
#include "core/ops/cpu/vector_clones.h"
#include "core/ops/master_pieces.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

constexpr int64_t kBlock = 1024;  // elements that a thread fills at once
constexpr int64_t kCalls = kBlock / 4;

// -2 ln(u) for u = (bits + 1) 2^-24 with 24 random bits, so u lies in (0, 1]. The polynomial is
// that of Cephes' logf.
inline __attribute__((always_inline)) float MinusTwoLog(uint32_t random) {
  const float u = static_cast<float>(static_cast<int32_t>((random >> 8) + 1)) * 0x1.0p-24f;
  // Split into mantissa in [1/sqrt(2), sqrt(2)) and exponent.
  const int32_t bits = std::bit_cast<int32_t>(u) - 0x3F3504F3;
  const float exponent = static_cast<float>(bits >> 23);
  const float mantissa = std::bit_cast<float>((bits & 0x7FFFFF) + 0x3F3504F3);
  const float x = mantissa - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * x - 1.1514610310e-1f;
  p = p * x + 1.1676998740e-1f;
  p = p * x - 1.2420140846e-1f;
  p = p * x + 1.4249322787e-1f;
  p = p * x - 1.6668057665e-1f;
  p = p * x + 2.0000714765e-1f;
  p = p * x - 2.4999993993e-1f;
  p = p * x + 3.3333331174e-1f;
  const float log = (x + (p * x - 0.5f) * x * x) + exponent * 0.693147180559945f;
  return std::max(-2.0f * log, 0.0f);
}

struct SinCos {
  float sin, cos;
};

// Sine and cosine of a uniform angle in [0, 2 pi).
inline __attribute__((always_inline)) SinCos RandomAngle(uint32_t random) {
  // The angle in quarter turns, as the nearest whole number and a rest in [-1/2, 1/2).
  const uint32_t quarter = ((random >> 29) + 1) >> 1;
  const float rest =
      static_cast<float>(static_cast<int32_t>(random - (quarter << 30)) >> 6) * 0x1.0p-24f;
  const float y = rest * 1.57079632679489662f;
  const float z = y * y;
  const float sin =
      y + y * z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f));
  const float cos =
      1.0f - 0.5f * z +
      z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
  const bool swap = (quarter & 1) != 0;
  const float s = swap ? cos : sin;
  const float c = swap ? sin : cos;
  const uint32_t sin_sign = (quarter & 2) << 30;
  const uint32_t cos_sign = ((quarter + 1) & 2) << 30;
  return {std::bit_cast<float>(std::bit_cast<uint32_t>(s) ^ sin_sign),
          std::bit_cast<float>(std::bit_cast<uint32_t>(c) ^ cos_sign)};
}

// Elements [first, first + kBlock) of the standard normal stream `key`, kCalls apart within a call.
FROND_VECTOR_CLONES void FillNormalBlock(uint64_t key, int64_t first, float* out) {
  const uint64_t call = static_cast<uint64_t>(first / 4);
  for (int64_t i = 0; i < kCalls; ++i) {
    const auto bits = Philox(key, call + static_cast<uint64_t>(i), 3);
    const float r0 = std::sqrt(MinusTwoLog(bits[0]));
    const float r1 = std::sqrt(MinusTwoLog(bits[2]));
    const SinCos a0 = RandomAngle(bits[1]);
    const SinCos a1 = RandomAngle(bits[3]);
    out[i] = r0 * a0.cos;
    out[i + kCalls] = r0 * a0.sin;
    out[i + 2 * kCalls] = r1 * a1.cos;
    out[i + 3 * kCalls] = r1 * a1.sin;
  }
}

// A run of a parameter's elements that lies within one block of its normal stream.
struct BlockRun {
  int64_t whole;  // index of the first in the whole parameter
  int64_t local;  // and in what is filled
  int64_t count;
};

// The part's elements [first, first + count) in such runs.
std::vector<BlockRun> BlockRuns(const ParamSlice& slice, int64_t first, int64_t count) {
  std::vector<BlockRun> runs;
  slice.ForRuns(first, count, [&](int64_t whole, int64_t local, int64_t n) {
    for (int64_t done = 0; done < n;) {
      const int64_t fits = std::min(n - done, kBlock - (whole + done) % kBlock);
      runs.push_back({whole + done, local + done - first, fits});
      done += fits;
    }
  });
  return runs;
}

template <class T>
void FillNormal(uint64_t key, double stddev, const std::vector<BlockRun>& runs, T* out) {
#pragma omp parallel for schedule(static)
  for (const BlockRun& run : runs) {
    alignas(64) float normal[kBlock];
    FillNormalBlock(key, run.whole / kBlock * kBlock, normal);
    const float* begin = normal + run.whole % kBlock;
    const T scale = static_cast<T>(stddev);
    for (int64_t i = 0; i < run.count; ++i) {
      out[run.local + i] = scale * static_cast<T>(begin[i]);
    }
  }
}

template <class T>
void FillConstant(double value, int64_t count, T* out) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(value);
}

// Elements [first, first + count) of the rows of the parameter that this rank owns.
template <class T>
void FillParam(const Param& param, uint64_t seed, int64_t first, int64_t count, T* out) {
  const Initializer& init = param.spec.init;
  if (init.kind == Initializer::Kind::kConstant) {
    FillConstant(init.scale, count, out);
    return;
  }
  FillNormal(MixBits(KeyFromText(param.name) ^ MixBits(seed)), init.scale,
             BlockRuns(param.owned, first, count), out);
}

}  // namespace

void ParamStore::Initialize(Context& ctx, uint64_t seed) {
  for (const auto& param : params_) Initialize(ctx, *param, seed);
}

void ParamStore::Initialize(Context& ctx, Param& param, uint64_t seed) {
  Allocate(ctx, param);
  CHECK_OK(FillMasterInPieces(&ctx.memory(), param.master(), [&](int64_t first, View piece) {
    if (piece.dtype == DType::kF64) {
      FillParam(param, seed, first, piece.num_elements(), piece.As<double>());
    } else {
      FillParam(param, seed, first, piece.num_elements(), piece.As<float>());
    }
    return absl::OkStatus();
  }));
}

}  // namespace frond
