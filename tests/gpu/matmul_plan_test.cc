// The host's side of GPU matrix products: keys, layouts, choice of algorithm. Needs no GPU.
#include "core/ops/cuda/matmul_plan.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace frond::cuda {
namespace {

// What cuBLAS would compute: result = op(left) op(right) on column-major storage.
std::vector<double> MultiplyColumnMajor(const ColumnMajorProduct& product,
                                        const std::vector<double>& left,
                                        const std::vector<double>& right) {
  const bool across_left = product.trans_left == Trans::kYes;
  const bool across_right = product.trans_right == Trans::kYes;
  const int64_t terms = across_left ? product.left.rows : product.left.columns;
  const auto at = [](const ColumnMajor& matrix, int64_t row, int64_t column) {
    EXPECT_LT(row, matrix.rows);
    EXPECT_LT(column, matrix.columns);
    return static_cast<size_t>(row + column * matrix.leading);
  };
  std::vector<double> result(static_cast<size_t>(product.result.columns * product.result.leading));
  for (int64_t column = 0; column < product.result.columns; ++column) {
    for (int64_t row = 0; row < product.result.rows; ++row) {
      double& sum = result[at(product.result, row, column)];
      for (int64_t term = 0; term < terms; ++term) {
        sum +=
            left[across_left ? at(product.left, term, row) : at(product.left, row, term)] *
            right[across_right ? at(product.right, column, term) : at(product.right, term, column)];
      }
    }
  }
  return result;
}

std::vector<double> Draw(int64_t count, std::mt19937_64& random) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = static_cast<double>(random() % 19) - 9;
  return values;
}

TEST(MatMulPlanTest, ColumnMajorProductEqualsTheRowMajorOne) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (const Trans trans_a : {Trans::kNo, Trans::kYes}) {
    for (const Trans trans_b : {Trans::kNo, Trans::kYes}) {
      ProductKey key;
      key.m = 3, key.n = 5, key.k = 4;
      key.a_pitch = 6;
      key.trans_a = trans_a;
      key.trans_b = trans_b;
      const std::vector<double> a = Draw(4 * key.a_pitch, random), b = Draw(key.k * key.n, random);
      std::vector<double> want(static_cast<size_t>(key.m * key.n));
      for (int64_t i = 0; i < key.m; ++i) {
        for (int64_t j = 0; j < key.n; ++j) {
          for (int64_t l = 0; l < key.k; ++l) {
            const int64_t in_a = trans_a == Trans::kYes ? l * key.a_pitch + i : i * key.a_pitch + l;
            const int64_t in_b = trans_b == Trans::kYes ? j * key.k + l : l * key.n + j;
            want[static_cast<size_t>(i * key.n + j)] +=
                a[static_cast<size_t>(in_a)] * b[static_cast<size_t>(in_b)];
          }
        }
      }
      EXPECT_EQ(MultiplyColumnMajor(ToColumnMajor(key), b, a), want) << "seed " << seed;
    }
  }
}

TEST(MatMulPlanTest, NearSizesAreRoundedToTheSame) {
  const auto rounded = [](int64_t size) {
    ProductKey key;
    key.m = key.n = key.k = size;
    key.trans_a = Trans::kYes;
    const ProductKey result = Rounded(key);
    EXPECT_TRUE(result.m == result.n && result.n == result.k && result.trans_a == key.trans_a);
    return result.m;
  };
  for (const int64_t size : {1, 2, 7, 8, 10, 12, 1024, 1280, 1536, 1792, 2048, 250112}) {
    EXPECT_GE(rounded(size), size);
    EXPECT_LT(rounded(size), size + (size + 3) / 4);
    EXPECT_EQ(rounded(rounded(size)), rounded(size));
  }
  EXPECT_EQ(rounded(8192), 8192);
  EXPECT_EQ(rounded(8193), 10240);
  EXPECT_EQ(rounded(10240), 10240);
}

TEST(MatMulPlanTest, EveryFieldOfAKeyCounts) {
  std::vector<ProductKey> keys(13);
  keys[1].m = 7;
  keys[2].n = 7;
  keys[3].k = 7;
  keys[4].operand = DType::kBF16;
  keys[5].result = DType::kBF16;
  keys[6].trans_a = Trans::kYes;
  keys[7].trans_b = Trans::kYes;
  keys[8].mode = Write::kAccumulate;
  keys[9].a_alignment = 4;
  keys[10].b_alignment = 4;
  keys[11].c_alignment = 4;
  keys[12].d_alignment = 4;
  for (size_t i = 0; i < keys.size(); ++i) {
    for (size_t j = 0; j < keys.size(); ++j) EXPECT_EQ(keys[i] == keys[j], i == j) << i << " " << j;
  }
  EXPECT_EQ(ProductKeyHash()(keys[3]), ProductKeyHash()(ProductKey(keys[3])));
}

TEST(MatMulPlanTest, AlignmentIsThePowerOfTwoUpTo16) {
  const auto at = [](uintptr_t address) {
    return int{AlignmentOf(reinterpret_cast<void*>(address))};
  };
  EXPECT_EQ(at(4096), 16);
  EXPECT_EQ(at(4096 + 16), 16);
  EXPECT_EQ(at(4096 + 8), 8);
  EXPECT_EQ(at(4096 + 20), 4);
  EXPECT_EQ(at(4096 + 2), 2);
}

TEST(MatMulPlanTest, TheFastestOfTheEqualIsChosen) {
  const auto choose = [](std::vector<MeasuredAlgorithm> measured) {
    return ChooseAlgorithm(measured);
  };
  EXPECT_EQ(choose({{3, true}}), 0);
  EXPECT_EQ(choose({{3, true}, {2, true}, {4, true}}), 1);
  // Twice as fast, but with other bits.
  EXPECT_EQ(choose({{3, true}, {1, false}, {2, true}}), 2);
  EXPECT_EQ(choose({{3, true}, {1, false}}), 0);
}

}  // namespace
}  // namespace frond::cuda
