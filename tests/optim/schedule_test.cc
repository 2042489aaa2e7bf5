#include "optim/schedule.h"

#include <gtest/gtest.h>

namespace frond {
namespace {

using Kind = Schedule::Kind;

constexpr double kRounding = 1e-15;

TEST(ScheduleTest, ConstantWithAndWithoutWarmUp) {
  EXPECT_EQ(LearningRate({.learning_rate = 3}, 0), 3);
  const Schedule warm{.learning_rate = 3, .warmup_steps = 4};
  EXPECT_EQ(LearningRate(warm, 0), 0);
  EXPECT_EQ(LearningRate(warm, 1), 0.75);
  EXPECT_EQ(LearningRate(warm, 4), 3);
  EXPECT_EQ(LearningRate(warm, 1000000), 3);
}

TEST(ScheduleTest, RsqrtIsAtItsPeakWhenWarmUpEnds) {
  const Schedule rsqrt{.kind = Kind::kRsqrt, .learning_rate = 2, .warmup_steps = 100};
  EXPECT_EQ(LearningRate(rsqrt, 50), 1);
  EXPECT_EQ(LearningRate(rsqrt, 100), 2);
  EXPECT_EQ(LearningRate(rsqrt, 400), 1);
  const Schedule cold{.kind = Kind::kRsqrt, .learning_rate = 2};
  EXPECT_EQ(LearningRate(cold, 0), 2);
  EXPECT_EQ(LearningRate(cold, 1), 2);
  EXPECT_EQ(LearningRate(cold, 4), 1);
}

TEST(ScheduleTest, LinearEndsAtTheLastStep) {
  const Schedule linear{.kind = Kind::kLinear,
                        .learning_rate = 5,
                        .warmup_steps = 10,
                        .final_learning_rate = 1,
                        .total_steps = 111};
  EXPECT_EQ(LearningRate(linear, 5), 2.5);
  EXPECT_EQ(LearningRate(linear, 10), 5);
  EXPECT_NEAR(LearningRate(linear, 60), 3, kRounding);
  EXPECT_EQ(LearningRate(linear, 110), 1);
  EXPECT_EQ(LearningRate(linear, 500), 1);
}

TEST(ScheduleTest, CosineEndsAtTheLastStep) {
  const Schedule cosine{
      .kind = Kind::kCosine, .learning_rate = 5, .final_learning_rate = 1, .total_steps = 101};
  EXPECT_EQ(LearningRate(cosine, 0), 5);
  EXPECT_NEAR(LearningRate(cosine, 50), 3, kRounding);
  EXPECT_NEAR(LearningRate(cosine, 100), 1, kRounding);
  EXPECT_NEAR(LearningRate(cosine, 101), 1, kRounding);
}

TEST(ScheduleTest, ARunOfOneStep) {
  for (const Kind kind : {Kind::kConstant, Kind::kRsqrt, Kind::kLinear, Kind::kCosine}) {
    EXPECT_EQ(LearningRate({.kind = kind, .learning_rate = 2, .total_steps = 1}, 0), 2);
  }
}

TEST(ScheduleTest, RefusesImpossibleValues) {
  EXPECT_TRUE(CheckSchedule({}).ok());
  EXPECT_EQ(CheckSchedule({.warmup_steps = -1}).message(),
            "schedule.warmup_steps = -1: must not be negative");
  EXPECT_EQ(CheckSchedule({.kind = Kind::kLinear, .warmup_steps = 10, .total_steps = 10}).message(),
            "schedule.warmup_steps = 10: must be less than steps = 10 where the rate decays after "
            "it");
  EXPECT_FALSE(CheckSchedule({.learning_rate = -1}).ok());
}

}  // namespace
}  // namespace frond
