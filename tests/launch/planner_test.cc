#include "launch/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "configs/cluster_reader.h"
#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"
#include "launch/model_builder.h"
#include "launch/plan_report.h"

namespace frond {
namespace {

using testing::HasSubstr;

constexpr double kGiga = 1e9;

// The tests run in tests/.
config::TrainConfig XxlConfig(std::vector<std::string> sets = {}) {
  auto config = ReadConfig("../configs/mt5_xxl.textproto", sets);
  CHECK_OK(config.status());
  ResolveDefaults(*config);
  CHECK_OK(ValidateTrainConfig(*config));
  return *config;
}

Plan PlanOf(const config::TrainConfig& config, const std::string& cluster,
            const PlanOptions& options = {}) {
  const auto spec = ReadCluster(cluster);
  CHECK_OK(spec.status());
  const auto model = PlannedT5Config(config);
  CHECK_OK(model.status());
  const auto plan = MakePlan(config, *model, *spec, options);
  CHECK_OK(plan.status());
  return *plan;
}

// The config's own mesh and memory mode.
PlanCandidate OwnCandidate(const config::TrainConfig& config, const std::string& cluster,
                           int examples_per_row = 1) {
  const Plan plan =
      PlanOf(config, cluster, {.examples_per_row = examples_per_row, .only_own = true});
  CHECK_EQ(plan.candidates.size(), 1u);
  CHECK(plan.candidates[0].is_own);
  return plan.candidates[0];
}

double PeakGb(const PlanCandidate& candidate, MemoryKind kind) {
  return static_cast<double>(
             candidate.rehearsal.memory.by_kind[static_cast<int>(kind)].peak_bytes) /
         kGiga;
}

int64_t LiveBytes(const PlanCandidate& candidate, MemoryKind kind) {
  return candidate.rehearsal.memory.by_kind[static_cast<int>(kind)].live_bytes;
}

TEST(PlannerTest, Mt5XxlFitsOnOneOnEightAndOnSixtyFourGpus) {
  // 64 rows are too few for 64 GPUs: their gradients take longer than their examples.
  for (const auto& [cluster, rows, least, most] : {std::tuple{"1xH100", 64, 0.45, 0.50},
                                                   {"8xH100", 64, 0.25, 0.48},
                                                   {"64xH100", 64, 0.03, 0.48},
                                                   {"64xH100", 4096, 0.40, 0.48}}) {
    const PlanCandidate own =
        OwnCandidate(XxlConfig({"batch.rows=" + std::to_string(rows)}), cluster);
    EXPECT_TRUE(own.fits()) << cluster << ": " << own.refusal;
    EXPECT_GE(own.largest_rows, rows);
    EXPECT_GT(own.mfu, least) << cluster;
    EXPECT_LT(own.mfu, most) << cluster;  // with all blocks recomputed
  }
}

// The building blocks of 13B, decimal GB: 4 bytes a parameter of exact masters 51.68, the factored
// state 0.022, the largest gradient in f32 4.10; block inputs are 8 KB a token and layer.
TEST(PlannerTest, MemoryOfMt5XxlIsWhatArithmeticSays) {
  const config::TrainConfig config = XxlConfig();
  const PlanCandidate own = OwnCandidate(config, "1xH100");
  EXPECT_NEAR(PeakGb(own, MemoryKind::kParams), 51.68, 0.01);
  EXPECT_EQ(PeakGb(own, MemoryKind::kComputeWeights), 0);
  EXPECT_NEAR(PeakGb(own, MemoryKind::kOptimizer), 0.022, 0.001);
  EXPECT_NEAR(PeakGb(own, MemoryKind::kGradients), 4.10, 0.3);
  const double inputs = 64.0 * (1024 + 256) * 24 * 8192 / kGiga;
  EXPECT_GT(PeakGb(own, MemoryKind::kActivations), inputs);
  EXPECT_LT(PeakGb(own, MemoryKind::kActivations), 1.5 * inputs);

  // bf16 with stochastic rounding: 25.84; gradients kept in f32: 51.68 more.
  const PlanCandidate kept = OwnCandidate(
      XxlConfig({"model.masters=BF16_STOCHASTIC", "optimizer.update_in_backward=false"}), "1xH200");
  EXPECT_NEAR(PeakGb(kept, MemoryKind::kParams), 25.84, 0.01);
  EXPECT_NEAR(PeakGb(kept, MemoryKind::kGradients), 51.68, 0.01);
  // Adam's moments in f32: 103.4.
  const PlanCandidate adam = OwnCandidate(XxlConfig({"optimizer.adamw.beta1=0.9"}), "1xH200");
  EXPECT_NEAR(PeakGb(adam, MemoryKind::kOptimizer), 103.4, 0.1);
  EXPECT_THAT(adam.refusal, HasSubstr("optimizer (103 GB)"));
}

// Train TFLOP per example: 22.1 at 512/128, 44.9 at 1024/256.
TEST(PlannerTest, FlopsAreThoseOfTheModel) {
  const PlanCandidate whole = OwnCandidate(XxlConfig(), "8xH100");
  EXPECT_NEAR(whole.step_flops / 64e12, 44.9, 0.1);
  const PlanCandidate halves = OwnCandidate(XxlConfig(), "8xH100", /*examples_per_row=*/2);
  EXPECT_NEAR(halves.step_flops / 128e12, 22.1, 0.1);
  // Recomputing a block costs its forward again, but for its last product.
  const Plan plan = PlanOf(XxlConfig(), "2xH100");
  EXPECT_EQ(plan.parameters, 12'921'057'280);
  for (const PlanCandidate& candidate : plan.candidates) {
    const double executed = 2 * candidate.rehearsal.products / candidate.step_flops;
    const bool again = candidate.recompute == config::BLOCK;
    EXPECT_NEAR(executed, again ? 1.22 : 0.965, 0.02) << candidate.recompute;
  }
}

TEST(PlannerTest, FastestFirstThenRefusedWithReasons) {
  const Plan plan = PlanOf(XxlConfig({"batch.rows=128"}), "2xH100");
  bool refused = false;
  double before = 1e30;
  for (const PlanCandidate& candidate : plan.candidates) {
    EXPECT_LE(refused, !candidate.fits()) << "one that fits behind one that does not";
    refused = !candidate.fits();
    if (refused) continue;
    EXPECT_LE(candidate.examples_per_second, before);
    before = candidate.examples_per_second;
    EXPECT_LE(candidate.rehearsal.memory.total.peak_bytes, plan.capacity_bytes);
    EXPECT_GE(candidate.largest_rows, plan.rows);
  }
  EXPECT_TRUE(refused);
  const std::string text = FormatPlan(plan, 100);
  EXPECT_THAT(text, HasSubstr("cannot be trained"));
  EXPECT_THAT(text, HasSubstr("GB of 83.0"));
}

TEST(PlannerTest, ShowsTheFirstAndTheOwn) {
  const Plan plan =
      PlanOf(XxlConfig({"model.recompute=SELECTIVE", "model.chunk_tokens=0"}), "2xH100");
  const std::string text = FormatPlan(plan, 1);
  EXPECT_THAT(text, HasSubstr("SELECTIVE, in backward *: needs"));
  EXPECT_THAT(text, HasSubstr("more are not shown"));
  EXPECT_THAT(FormatPlan(plan, 100), testing::Not(HasSubstr("not shown")));
}

// Of a GPU with AdamW in f32 and the masters shared out over n data ranks: bf16 weights in full,
// and of f32 master, moments and gradients a share each: 25.84 + (51.68 + 103.4 + 51.68) / n. The
// usual table of 116, 71, 48, 37 and 29 GB for n = 2, 4, 8, 16 and 64 has gradients in bf16.
TEST(PlannerTest, SharedMastersOfMt5XxlAreWhatArithmeticSays) {
  for (const auto& [n, bf16_gradients] :
       {std::pair{2, 116.0}, {4, 71.0}, {8, 48.0}, {16, 37.0}, {64, 29.0}}) {
    const PlanCandidate own =
        OwnCandidate(XxlConfig({"optimizer.adamw.beta1=0.9", "mesh.zero_stage=2",
                                "optimizer.update_in_backward=false", "model.masters=F32"}),
                     std::to_string(n) + "xH200");
    // Between steps; in a pass the gradients of a block and of the head come on top.
    const double held = static_cast<double>(own.rehearsal.memory.total.live_bytes -
                                            LiveBytes(own, MemoryKind::kWorkspace)) /
                        kGiga;
    EXPECT_NEAR(held, bf16_gradients + 25.84 / n, 0.02 * held) << n;
    EXPECT_LT(PeakGb(own, MemoryKind::kGradients), 51.68 / n + 8);
  }
}

// One row more than the largest batch does not fit.
TEST(PlannerTest, TheLargestBatchIsTheLargest) {
  const PlanCandidate own = OwnCandidate(XxlConfig(), "8xH100");
  for (const int64_t more : {0, 8}) {
    const std::string rows = "batch.rows=" + std::to_string(own.largest_rows + more);
    EXPECT_EQ(OwnCandidate(XxlConfig({rows}), "8xH100").fits(), more == 0) << rows;
  }
}

// Activations of 32,768 source and 8,192 target tokens, decimal GB: everything kept 145, without
// norms and gates 107, block inputs with one block's working set 12.2.
TEST(PlannerTest, ActivationsOfMt5XxlAreWhatArithmeticSays) {
  const Plan plan = PlanOf(XxlConfig({"batch.rows=32", "model.dropout=0"}), "1xH200");
  for (const PlanCandidate& candidate : plan.candidates) {
    if (!candidate.update_in_backward || candidate.chunk_tokens > 0) continue;
    const double expected = candidate.recompute == config::NONE        ? 145
                            : candidate.recompute == config::SELECTIVE ? 107
                                                                       : 12.2;
    EXPECT_NEAR(PeakGb(candidate, MemoryKind::kActivations), expected, 0.12 * expected)
        << config::Recompute_Name(candidate.recompute);
  }
}

TEST(PlannerTest, CudaGraphsHoldNoSumsOverRanks) {
  const auto with_sums = [](const Plan& plan) {
    return std::count_if(plan.candidates.begin(), plan.candidates.end(), [](const auto& candidate) {
      return candidate.mesh.tensor > 1 || candidate.zero_stage > 0;
    });
  };
  const std::vector<std::string> small = {"batch.rows=8"};
  EXPECT_GT(with_sums(PlanOf(XxlConfig(small), "2xH100")), 0);
  const Plan plan =
      PlanOf(XxlConfig({"batch.rows=8", "device=CUDA", "cuda_graphs=true"}), "2xH100");
  EXPECT_EQ(with_sums(plan), 0);
  EXPECT_FALSE(plan.candidates.empty());
}

TEST(PlannerTest, RanksWithoutRowsAreRefused) {
  EXPECT_THAT(OwnCandidate(XxlConfig({"batch.rows=32"}), "64xH100").refusal,
              HasSubstr("batch.rows is 32, less than 64 data ranks"));
}

TEST(PlannerTest, ExamplesMustFitIntoRows) {
  const config::TrainConfig config = XxlConfig();
  const auto cluster = ReadCluster("1xH100");
  const auto model = PlannedT5Config(config);
  const auto plan = MakePlan(config, *model, *cluster, {.examples_per_row = 257});
  ASSERT_FALSE(plan.ok());
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("cut into 1 to 256"));
}

}  // namespace
}  // namespace frond
