#include "mixtures/mixture_report.h"

#include "gtest/gtest.h"

namespace frond {
namespace {

TEST(ReportMixture, CountsEpochsTruncationAndPacking) {
  const Mixture mixture =
      *Mixture::Create({{.name = "short", .weight = 3, .languages = {{"fin", 100}}},
                        {.name = "long", .weight = 1, .languages = {{"eng", 5000}, {"tha", 0}}}});
  const auto lengths = [](const StreamExample& example) {
    return example.leaf == 0 ? SideLengths{10, 5} : SideLengths{90, 50};
  };
  const RowStream rows(Stream(mixture, 1, 400), lengths,
                       {.limits = {.source = 80, .target = 50}, .packing = true});
  const MixtureReport report = ReportMixture(rows, 1000);
  ASSERT_EQ(report.leaves.size(), 3u);
  // 300 short ones fit 8 to a row, 100 long ones fill a row each.
  EXPECT_EQ(report.packing.rows, 138);
  EXPECT_NEAR(report.examples_per_row, 400.0 / 138, 1e-12);
  EXPECT_NEAR(report.examples, 1000 * 400.0 / 138, 1e-9);
  EXPECT_NEAR(report.leaves[0].examples, 0.75 * report.examples, 1e-9);
  EXPECT_NEAR(report.leaves[0].epochs, 0.75 * report.examples / 100, 1e-9);
  EXPECT_NEAR(report.leaves[1].epochs, 0.25 * report.examples / 5000, 1e-9);
  EXPECT_EQ(report.leaves[2].epochs, 0);
  EXPECT_EQ(report.leaves[2].sampled, 0);
  EXPECT_EQ(report.leaves[0].sampled, 300);
  EXPECT_EQ(report.leaves[0].source_truncated, 0);
  EXPECT_EQ(report.leaves[1].source_truncated, 1);
  EXPECT_EQ(report.leaves[1].target_truncated, 0);
  EXPECT_EQ(report.leaves[1].source_tokens, 80);
  EXPECT_EQ(report.leaves[0].target_tokens, 5);
  EXPECT_EQ(report.source_truncated, 0.25);
  EXPECT_EQ(report.target_truncated, 0);
}

}  // namespace
}  // namespace frond
