// The watchdog's own logic, in one process; faulty_rank_test.py tries it on real jobs.
#include "dist/collective_watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "dist/thread_communicator.h"

namespace frond {
namespace {

using testing::MatchesRegex;

constexpr CollectiveCall kReduce = {
    .kind = CallKind::kAllReduce, .count = 10, .step = 4, .sequence = 7};

// The first line that a watchdog ends its job with.
struct LineSink {
  std::promise<std::string> promise;
  std::atomic<int> lines = 0;
  std::function<void(const std::string&)> EndJob() {
    return [this](const std::string& line) {
      if (lines++ == 0) promise.set_value(line);
    };
  }
  std::string Line() {
    std::future<std::string> line = promise.get_future();
    if (line.wait_for(std::chrono::seconds(20)) != std::future_status::ready) return "no line";
    return line.get();
  }
};

TEST(CollectiveWatchdogTest, NamesWhatDoesNotEnd) {
  LineSink sink;
  CollectiveWatchdog watchdog(
      {.rank = 1, .size = 4, .hosts = {"a", "a", "b", "b"}, .end_job = sink.EndJob()});
  watchdog.SetTimeout(0.2);
  watchdog.SetStep(4);
  const CollectiveWatchdog::Scope scope(watchdog, kReduce, [] { return std::vector<int>{2, 3}; });
  EXPECT_THAT(sink.Line(),
              MatchesRegex("frond: rank 1 of 4 on a, step 4: AllReduce .sum. of 10 f32 .number 7 "
                           "of its group. has not ended after 0.[23] s; waiting for rank 2 on b; "
                           "rank 3 on b; ending the job"));
}

TEST(CollectiveWatchdogTest, IsSilentWithoutALimit) {
  LineSink sink;
  CollectiveWatchdog watchdog({.end_job = sink.EndJob()});
  {
    const CollectiveWatchdog::Scope scope(watchdog, kReduce, nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  watchdog.SetTimeout(0.1);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // nothing is in progress
  EXPECT_EQ(sink.lines, 0);
}

TEST(CollectiveWatchdogTest, PollsWhatRunsByItself) {
  LineSink sink;
  std::atomic<int> polls = 0;
  CollectiveWatchdog watchdog({.end_job = sink.EndJob()});
  watchdog.SetTimeout(0.2);
  watchdog.WatchUntilDone(&polls, kReduce, [&]() -> absl::StatusOr<bool> { return ++polls == 3; });
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_EQ(polls, 3);  // not after it has ended
  EXPECT_EQ(sink.lines, 0);
  watchdog.WatchUntilDone(&polls, kReduce, []() -> absl::StatusOr<bool> {
    return absl::InternalError("link is down");
  });
  EXPECT_EQ(sink.Line(),
            "frond: rank 0 of 1: AllReduce (sum) of 10 f32 failed: link is down; ending the job");
}

TEST(RankBoardTest, TellsWhereTheOthersAre) {
  alignas(64) std::array<std::byte, 1024> memory{};
  ASSERT_LE(RankBoard::BytesFor(2), memory.size());
  RankBoard first(memory.data(), {3, 5}, 3), second(memory.data(), {3, 5}, 5);
  EXPECT_FALSE(first.Read(5).has_value());  // nothing posted
  EXPECT_FALSE(first.Read(4).has_value());  // not of this machine
  second.PostInside(kReduce);
  EXPECT_TRUE(first.Read(5)->inside);
  EXPECT_EQ(first.Read(5)->call.sequence, kReduce.sequence);
  second.PostOutside();
  EXPECT_FALSE(first.Read(5)->inside);
  EXPECT_EQ(first.Read(5)->call.step, 4);
  second.PostProcess();
  first.PostProcess();
  EXPECT_FALSE(first.FindDead().has_value());  // this very process
  EXPECT_TRUE(second.ClaimReport());
  EXPECT_FALSE(first.ClaimReport());
}

// A process may go at any moment of the look at it.
TEST(RankBoardTest, LooksAtProcessesThatGo) {
  std::atomic<int64_t> child = ::getpid();
  std::atomic<bool> stop = false;
  std::atomic<int> seen = 0;
  std::thread reader([&] {
    while (!stop) seen += ProcessState(child).empty() ? 0 : 1;
  });
  for (int i = 0; i < 1000; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    if (pid < 0) {
      ADD_FAILURE() << "no process " << i;
      break;
    }
    child = pid;
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  }
  stop = true;
  reader.join();
  EXPECT_GT(seen, 0);
}

TEST(ThreadCommunicatorDeathTest, ARankThatDoesNotComeIsNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto hang = [] {
    RunThreadRanks(3, [](Communicator& world) {
      world.watchdog().SetTimeout(0.3);
      world.watchdog().SetStep(5);
      world.Barrier();
      if (world.rank() == 2) std::this_thread::sleep_for(std::chrono::seconds(60));
      world.Barrier();
    });
  };
  EXPECT_EXIT(hang(), testing::ExitedWithCode(1),
              "rank [01] of 3, step 5: Barrier .number 1 of its group. has not ended after .* s; "
              "waiting for rank 2: outside of collectives since Barrier in step 5");
}

}  // namespace
}  // namespace frond
