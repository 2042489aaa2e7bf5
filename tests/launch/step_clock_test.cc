#include "launch/step_clock.h"

#include <gtest/gtest.h>

#include "configs/cluster_reader.h"
#include "core/base/check.h"

namespace frond {
namespace {

config::Cluster Preset(const std::string& spec) {
  const auto cluster = ReadCluster(spec);
  CHECK_OK(cluster.status());
  return *cluster;
}

// docs of the model: performance of mT5-XXL's weights, 25.84 GB in 50 buckets, reduce-scattered and
// gathered once over n GPUs at 360 GB/s takes 127 ms on 8 and 155 ms on 64.
TEST(GroupLinksTest, GivesTheTimesOfThePaperModel) {
  for (const auto& [spec, n, expected] :
       {std::tuple{"8xH100", 8, 0.127}, {"16xH100", 16, 0.137}, {"64xH100", 64, 0.155}}) {
    const GroupLinks data =
        RatesOf(Preset(spec), DType::kBF16, DType::kBF16, {.data = n, .tensor = 1}).data;
    double seconds = 0;
    for (int bucket = 0; bucket < 50; ++bucket) {
      seconds += data.Seconds(CollectiveKind::kReduceScatter, 25.84e9 / 50);
      seconds += data.Seconds(CollectiveKind::kAllGather, 25.84e9 / 50);
    }
    EXPECT_NEAR(seconds, expected, 0.02 * expected + 0.004) << spec;
  }
}

TEST(GroupLinksTest, AnAllReduceIsAScatterAndAGather) {
  const GroupLinks links = {.ranks = 4, .nodes = 1, .bytes_per_second = 100, .node_latency = 1};
  EXPECT_DOUBLE_EQ(links.Seconds(CollectiveKind::kReduceScatter, 400), 3 + 3);
  EXPECT_DOUBLE_EQ(links.Seconds(CollectiveKind::kAllReduce, 400), 2 * (3 + 3));
  EXPECT_DOUBLE_EQ(links.Seconds(CollectiveKind::kBroadcast, 400), 4 + 3);
  EXPECT_EQ((GroupLinks{}).Seconds(CollectiveKind::kAllReduce, 400), 0);
}

// A data group of which fewer ranks lie on a node has fewer ports to the others.
TEST(RatesOfTest, AGroupHasThePortsOfItsMembers) {
  const config::Cluster cluster = Preset("32xH100");
  const StepRates wide = RatesOf(cluster, DType::kBF16, DType::kBF16, {.data = 32, .tensor = 1});
  EXPECT_EQ(wide.data.nodes, 4);
  EXPECT_EQ(wide.data.bytes_per_second, 360e9);  // 8 x 46 > 360
  const StepRates split = RatesOf(cluster, DType::kBF16, DType::kBF16, {.data = 8, .tensor = 4});
  EXPECT_EQ(split.data.nodes, 4);
  EXPECT_EQ(split.data.bytes_per_second, 2 * 46e9);
  EXPECT_EQ(split.tensor.nodes, 1);
  EXPECT_EQ(split.tensor.bytes_per_second, 360e9);
}

TEST(RatesOfTest, AttentionHasItsOwnDtype) {
  const config::Cluster cluster = Preset("8xH100");
  const auto rates = [&](DType products, DType attention) {
    return RatesOf(cluster, products, attention, {.data = 8, .tensor = 1});
  };
  const StepRates narrow = rates(DType::kBF16, DType::kBF16),
                  wide = rates(DType::kF32, DType::kF32);
  EXPECT_GT(narrow.products, wide.products);
  EXPECT_GT(narrow.attention, wide.attention);
  const StepRates mixed = rates(DType::kBF16, DType::kF32);
  EXPECT_EQ(mixed.products, narrow.products);
  EXPECT_EQ(mixed.attention, wide.attention);
}

constexpr StepRates kRates = {.products = 100,
                              .attention = 50,
                              .memory = 10,
                              .gaps = 0,
                              .communicating = 0.1,
                              .world = {},
                              .data = {.ranks = 2, .nodes = 1, .bytes_per_second = 1},
                              .tensor = {}};

TEST(StepClockTest, AddsUpWork) {
  Profiler profiler;
  const StepClock clock(profiler, kRates);
  profiler.Add("matmul", 0, 200);
  profiler.Add("attention", 0, 200);
  profiler.Add("dropout", 0, 0, 30);
  EXPECT_DOUBLE_EQ(clock.Seconds(), 2 + 4 + 3);
}

TEST(StepClockTest, WaitsForWhatIsNotDone) {
  Profiler profiler;
  StepClock clock(profiler, kRates);
  StepClock::Group data(clock, kRates.data);
  profiler.Add("matmul", 0, 1000);                                     // now it is 10
  const auto first = data.Start(CollectiveKind::kReduceScatter, 8);    // 10 to 14
  const auto second = data.Start(CollectiveKind::kReduceScatter, 20);  // 14 to 24
  profiler.Add("matmul", 0, 600);                                      // 16
  first();
  EXPECT_DOUBLE_EQ(clock.waited(), 0);
  second();
  EXPECT_DOUBLE_EQ(clock.waited(), 8);
  EXPECT_DOUBLE_EQ(clock.communication(), 14);
  // 16 of work, 8 waited, and 6 seconds of communication that slowed the work down.
  EXPECT_DOUBLE_EQ(clock.Seconds(), 16 + 8 + 0.6);
  data.Start(CollectiveKind::kReduceScatter, 2)();  // waited for at once
  EXPECT_DOUBLE_EQ(clock.waited(), 9);
}

}  // namespace
}  // namespace frond
