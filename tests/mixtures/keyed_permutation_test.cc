#include "mixtures/keyed_permutation.h"

#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace frond {
namespace {

TEST(KeyedPermutation, IsABijectionOfEverySize) {
  std::mt19937_64 random(std::random_device{}());
  std::vector<uint64_t> sizes = {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 8191, 8192, 8193, 100000};
  for (int i = 0; i < 50; ++i) sizes.push_back(1 + random() % 5000);
  for (const uint64_t size : sizes) {
    const uint64_t key = random();
    const KeyedPermutation order(size, key);
    std::vector<bool> seen(size, false);
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t place = order(i);
      ASSERT_LT(place, size) << "key " << key;
      ASSERT_FALSE(seen[place]) << "size " << size << " key " << key;
      seen[place] = true;
    }
  }
}

// Where index 0 lands and which index follows it look uniform over keys: 20 cells of 1000 expected,
// chi-square with 19 degrees of freedom (mean 19, exceeds 60 less than once in 100,000 runs; the
// keys are fixed, so the test is too).
TEST(KeyedPermutation, SpreadsOverKeys) {
  constexpr int kSize = 20, kKeys = 20000;
  std::vector<int> first(kSize, 0), step(kSize, 0);
  for (uint64_t key = 0; key < kKeys; ++key) {
    const KeyedPermutation order(kSize, key);
    ++first[order(0)];
    ++step[(order(1) + kSize - order(0)) % kSize];
  }
  double first_chi = 0, step_chi = 0;
  for (int i = 0; i < kSize; ++i) {
    first_chi += std::pow(first[i] - kKeys / kSize, 2) / (kKeys / kSize);
    const double expected = static_cast<double>(kKeys) / (kSize - 1);
    if (i > 0) step_chi += std::pow(step[i] - expected, 2) / expected;
  }
  EXPECT_LT(first_chi, 60);
  EXPECT_LT(step_chi, 60);
  EXPECT_EQ(step[0], 0);
}

TEST(KeyedPermutation, ReachesTheLargestDomain) {
  const uint64_t size = uint64_t{1} << 62;
  const KeyedPermutation order(size, 7);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_LT(order(i), size);
}

}  // namespace
}  // namespace frond
