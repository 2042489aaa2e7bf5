#include "eval/arm_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/base/philox.h"

namespace frond {
namespace {

constexpr size_t kLoss = static_cast<size_t>(Metric::kLoss);
constexpr size_t kExact = static_cast<size_t>(Metric::kExactMatch);
constexpr size_t kChrf = static_cast<size_t>(Metric::kChrf);

std::string RandomWord(std::mt19937& random) {
  std::string word;
  for (int i = 0; i < 8; ++i) word += static_cast<char>('a' + random() % 3);
  return word;
}

AnswerScore RandomScore(std::mt19937& random) {
  Chrf chrf;
  const std::string answer = RandomWord(random);
  chrf.Add(answer, RandomWord(random));
  return {.loss = static_cast<double>(random() % 1000) / 100,
          .exact = random() % 3 == 0,
          .chrf = chrf.counts()};
}

// Two languages of 6 and 4 examples and two tasks: cells 0, 1 are of the first language, 2, 3 of
// the second. Groups: the languages, their mean, the first task.
ComparisonInput RandomInput(size_t arms, size_t seeds, std::mt19937& random) {
  ComparisonInput input = {.cell = {0, 1, 0, 0, 1, 1, 2, 2, 3, 2},
                           .num_cells = 4,
                           .stratum_sizes = {6, 4},
                           .groups = {{{{0, 1}}}, {{{2, 3}}}, {{{0, 1}, {2, 3}}}, {{{0, 2}}}},
                           .scores = {},
                           .baseline = 1};
  input.scores.resize(arms);
  for (auto& arm : input.scores) {
    arm.resize(seeds);
    for (auto& run : arm) {
      for (size_t i = 0; i < input.cell.size(); ++i) run.push_back(RandomScore(random));
    }
  }
  return input;
}

// The values of examples that are written out one by one.
std::array<double, kNumMetrics> Plain(const ComparisonInput& input, const ExampleGroup& group,
                                      const std::vector<AnswerScore>& run,
                                      const std::vector<size_t>& examples) {
  std::array<double, kNumMetrics> mean = {};
  for (const auto& part : group.parts) {
    Chrf chrf;
    double loss = 0, exact = 0, count = 0;
    for (const size_t i : examples) {
      if (std::find(part.begin(), part.end(), input.cell[i]) == part.end()) continue;
      loss += run[i].loss;
      exact += run[i].exact ? 1 : 0;
      chrf.AddCounts(run[i].chrf);
      ++count;
    }
    const auto parts = static_cast<double>(group.parts.size());
    mean[kLoss] += loss / count / parts;
    mean[kExact] += exact / count / parts;
    mean[kChrf] += (count > 0 ? chrf.Score() : std::nan("")) / parts;
  }
  return mean;
}

std::vector<size_t> WrittenOut(std::span<const int32_t> counts) {
  std::vector<size_t> items;
  for (size_t i = 0; i < counts.size(); ++i) items.insert(items.end(), counts[i], i);
  return items;
}

// The same draws, each done the long way.
TEST(CompareArmsTest, IsThePlainBootstrap) {
  std::mt19937 random(std::random_device{}());
  const ComparisonInput input = RandomInput(3, 4, random);
  const BootstrapOptions options = {.draws = 300, .confidence = 0.9, .seed = random()};
  const Comparisons got = CompareArms(input, options);
  const RngKey key = {.seed = options.seed, .step = 0};
  for (size_t arm = 0; arm < 3; ++arm) {
    for (size_t group = 0; group < input.groups.size(); ++group) {
      for (size_t metric = 0; metric < kNumMetrics; ++metric) {
        std::vector<double> draws;
        for (uint64_t draw = 0; draw < 300; ++draw) {
          std::vector<int32_t> counts(10), seed_counts(4);
          DrawCounts(input.stratum_sizes, key.At(0), draw, counts);
          DrawCounts(std::vector<int64_t>{4}, key.At(1), draw, seed_counts);
          double difference = 0;
          for (const size_t seed : WrittenOut(seed_counts)) {
            const auto value = [&](size_t of) {
              return Plain(input, input.groups[group], input.scores[of][seed],
                           WrittenOut(counts))[metric];
            };
            difference += (value(arm) - value(1)) / 4;
          }
          draws.push_back(difference);
        }
        const Interval want = PercentileInterval(draws, 0.9);
        const Comparison& comparison = got[arm][group][metric];
        EXPECT_NEAR(comparison.interval.low, want.low, 1e-9)
            << arm << " " << group << " " << metric;
        EXPECT_NEAR(comparison.interval.high, want.high, 1e-9);
      }
    }
  }
  EXPECT_EQ(got[1][0][kChrf].interval.low, 0);  // the baseline against itself
  EXPECT_EQ(got[1][0][kChrf].interval.high, 0);
}

TEST(CompareArmsTest, ValuesAreMeansOverSeedsOfTheWhole) {
  std::mt19937 random(std::random_device{}());
  const ComparisonInput input = RandomInput(2, 2, random);
  const Comparisons got = CompareArms(input, {.draws = 1});
  const std::vector<size_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (size_t group = 0; group < input.groups.size(); ++group) {
    for (size_t metric = 0; metric < kNumMetrics; ++metric) {
      const auto value = [&](size_t arm, size_t seed) {
        return Plain(input, input.groups[group], input.scores[arm][seed], all)[metric];
      };
      const Comparison& comparison = got[0][group][metric];
      EXPECT_NEAR(comparison.mean, (value(0, 0) + value(0, 1)) / 2, 1e-9);
      EXPECT_NEAR(comparison.by_seed[1], value(0, 1), 1e-9);
      EXPECT_NEAR(comparison.difference_by_seed[1], value(0, 1) - value(1, 1), 1e-9);
      EXPECT_NEAR(comparison.difference,
                  (value(0, 0) + value(0, 1) - value(1, 0) - value(1, 1)) / 2, 1e-9);
    }
  }
}

// With u_s + v_i + w_si as the differences, both factors drawn again, the variance of the mean is
// var(u) / S + var(v) / n + var(w) / (S n), over the numbers that there are.
TEST(CompareArmsTest, IntervalsHaveTheVarianceOfCrossedFactors) {
  constexpr size_t kSeeds = 12, kExamples = 60;
  std::mt19937 random(std::random_device{}());
  std::normal_distribution<double> normal;
  ComparisonInput input = {.cell = std::vector<int32_t>(kExamples, 0),
                           .num_cells = 1,
                           .stratum_sizes = {kExamples},
                           .groups = {{{{0}}}},
                           .scores = {},
                           .baseline = 0};
  input.scores.assign(2, {kSeeds, std::vector<AnswerScore>(kExamples)});
  std::vector<double> of_seed(kSeeds), of_example(kExamples);
  for (double& u : of_seed) u = normal(random);
  for (double& v : of_example) v = 2 * normal(random);
  for (size_t s = 0; s < kSeeds; ++s) {
    for (size_t i = 0; i < kExamples; ++i) {
      // What arm and baseline share, however large, is no difference.
      const double shared = 100 * normal(random);
      input.scores[0][s][i].loss = shared;
      input.scores[1][s][i].loss = shared + of_seed[s] + of_example[i] + 3 * normal(random);
    }
  }
  const auto difference = [&](size_t s, size_t i) {
    return input.scores[1][s][i].loss - input.scores[0][s][i].loss;
  };
  std::vector<double> by_seed(kSeeds), by_example(kExamples);
  double mean = 0;
  for (size_t s = 0; s < kSeeds; ++s) {
    for (size_t i = 0; i < kExamples; ++i) {
      by_seed[s] += difference(s, i) / kExamples;
      by_example[i] += difference(s, i) / kSeeds;
      mean += difference(s, i) / (kSeeds * kExamples);
    }
  }
  double variance = 0;
  for (const double value : by_seed) variance += std::pow((value - mean) / kSeeds, 2);
  for (const double value : by_example) variance += std::pow((value - mean) / kExamples, 2);
  for (size_t s = 0; s < kSeeds; ++s) {
    for (size_t i = 0; i < kExamples; ++i) {
      const double rest = difference(s, i) - by_seed[s] - by_example[i] + mean;
      variance += std::pow(rest / (kSeeds * kExamples), 2);
    }
  }
  const Comparisons got = CompareArms(input, {.draws = 4000, .confidence = 0.6827});
  const Comparison& comparison = got[1][0][kLoss];
  EXPECT_NEAR(comparison.difference, mean, 1e-9);
  constexpr double kTolerance = 0.1;  // of the width; of 4000 draws, and of their form
  const double width = comparison.interval.high - comparison.interval.low;
  EXPECT_NEAR(width / 2 / std::sqrt(variance), 1, kTolerance);
}

TEST(CompareArmsTest, AConstantDifferenceIsCertain) {
  std::mt19937 random(std::random_device{}());
  ComparisonInput input = RandomInput(2, 3, random);
  input.scores[0] = input.scores[1];
  for (auto& run : input.scores[0]) {
    for (AnswerScore& score : run) score.loss -= 0.5;
  }
  const Comparisons got = CompareArms(input, {.draws = 200});
  for (size_t group = 0; group < 3; ++group) {
    EXPECT_NEAR(got[0][group][kLoss].interval.low, -0.5, 1e-9);
    EXPECT_NEAR(got[0][group][kLoss].interval.high, -0.5, 1e-9);
    EXPECT_EQ(got[0][group][kChrf].difference, 0);
  }
}

TEST(CompareArmsTest, AMissingRunLeavesTheOthersPaired) {
  std::mt19937 random(std::random_device{}());
  ComparisonInput input = RandomInput(3, 3, random);
  ComparisonInput without = input;
  input.scores[0][1].clear();
  input.scores[2] = {{}, {}, {}};
  for (auto& arm : without.scores) arm.erase(arm.begin() + 1);
  const BootstrapOptions options = {.draws = 100};
  const Comparisons got = CompareArms(input, options), want = CompareArms(without, options);
  const Comparison& comparison = got[0][2][kLoss];
  EXPECT_TRUE(std::isnan(comparison.by_seed[1]));
  EXPECT_TRUE(std::isnan(comparison.difference_by_seed[1]));
  EXPECT_DOUBLE_EQ(comparison.mean, want[0][2][kLoss].mean);
  EXPECT_DOUBLE_EQ(comparison.difference, want[0][2][kLoss].difference);
  EXPECT_DOUBLE_EQ(comparison.interval.low, want[0][2][kLoss].interval.low);
  EXPECT_TRUE(std::isnan(got[2][0][kLoss].mean));
  EXPECT_TRUE(std::isnan(got[2][0][kLoss].interval.low));
}

TEST(CompareArmsTest, ThreadsChangeNothing) {
  std::mt19937 random(std::random_device{}());
  const ComparisonInput input = RandomInput(2, 3, random);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Comparisons one = CompareArms(input, {.draws = 64});
  omp_set_num_threads(3);
  const Comparisons three = CompareArms(input, {.draws = 64});
  omp_set_num_threads(threads);
  EXPECT_EQ(one[0][3][kChrf].interval.low, three[0][3][kChrf].interval.low);
  EXPECT_EQ(one[0][0][kLoss].interval.high, three[0][0][kLoss].interval.high);
}

}  // namespace
}  // namespace frond
