#include "core/base/item_threads.h"

#include <gtest/gtest.h>

#include <vector>

namespace frond {
namespace {

TEST(ItemThreadsTest, EveryItemIsTakenOnce) {
  for (const size_t threads : {0, 1, 2, 7}) {
    std::vector<int> taken(threads == 0 ? 0 : 1000);
    std::vector<int> by_thread(threads);
    ItemThreads working(threads, taken.size(), [&](size_t thread, size_t item) {
      ++taken[item];
      ++by_thread[thread];
    });
    working.Join();
    int sum = 0;
    for (const int count : by_thread) sum += count;
    EXPECT_EQ(static_cast<size_t>(sum), taken.size());
    for (const int count : taken) EXPECT_EQ(count, 1);
  }
}

TEST(ItemThreadsTest, ItsEndWaitsForTheItems) {
  std::vector<int> taken(100);
  {
    ItemThreads working(3, taken.size(), [&](size_t, size_t item) { ++taken[item]; });
  }
  for (const int count : taken) EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace frond
