// Links of thread ranks: all pairs once, a slow pair and a wrong sum by name on every rank.
#include "dist/link_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "core/tensor/transfer.h"
#include "dist/thread_communicator.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr LinkTestOptions kSmall = {.check_bytes = 10000, .speed_bytes = 1 << 16};

// Passes all on to a group, but sleeps in an exchange of world ranks 1 and 2, or spoils one rank's
// sum. Counts the groups that live.
class FaultyCommunicator : public Communicator {
 public:
  struct Faults {
    bool is_pair_slow = false;
    int wrong_rank = -1;
    std::atomic<int>* live = nullptr;
  };

  FaultyCommunicator(Communicator& group, Faults faults, bool is_slow)
      : group_(group), faults_(faults), is_slow_(is_slow) {
    ++*faults_.live;
  }
  ~FaultyCommunicator() override { --*faults_.live; }

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  CollectiveWatchdog& watchdog() override { return group_.watchdog(); }
  Pending AllReduce(Context& ctx, View inout, Reduce op) override {
    group_.AllReduce(ctx, inout, op).Wait();
    if (faults_.wrong_rank == rank()) static_cast<float*>(inout.data)[7] += 1;
    return Pending();
  }
  Pending ReduceScatter(Context& ctx, ConstView in, View out, Reduce op) override {
    return group_.ReduceScatter(ctx, in, out, op);
  }
  Pending AllGather(Context& ctx, ConstView in, View out) override {
    if (is_slow_) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return group_.AllGather(ctx, in, out);
  }
  Pending Broadcast(Context& ctx, View inout, int root) override {
    return group_.Broadcast(ctx, inout, root);
  }
  void Barrier() override { group_.Barrier(); }
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) override {
    return group_.AllGatherBytes(bytes);
  }
  std::unique_ptr<Communicator> Split(int color, int key) override {
    std::unique_ptr<Communicator> group = group_.Split(color, key);
    const std::vector<std::string> members = group->AllGatherBytes(std::to_string(rank()));
    Communicator& split = *group;
    auto wrapped = std::make_unique<FaultyCommunicator>(
        split, faults_, faults_.is_pair_slow && members == std::vector<std::string>{"1", "2"});
    wrapped->owned_ = std::move(group);
    return wrapped;
  }

 private:
  std::unique_ptr<Communicator> owned_;
  Communicator& group_;
  Faults faults_;
  bool is_slow_;
};

std::vector<absl::StatusOr<LinkReport>> TestOnThreads(int ranks,
                                                      FaultyCommunicator::Faults faults) {
  std::vector<absl::StatusOr<LinkReport>> reports(static_cast<size_t>(ranks));
  std::atomic<int> live = 0;
  faults.live = &live;
  RunThreadRanks(ranks, [&](Communicator& world) {
    CpuAllocator memory;
    Context ctx(memory);
    FaultyCommunicator faulty(world, faults, /*is_slow=*/false);
    reports[static_cast<size_t>(world.rank())] = TestLinks(ctx, faulty, kSmall);
    world.Barrier();
    EXPECT_LE(live, ranks) << "groups of pairs outlive the test";
    world.Barrier();
  });
  return reports;
}

class LinkTest : public testing::TestWithParam<int> {};

TEST_P(LinkTest, ReportsEveryPairOnceAndTheSameOnEveryRank) {
  const int n = GetParam();
  const std::vector<absl::StatusOr<LinkReport>> reports = TestOnThreads(n, {});
  for (const auto& report : reports) {
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(std::ssize(report->hosts), n);
    std::set<std::pair<int, int>> pairs;
    for (const LinkSpeed& pair : report->pairs) {
      EXPECT_LT(pair.first, pair.second);
      EXPECT_GT(pair.bytes_per_second, 0);
      pairs.emplace(pair.first, pair.second);
    }
    EXPECT_EQ(std::ssize(report->pairs), n * (n - 1) / 2);
    EXPECT_EQ(pairs.size(), report->pairs.size());
    EXPECT_EQ(report->all_reduce_bytes_per_second > 0, n > 1);
    EXPECT_EQ(DescribeLinks(*report), DescribeLinks(*reports[0]));
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, LinkTest, testing::Values(1, 2, 3, 4, 5));

TEST(FaultyLinkTest, NamesASlowPair) {
  for (const auto& report : TestOnThreads(4, {.is_pair_slow = true})) {
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_GE(report->num_slow, 1u) << DescribeLinks(*report);
    EXPECT_EQ(report->pairs[0].first, 1);
    EXPECT_EQ(report->pairs[0].second, 2);
    // 64 KiB in 100 ms.
    EXPECT_LE(report->pairs[0].bytes_per_second, 655360);
    EXPECT_THAT(DescribeLinks(*report), HasSubstr("4 ranks on 1 host, all-reduce "));
    EXPECT_THAT(DescribeLinks(*report), HasSubstr("; slowest pair 1-2 0."));
    EXPECT_THAT(DescribeSlowLink(*report, report->pairs[0]),
                AllOf(HasSubstr("ranks 1 (host " + report->hosts[1] + ") and 2 (host "),
                      HasSubstr("is slow: 0.")));
  }
}

TEST(FaultyLinkTest, AWrongSumIsTheSameErrorOnEveryRank) {
  const std::vector<absl::StatusOr<LinkReport>> reports = TestOnThreads(3, {.wrong_rank = 1});
  for (const auto& report : reports) {
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.status(), reports[0].status());
    // 8 * (1 + 2 + 3), and one more.
    EXPECT_THAT(std::string(report.status().message()),
                HasSubstr("all-reduce gives rank 1 49 for number 7 of 2499, not 48"));
  }
}

TEST(PairRoundsTest, ManyRanksFormARing) {
  for (const int n : {16, 17, 18}) {
    std::set<std::pair<int, int>> pairs;
    size_t met = 0;
    for (const std::vector<int>& partners : PairRounds(n)) {
      ASSERT_EQ(std::ssize(partners), n);
      for (int r = 0; r < n; ++r) {
        const int partner = partners[static_cast<size_t>(r)];
        EXPECT_EQ(partners[static_cast<size_t>(partner)], r);
        if (partner > r) pairs.emplace(r, partner), ++met;
        if (n > 16 && partner != r) {
          EXPECT_TRUE((r + 1) % n == partner || (partner + 1) % n == r) << r << " " << partner;
        }
      }
    }
    EXPECT_EQ(pairs.size(), met) << "a pair meets twice";
    EXPECT_EQ(std::ssize(pairs), n == 16 ? 120 : n);
  }
}

}  // namespace
}  // namespace frond
