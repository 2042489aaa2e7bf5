#include "checkpoint/row_sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

// What the ranks of data x tensor hold of a [rows, cols] tensor that is split in `dim` (-1: not).
std::vector<ParamSlice> Held(int data, int tensor, int64_t rows, int64_t cols, int dim) {
  std::vector<ParamSlice> held;
  for (int d = 0; d < data; ++d) {
    for (int t = 0; t < tensor; ++t) {
      ParamSlice slice = ParamSlice::Whole({rows, cols});
      if (dim == 0) slice = slice.Rows(rows / tensor * t, rows / tensor * (t + 1));
      if (dim == 1) {
        slice.cols = cols / tensor;
        slice.first_col = slice.cols * t;
      }
      held.push_back(slice);
    }
  }
  return held;
}

bool Holds(const ParamSlice& slice, const RowShare& share) {
  return slice.first_row <= share.first &&
         share.first + share.rows <= slice.first_row + slice.rows && slice.cols > 0;
}

TEST(RowSharingTest, EveryRowOnceByARankThatHoldsIt) {
  std::mt19937_64 random(FreshSeed());
  RowSharing sharing(16);
  for (int trial = 0; trial < 500; ++trial) {
    const int data = 1 + static_cast<int>(random() % 4),
              tensor = 1 + static_cast<int>(random() % 4);
    const auto draw = [&] { return static_cast<int64_t>(tensor * (random() % 30)); };
    const int64_t rows = draw(), cols = draw();
    const std::vector<ParamSlice> held =
        Held(data, tensor, rows, cols, static_cast<int>(random() % 3) - 1);
    int64_t next = 0;
    for (const RowShare& share : sharing.Next(held, 4 * cols)) {
      EXPECT_EQ(share.first, next);
      EXPECT_GT(share.rows, 0);
      EXPECT_TRUE(Holds(held[static_cast<size_t>(share.rank)], share));
      next += share.rows;
    }
    EXPECT_EQ(next, rows * cols == 0 ? 0 : rows);
  }
}

// Rows that data ranks own, as sharded optimizer state has them.
TEST(RowSharingTest, OwnedRowsStayWithTheirOwner) {
  std::vector<ParamSlice> held;
  const ParamSlice whole = ParamSlice::Whole({10, 3});
  for (const auto& [begin, end] : {std::pair{0, 4}, {4, 4}, {4, 10}}) {
    held.push_back(whole.Rows(begin, end));
  }
  const std::vector<RowShare> shares = RowSharing(1).Next(held, 12);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares[0].rank, 0);
  EXPECT_EQ(shares[0].rows, 4);
  EXPECT_EQ(shares[1].rank, 2);
  EXPECT_EQ(shares[1].first, 4);
  EXPECT_EQ(shares[1].rows, 6);
}

// Large tensors are cut, small ones take turns: nobody writes much more than the others.
TEST(RowSharingTest, RanksWriteAboutAsMuch) {
  for (const int dim : {-1, 0, 1}) {
    RowSharing sharing(1000);
    std::map<int, int64_t> bytes;
    for (int i = 0; i < 240; ++i) {
      const int64_t rows = i % 3 == 0 ? 400 : 4;
      for (const RowShare& share : sharing.Next(Held(3, 2, rows, 8, dim), 32)) {
        bytes[share.rank] += share.rows * 32;
      }
    }
    ASSERT_EQ(bytes.size(), 6u) << dim;
    const auto [least, most] =
        std::minmax_element(bytes.begin(), bytes.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
    EXPECT_LE(static_cast<double>(most->second), 1.05 * static_cast<double>(least->second)) << dim;
  }
}

TEST(RowSharingDeathTest, WhatNobodyHoldsIsNoticed) {
  std::vector<ParamSlice> held = Held(1, 2, 8, 6, 0);
  held[1].first_row = 5;
  held[1].rows = 3;
  EXPECT_DEATH(RowSharing(1).Next(held, 24), "rows are held");
  held = Held(1, 2, 8, 6, 1);
  held[1].first_col = 4;
  held[1].cols = 2;
  EXPECT_DEATH(RowSharing(1).Next(held, 24), "columns are held");
}

}  // namespace
}  // namespace frond
