#include "core/ops/master.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/tensor/float_halves.h"

namespace frond {
namespace {

constexpr int64_t kSize = 70001;

class MasterTest : public ::testing::Test {
 protected:
  MasterTest() : random_(std::random_device{}()), x_(kSize) {
    // Any bits, among them NaN, infinities and denormal numbers, and plain values.
    for (size_t i = 0; i < x_.size(); ++i) {
      x_[i] = i % 2 == 0 ? std::bit_cast<float>(static_cast<uint32_t>(random_()))
                         : static_cast<float>(std::normal_distribution<>()(random_));
    }
  }
  View X() { return {x_.data(), {kSize}, DType::kF32}; }

  CpuAllocator memory_;
  Context ctx_{memory_};
  std::mt19937_64 random_;
  std::vector<float> x_;
};

TEST_F(MasterTest, HalvesHoldTheFloat) {
  Tensor high(ctx_, {kSize}, DType::kBF16), low(ctx_, {kSize}, DType::kI16);
  Tensor back(ctx_, {kSize}, DType::kF32);
  const MasterView master{high, low};
  EXPECT_EQ(master.exact_dtype(), DType::kF32);
  WriteMaster(ctx_, X(), master);
  ReadMaster(ctx_, master, back);
  for (int64_t i = 0; i < kSize; ++i) {
    const auto bits = std::bit_cast<uint32_t>(x_[i]);
    ASSERT_EQ(high.As<BFloat16>()[i].bits, HighHalf(bits));
    ASSERT_EQ(std::bit_cast<uint32_t>(back.As<float>()[i]),
              IsNanBits(bits) ? bits | 0x400000u : bits);
  }
}

TEST_F(MasterTest, AloneBf16IsTheHighHalf) {
  Tensor value(ctx_, {kSize}, DType::kBF16), back(ctx_, {kSize}, DType::kF32);
  const MasterView master{value};
  EXPECT_EQ(master.exact_dtype(), DType::kBF16);
  WriteMaster(ctx_, X(), master);
  ReadMaster(ctx_, master, back);
  for (int64_t i = 0; i < kSize; ++i) {
    const uint16_t want = HighHalf(std::bit_cast<uint32_t>(x_[i]));
    ASSERT_EQ(value.As<BFloat16>()[i].bits, want);
    ASSERT_EQ(std::bit_cast<uint32_t>(back.As<float>()[i]), uint32_t{want} << 16);
  }
}

TEST_F(MasterTest, SlicesLieInTheWhole) {
  Tensor high(ctx_, {2, 5}, DType::kBF16), low(ctx_, {2, 5}, DType::kI16);
  const MasterView slice = Slice({high, low}, 3, 4);
  EXPECT_EQ(slice.value.data, high.As<BFloat16>() + 3);
  EXPECT_EQ(slice.low.data, low.As<int16_t>() + 3);
  EXPECT_EQ(slice.low.shape, (Shape{4}));
  EXPECT_FALSE(Slice({high}, 3, 4).is_split());
}

// An element's rounding depends on its number and the key, not on where a call begins.
TEST_F(MasterTest, StochasticRoundingIsAFunctionOfTheElement) {
  Tensor whole(ctx_, {kSize}, DType::kBF16), parts(ctx_, {kSize}, DType::kBF16);
  CastStochastic(ctx_, X(), 7, {}, whole);
  for (int64_t first = 0; first < kSize; first += 1237) {
    const int64_t last = std::min(kSize, first + 1237);
    CastStochastic(ctx_, Rows(X(), first, last), 7, {.first = first},
                   Rows(parts.view(), first, last));
  }
  for (int64_t i = 0; i < kSize; ++i) {
    const auto bits = RoundingBits(7, static_cast<uint64_t>(i / 8));
    ASSERT_EQ(whole.As<BFloat16>()[i].bits,
              StochasticHalf(std::bit_cast<uint32_t>(x_[i]),
                             RoundingBitsOf(bits, static_cast<int>(i % 8))));
    ASSERT_EQ(parts.As<BFloat16>()[i].bits, whole.As<BFloat16>()[i].bits) << i;
  }
  Tensor other(ctx_, {kSize}, DType::kBF16);
  CastStochastic(ctx_, X(), 8, {}, other);
  int64_t differing = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    differing += other.As<BFloat16>()[i].bits != whole.As<BFloat16>()[i].bits ? 1 : 0;
  }
  EXPECT_GT(differing, kSize / 5);
  EXPECT_LT(differing, kSize / 2);
}

// A part with some of the columns draws what these elements of the whole draw.
TEST_F(MasterTest, APartRoundsAsTheWholeDoes) {
  constexpr int64_t kRows = 136, kCols = 511;  // not all of kSize
  Tensor whole(ctx_, {kRows * kCols}, DType::kBF16);
  CastStochastic(ctx_, Rows(X(), 0, kRows * kCols), 7, {}, whole);
  for (const int64_t cols : {1, 7, 64, 500}) {
    const int64_t first_row = 5, first_col = 3, count = (kRows - first_row) * cols;
    Tensor x(ctx_, {count}, DType::kF32), y(ctx_, {count}, DType::kBF16);
    const auto whole_of = [&](int64_t i) {
      return (first_row + i / cols) * kCols + first_col + i % cols;
    };
    for (int64_t i = 0; i < count; ++i) x.As<float>()[i] = x_[static_cast<size_t>(whole_of(i))];
    CastStochastic(ctx_, x, 7, {.first = whole_of(0), .cols = cols, .whole_cols = kCols}, y);
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(y.As<BFloat16>()[i].bits, whole.As<BFloat16>()[whole_of(i)].bits) << i;
    }
  }
}

// The mean over many draws is the value: 5 standard deviations of it are allowed.
TEST_F(MasterTest, StochasticRoundingIsRightOnAverage) {
  constexpr float kValue = 1.0f + 0.3f / 128;
  std::vector<float> same(kSize, kValue);
  Tensor y(ctx_, {kSize}, DType::kBF16);
  const uint64_t key = random_();
  CastStochastic(ctx_, View{same.data(), {kSize}, DType::kF32}, key, {}, y);
  double sum = 0;
  for (int64_t i = 0; i < kSize; ++i) sum += static_cast<float>(y.As<BFloat16>()[i]);
  const double deviation = std::sqrt(0.3 * 0.7 / kSize) / 128;
  EXPECT_NEAR(sum / kSize, kValue, 5 * deviation) << "key " << key;
}

}  // namespace
}  // namespace frond
