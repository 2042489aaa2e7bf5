#include "core/ops/cpu/elementwise.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/ops/cpu/blocks.h"
#include "core/ops/cpu/row_convert.h"
#include "core/ops/cpu/vector_clones.h"

namespace frond::cpu {
namespace {

FROND_VECTOR_CLONES double SquaresF32(const float* x, int64_t n) {
  constexpr int kLanes = 32;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) lanes[j] += static_cast<double>(x[i + j]) * x[i + j];
  }
  double sum = 0;
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  for (int j = 0; j < kLanes; ++j) sum += lanes[j];
  return sum;
}

double Squares(const float* x, int64_t n) { return SquaresF32(x, n); }
double Squares(const BFloat16* x, int64_t n) {
  float wide[kBlock];
  ConvertRun(x, wide, n);
  return SquaresF32(wide, n);
}
double Squares(const double* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

// An element is finite where its exponent has a zero bit: OR of x - x is exact and cheap, but would
// be folded by an optimiser that assumes finite numbers; the bits are not.
FROND_VECTOR_CLONES uint32_t NonFiniteF32(const uint32_t* bits, int64_t n) {
  uint32_t found = 0;
  for (int64_t i = 0; i < n; ++i) found |= (bits[i] & 0x7F800000u) == 0x7F800000u ? 1u : 0u;
  return found;
}

FROND_VECTOR_CLONES uint32_t NonFiniteBF16(const uint16_t* bits, int64_t n) {
  uint16_t found = 0;
  for (int64_t i = 0; i < n; ++i) found |= (bits[i] & 0x7F80u) == 0x7F80u ? 1u : 0u;
  return found;
}

bool HasNonFinite(const float* x, int64_t n) {
  return NonFiniteF32(reinterpret_cast<const uint32_t*>(x), n) != 0;
}
bool HasNonFinite(const BFloat16* x, int64_t n) {
  return NonFiniteBF16(reinterpret_cast<const uint16_t*>(x), n) != 0;
}
bool HasNonFinite(const double* x, int64_t n) {
  constexpr uint64_t kExponent = uint64_t{0x7FF} << 52;
  return std::any_of(x, x + n, [](double value) {
    return (std::bit_cast<uint64_t>(value) & kExponent) == kExponent;
  });
}

// y[i] = alpha x[i] or y[i] += alpha x[i] for dtypes without a fast path.
template <class X, class Y>
void ScaleRun(double alpha, const X* x, Write mode, Y* y, int64_t n) {
  const auto wide = [](auto value) {
    if constexpr (std::is_same_v<decltype(value), BFloat16>) {
      return static_cast<double>(static_cast<float>(value));
    } else {
      return static_cast<double>(value);
    }
  };
  for (int64_t i = 0; i < n; ++i) {
    const double sum = (mode == Write::kAccumulate ? wide(y[i]) : 0.0) + alpha * wide(x[i]);
    if constexpr (std::is_same_v<Y, BFloat16>) {
      y[i] = BFloat16(static_cast<float>(sum));
    } else {
      y[i] = static_cast<Y>(sum);
    }
  }
}

template <class X, class Y>
void AddScaledBlock(double alpha, const X* x, Write mode, Y* y, int64_t n) {
  if constexpr (std::is_same_v<Y, float> && !std::is_same_v<X, double>) {
    if (mode == Write::kAccumulate) return AddScaledRun(static_cast<float>(alpha), x, y, n);
    return ScaledRun(static_cast<float>(alpha), x, y, n);
  } else {
    ScaleRun(alpha, x, mode, y, n);
  }
}

}  // namespace

void Cast(Context&, ConstView x, View y) {
  VisitFloatType(x.dtype, [&](auto from) {
    VisitFloatType(y.dtype, [&](auto to) {
      const auto* source = x.As<decltype(from)>();
      auto* target = y.As<decltype(to)>();
      ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
        ConvertRun(source + begin, target + begin, end - begin);
      });
    });
  });
}

void Fill(Context&, double value, View x) {
  VisitFloatType(x.dtype, [&](auto type) {
    using T = decltype(type);
    T* target = x.As<T>();
    T element;
    const double source = value;
    ConvertRun(&source, &element, 1);
    ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
      std::fill(target + begin, target + end, element);
    });
  });
}

void AddScaled(Context&, double alpha, ConstView x, Write mode, View y) {
  VisitFloatType(x.dtype, [&](auto from) {
    VisitFloatType(y.dtype, [&](auto to) {
      const auto* source = x.As<decltype(from)>();
      auto* target = y.As<decltype(to)>();
      ForBlocks(x.num_elements(), [&](int64_t begin, int64_t end) {
        AddScaledBlock(alpha, source + begin, mode, target + begin, end - begin);
      });
    });
  });
}

double SumOfSquares(Context&, ConstView x) {
  const int64_t n = x.num_elements();
  std::vector<double> parts(static_cast<size_t>((n + kBlock - 1) / kBlock));
  VisitFloatType(x.dtype, [&](auto type) {
    const auto* source = x.As<decltype(type)>();
    ForBlocks(n, [&](int64_t begin, int64_t end) {
      parts[static_cast<size_t>(begin / kBlock)] = Squares(source + begin, end - begin);
    });
  });
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

std::vector<double> SumsOfSquares(Context& ctx, std::span<const ConstView> tensors) {
  std::vector<double> sums;
  for (const ConstView& x : tensors) sums.push_back(SumOfSquares(ctx, x));
  return sums;
}

bool AllFinite(Context&, ConstView x) {
  const int64_t n = x.num_elements();
  std::vector<uint8_t> bad(static_cast<size_t>((n + kBlock - 1) / kBlock));
  VisitFloatType(x.dtype, [&](auto type) {
    const auto* source = x.As<decltype(type)>();
    ForBlocks(n, [&](int64_t begin, int64_t end) {
      bad[static_cast<size_t>(begin / kBlock)] = HasNonFinite(source + begin, end - begin);
    });
  });
  return std::find(bad.begin(), bad.end(), 1) == bad.end();
}

}  // namespace frond::cpu
