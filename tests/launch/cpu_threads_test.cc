#include "launch/cpu_threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <vector>

#include "dist/thread_communicator.h"

namespace frond {
namespace {

cpu_set_t Allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  return set;
}

TEST(ThreadsPerRankTest, RanksDivideTheProcessorsTheyShare) {
  const cpu_set_t all = Allowed();
  std::vector<int> threads(3);
  RunThreadRanks(3, [&](Communicator& world) { threads[world.rank()] = ThreadsPerRank(0, world); });
  for (const int n : threads) EXPECT_EQ(n, std::max(1, CPU_COUNT(&all) / 3));
}

// An affinity belongs to a thread, so thread ranks can be bound as processes are.
TEST(ThreadsPerRankTest, ABoundRankTakesNothingFromTheOthers) {
  const cpu_set_t all = Allowed();
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one processor";
  std::vector<int> threads(2);
  RunThreadRanks(2, [&](Communicator& world) {
    if (world.rank() == 0) {
      int first = 0;
      while (!CPU_ISSET(first, &all)) ++first;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(first, &one);
      EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    }
    threads[world.rank()] = ThreadsPerRank(0, world);
  });
  EXPECT_EQ(threads[0], 1);
  EXPECT_EQ(threads[1], CPU_COUNT(&all));
}

TEST(ThreadsPerRankTest, AConfiguredNumberIsTaken) {
  RunThreadRanks(2, [](Communicator& world) { EXPECT_EQ(ThreadsPerRank(7, world), 7); });
}

}  // namespace
}  // namespace frond
