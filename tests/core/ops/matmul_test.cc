// What the case table does not reach: packs that are made anew, thread counts, the peak.
#include "core/ops/matmul.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "core/base/philox.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul_peak.h"
#include "core/tensor/float_halves.h"

namespace frond {
namespace {

class MatMulTest : public ::testing::Test {
 protected:
  MatMulTest() : ctx_(memory_), seed_(std::random_device{}()) {
    RecordProperty("seed", std::to_string(seed_));
  }

  Tensor Normal(Shape shape, DType dtype, uint64_t stream) {
    Tensor wide(ctx_, shape, DType::kF64), out(ctx_, shape, dtype);
    double* values = wide.As<double>();
    for (int64_t i = 0; i < shape.num_elements(); ++i) {
      values[i] = NormalAt(seed_ + stream, static_cast<uint64_t>(i));
    }
    Cast(ctx_, wide, out);
    return out;
  }

  // |x - y| / |y|.
  double Difference(const Tensor& x, const Tensor& y) {
    Tensor a(ctx_, x.shape(), DType::kF64);
    Cast(ctx_, x, a);
    AddScaled(ctx_, -1.0, y, Write::kAccumulate, a);
    return std::sqrt(SumOfSquares(ctx_, a) / SumOfSquares(ctx_, y));
  }

  CpuAllocator memory_;
  Context ctx_;
  uint64_t seed_;
};

TEST_F(MatMulTest, PackFromF32EqualsPackOfTheRoundedWeight) {
  const Tensor weight = Normal({130, 70}, DType::kF32, 1);
  // As weights are rounded: halves away from zero (core/tensor/float_halves.h).
  Tensor rounded(ctx_, weight.shape(), DType::kBF16);
  for (int64_t i = 0; i < weight.view().num_elements(); ++i) {
    const auto bits = std::bit_cast<uint32_t>(weight.As<float>()[i]);
    rounded.As<BFloat16>()[i] = BFloat16FromBits(HighHalf(bits));
  }
  for (const Trans trans : {Trans::kYes, Trans::kNo}) {
    PackedWeight from_f32, from_bf16;
    PackWeight(ctx_, weight, trans, DType::kBF16, from_f32);
    PackWeight(ctx_, rounded, trans, DType::kBF16, from_bf16);
    const int64_t in = trans == Trans::kYes ? 70 : 130, out = 200 - in;
    const Tensor x = Normal({9, in}, DType::kBF16, 2);
    Tensor y(ctx_, {9, out}, DType::kF32), z(ctx_, {9, out}, DType::kF32);
    MatMulPacked(ctx_, x, from_f32, trans, Write::kAssign, y);
    MatMulPacked(ctx_, x, from_bf16, trans, Write::kAssign, z);
    EXPECT_EQ(std::memcmp(y.As<float>(), z.As<float>(), y.bytes()), 0) << seed_;
  }
}

TEST_F(MatMulTest, RepackingKeepsTheMemoryAndTakesTheNewValues) {
  PackedWeight packed;
  const Tensor x = Normal({5, 64}, DType::kF32, 1);
  for (uint64_t step = 0; step < 3; ++step) {
    const Tensor weight = Normal({96, 64}, DType::kF32, 10 + step);
    const void* before = packed.empty() ? nullptr : packed.storage_.view().data;
    PackWeight(ctx_, weight, Trans::kYes, DType::kF32, packed);
    if (step > 0) {
      EXPECT_EQ(packed.storage_.view().data, before);
    }
    Tensor y(ctx_, {5, 96}, DType::kF32), z(ctx_, {5, 96}, DType::kF32);
    MatMulPacked(ctx_, x, packed, Trans::kYes, Write::kAssign, y);
    MatMul(ctx_, x, Trans::kNo, weight, Trans::kYes, Write::kAssign, z);
    EXPECT_LE(Difference(y, z), 1e-6) << seed_;
  }
}

// One pack serves any number of rows, also under another number of threads than it was made with.
TEST_F(MatMulTest, OnePackServesAllRowsAndThreads) {
  const int threads = omp_get_max_threads();
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Tensor weight = Normal({384, 512}, dtype, 1);
    PackedWeight packed;
    omp_set_num_threads(2);
    PackWeight(ctx_, weight, Trans::kYes, dtype, packed);
    for (const int used : {1, 2, 3}) {
      omp_set_num_threads(used);
      for (const int64_t rows : {1, 2, 15, 16, 100, 700}) {
        const Tensor x = Normal({rows, 512}, dtype, 2);
        Tensor y(ctx_, {rows, 384}, DType::kF32), z(ctx_, {rows, 384}, DType::kF32);
        MatMulPacked(ctx_, x, packed, Trans::kYes, Write::kAssign, y);
        MatMul(ctx_, x, Trans::kNo, weight, Trans::kYes, Write::kAssign, z);
        EXPECT_LE(Difference(y, z), 1e-6)
            << DTypeName(dtype) << " " << rows << " rows, " << used << " threads, seed " << seed_;
      }
    }
  }
  omp_set_num_threads(threads);
}

TEST_F(MatMulTest, WhatIsAddedMayLieInTheResult) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Tensor x = Normal({9, 64}, dtype, 1), weight = Normal({48, 64}, dtype, 2);
    const Tensor addend = Normal({9, 48}, dtype, 3);
    PackedWeight packed;
    PackWeight(ctx_, weight, Trans::kYes, dtype, packed);
    Tensor elsewhere(ctx_, {9, 48}, dtype), in_place(ctx_, {9, 48}, dtype);
    MatMulPackedAdd(ctx_, x, packed, Trans::kYes, addend, elsewhere);
    Cast(ctx_, addend, in_place);
    MatMulPackedAdd(ctx_, x, packed, Trans::kYes, in_place, in_place);
    EXPECT_EQ(std::memcmp(elsewhere.view().data, in_place.view().data, in_place.bytes()), 0)
        << seed_;
    Cast(ctx_, addend, in_place);
    MatMulAdd(ctx_, x, Trans::kNo, weight, Trans::kYes, in_place, in_place);
    EXPECT_LE(Difference(in_place, elsewhere), dtype == DType::kF32 ? 1e-6 : 4e-3) << seed_;
  }
}

TEST_F(MatMulTest, PeakIsPositive) { EXPECT_GT(MeasureMatMulPeak(ctx_, DType::kF32), 0.1); }

TEST_F(MatMulTest, WrongShapesAreCaught) {
  Tensor a(ctx_, {2, 3}, DType::kF32), b(ctx_, {2, 5}, DType::kF32), c(ctx_, {2, 5}, DType::kF32);
  EXPECT_DEATH(MatMul(ctx_, a, Trans::kNo, b, Trans::kNo, Write::kAssign, c), "CHECK failed");
  EXPECT_DEATH(MatMul(ctx_, a, Trans::kYes, b, Trans::kNo, Write::kAssign, c), "CHECK failed");
}

}  // namespace
}  // namespace frond
