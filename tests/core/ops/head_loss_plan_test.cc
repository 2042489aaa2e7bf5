#include "core/ops/head_loss_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace frond {
namespace {

constexpr int64_t kVocabulary = 250112;

int64_t BytesOf(const HeadLossPlan& plan, const HeadLossProblem& problem) {
  const auto size = [&](DType dtype) {
    return problem.vocabulary * static_cast<int64_t>(DTypeSize(dtype));
  };
  return plan.logits_capacity * size(LogitsDType(problem.compute)) +
         (plan.narrow ? plan.gradient_capacity * size(problem.compute) : 0);
}

TEST(HeadLossPlanTest, ChunksFitTheirMemoryAndTheLimit) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const HeadLossProblem problem = {
        .rows = static_cast<int64_t>(random() % 20000),
        .vocabulary = 1 + static_cast<int64_t>(random() % 300000),
        .compute = i % 2 == 0 ? DType::kBF16 : DType::kF32,
        .with_gradient = random() % 3 > 0,
        .max_bytes = static_cast<int64_t>(random() % (uint64_t{2} << 30)),
        .device = random() % 2 == 0 ? Device::kCpu : Device::kCuda};
    const HeadLossPlan plan = PlanHeadLoss(problem);
    SCOPED_TRACE(::testing::Message() << problem.rows << " x " << problem.vocabulary << " in "
                                      << problem.max_bytes << " bytes, seed " << seed);
    EXPECT_EQ(plan.narrow, problem.with_gradient && problem.compute == DType::kBF16);
    EXPECT_LE(plan.logits, plan.gradient);
    EXPECT_LE(plan.logits, plan.logits_capacity);
    EXPECT_LE(plan.gradient, plan.gradient_capacity);
    EXPECT_LE(plan.gradient, problem.rows);
    EXPECT_GE(plan.logits, problem.rows > 0 ? 1 : 0);
    // Where a row of each fits at all.
    if (plan.logits_capacity > 1 && plan.gradient_capacity > 1) {
      EXPECT_LE(BytesOf(plan, problem), problem.max_bytes);
    }
  }
}

TEST(HeadLossPlanTest, GpuChunksAreTallAndInWholeTiles) {
  HeadLossProblem problem = {.rows = 8192,
                             .vocabulary = kVocabulary,
                             .compute = DType::kBF16,
                             .with_gradient = true,
                             .max_bytes = int64_t{1} << 30,
                             .device = Device::kCuda};
  HeadLossPlan plan = PlanHeadLoss(problem);
  EXPECT_EQ(plan.logits_capacity, 384);
  EXPECT_EQ(plan.gradient_capacity, 1280);
  EXPECT_EQ(plan.gradient, 1280);  // 7 chunks of 1,171 rows, in tiles
  EXPECT_EQ(plan.logits, 384);     // 4 of 320
  problem.rows = 100;              // one chunk of what there is
  plan = PlanHeadLoss(problem);
  EXPECT_EQ(plan.gradient, 100);
  EXPECT_EQ(plan.logits, 100);
  EXPECT_EQ(plan.logits_capacity, 128);
}

TEST(HeadLossPlanTest, CpuChunksAreEven) {
  const HeadLossPlan plan = PlanHeadLoss({.rows = 1000,
                                          .vocabulary = 1000,
                                          .compute = DType::kF32,
                                          .with_gradient = true,
                                          .max_bytes = 4000 * 300});
  EXPECT_FALSE(plan.narrow);
  EXPECT_EQ(plan.logits_capacity, 300);
  EXPECT_EQ(plan.gradient, 250);
}

}  // namespace
}  // namespace frond
