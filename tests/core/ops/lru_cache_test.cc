#include "core/ops/lru_cache.h"

#include <gtest/gtest.h>

#include <functional>

namespace frond {
namespace {

TEST(LruCacheTest, ForgetsTheEntryUsedLongestAgo) {
  LruCache<int, int, std::hash<int>> cache(2);
  int made = 0;
  const auto find = [&](int key) {
    return cache.FindOrMake(key, [&] {
      ++made;
      return key * key;
    });
  };
  EXPECT_EQ(find(2), 4);
  EXPECT_EQ(find(3), 9);
  EXPECT_EQ(find(2), 4);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(find(4), 16);  // forgets 3
  EXPECT_EQ(find(2), 4);
  EXPECT_EQ(made, 3);
  EXPECT_EQ(find(3), 9);
  EXPECT_EQ(made, 4);
}

}  // namespace
}  // namespace frond
