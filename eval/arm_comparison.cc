#include "eval/arm_comparison.h"

#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "core/base/check.h"
#include "core/base/philox.h"

namespace frond {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kChrfNumbers = size_t{3} * Chrf::kMaxOrder;
constexpr size_t kNumbers = 3 + kChrfNumbers;  // examples, loss, exact matches, n-grams
// Keys of draws that must not depend on each other.
constexpr uint32_t kExampleSite = 0, kSeedSite = 1;

using Numbers = std::array<double, kNumbers>;
using Values = std::array<double, kNumMetrics>;
using GroupValues = std::vector<Values>;  // by group

// What is added up of one run, by example.
std::vector<Numbers> NumbersOf(const std::vector<AnswerScore>& scores) {
  std::vector<Numbers> all;
  all.reserve(scores.size());
  for (const AnswerScore& score : scores) {
    Numbers& numbers = all.emplace_back();
    numbers[0] = 1;
    numbers[1] = score.loss;
    numbers[2] = score.exact ? 1 : 0;
    for (size_t n = 0; n < score.chrf.size(); ++n) {
      numbers[3 + 3 * n] = static_cast<double>(score.chrf[n].hypothesis);
      numbers[4 + 3 * n] = static_cast<double>(score.chrf[n].reference);
      numbers[5 + 3 * n] = static_cast<double>(score.chrf[n].match);
    }
  }
  return all;
}

Values ValuesOf(const Numbers& sums) {
  if (sums[0] == 0) return {kNan, kNan, kNan};
  Chrf::Counts counts;
  for (size_t n = 0; n < counts.size(); ++n) {
    counts[n] = {.hypothesis = static_cast<int64_t>(sums[3 + 3 * n]),
                 .reference = static_cast<int64_t>(sums[4 + 3 * n]),
                 .match = static_cast<int64_t>(sums[5 + 3 * n])};
  }
  Chrf chrf;
  chrf.AddCounts(counts);
  return {sums[1] / sums[0], sums[2] / sums[0], chrf.Score()};
}

class Comparer {
 public:
  Comparer(const ComparisonInput& input, const BootstrapOptions& options)
      : input_(input), options_(options) {
    for (const auto& arm : input.scores) {
      auto& runs = numbers_.emplace_back();
      for (const auto& run : arm) {
        CHECK(run.empty() || run.size() == input.cell.size());
        runs.push_back(NumbersOf(run));
      }
      CHECK_EQ(runs.size(), input.scores[input.baseline].size());
    }
    for (size_t arm = 0; arm < numbers_.size(); ++arm) {
      auto& common = common_seeds_.emplace_back();
      for (size_t seed = 0; seed < numbers_[arm].size(); ++seed) {
        if (Has(arm, seed) && Has(input.baseline, seed)) common.push_back(seed);
      }
    }
  }

  Comparisons Run() const {
    Comparisons result = Estimates();
    // [draw][arm][group]
    std::vector<std::vector<GroupValues>> draws(static_cast<size_t>(options_.draws));
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t draw = 0; draw < draws.size(); ++draw) draws[draw] = DrawDifferences(draw);
    const size_t cases = numbers_.size() * input_.groups.size();
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t i = 0; i < cases; ++i) {
      const size_t arm = i / input_.groups.size(), group = i % input_.groups.size();
      for (size_t metric = 0; metric < kNumMetrics; ++metric) {
        std::vector<double> differences;
        for (const auto& drawn : draws) differences.push_back(drawn[arm][group][metric]);
        result[arm][group][metric].interval =
            PercentileInterval(std::move(differences), options_.confidence);
      }
    }
    return result;
  }

 private:
  bool Has(size_t arm, size_t seed) const { return !numbers_[arm][seed].empty(); }

  // Of one run, each example counted so often.
  GroupValues RunValues(size_t arm, size_t seed, std::span<const int32_t> counts) const {
    std::vector<Numbers> cells(static_cast<size_t>(input_.num_cells));
    const std::vector<Numbers>& numbers = numbers_[arm][seed];
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (counts[i] == 0) continue;
      Numbers& sums = cells[static_cast<size_t>(input_.cell[i])];
      for (size_t k = 0; k < kNumbers; ++k) sums[k] += counts[i] * numbers[i][k];
    }
    GroupValues values;
    for (const ExampleGroup& group : input_.groups) {
      Values& mean = values.emplace_back();
      for (const std::vector<int32_t>& part : group.parts) {
        Numbers sums = {};
        for (const int32_t cell : part) {
          for (size_t k = 0; k < kNumbers; ++k) sums[k] += cells[static_cast<size_t>(cell)][k];
        }
        const Values of_part = ValuesOf(sums);
        for (size_t metric = 0; metric < kNumMetrics; ++metric) {
          mean[metric] += of_part[metric] / static_cast<double>(group.parts.size());
        }
      }
    }
    return values;
  }

  // [arm][seed]; empty for a run that is missing.
  std::vector<std::vector<GroupValues>> AllValues(std::span<const int32_t> counts) const {
    std::vector<std::vector<GroupValues>> values(numbers_.size());
    for (size_t arm = 0; arm < numbers_.size(); ++arm) {
      values[arm].resize(numbers_[arm].size());
      for (size_t seed = 0; seed < numbers_[arm].size(); ++seed) {
        if (Has(arm, seed)) values[arm][seed] = RunValues(arm, seed, counts);
      }
    }
    return values;
  }

  std::vector<GroupValues> DrawDifferences(uint64_t draw) const {
    const RngKey key = {.seed = options_.seed, .step = 0};
    std::vector<int32_t> counts(input_.cell.size());
    DrawCounts(input_.stratum_sizes, key.At(kExampleSite), draw, counts);
    const auto values = AllValues(counts);
    std::vector<GroupValues> differences(numbers_.size());
    for (size_t arm = 0; arm < numbers_.size(); ++arm) {
      const std::vector<size_t>& seeds = common_seeds_[arm];
      differences[arm].assign(input_.groups.size(),
                              seeds.empty() ? Values{kNan, kNan, kNan} : Values{});
      std::vector<int32_t> seed_counts(seeds.size());
      const std::array<int64_t, 1> sizes = {static_cast<int64_t>(seeds.size())};
      DrawCounts(sizes, key.At(kSeedSite), draw, seed_counts);
      for (size_t s = 0; s < seeds.size(); ++s) {
        const double share = seed_counts[s] / static_cast<double>(seeds.size());
        if (share == 0) continue;
        for (size_t group = 0; group < input_.groups.size(); ++group) {
          for (size_t metric = 0; metric < kNumMetrics; ++metric) {
            differences[arm][group][metric] +=
                share * (values[arm][seeds[s]][group][metric] -
                         values[input_.baseline][seeds[s]][group][metric]);
          }
        }
      }
    }
    return differences;
  }

  Comparisons Estimates() const {
    const std::vector<int32_t> once(input_.cell.size(), 1);
    const auto values = AllValues(once);
    Comparisons result(numbers_.size());
    for (size_t arm = 0; arm < numbers_.size(); ++arm) {
      result[arm].resize(input_.groups.size());
      for (size_t group = 0; group < input_.groups.size(); ++group) {
        for (size_t metric = 0; metric < kNumMetrics; ++metric) {
          const auto of_seed = [&](size_t of_arm, size_t seed) {
            return Has(of_arm, seed) ? values[of_arm][seed][group][metric] : kNan;
          };
          Estimate(arm, of_seed, result[arm][group][metric]);
        }
      }
    }
    return result;
  }

  template <class OfSeed>
  void Estimate(size_t arm, const OfSeed& of_seed, Comparison& into) const {
    const auto mean = [](const std::vector<double>& values) {
      double sum = 0;
      int64_t count = 0;
      for (const double value : values) {
        if (std::isnan(value)) continue;
        sum += value;
        ++count;
      }
      return count > 0 ? sum / static_cast<double>(count) : kNan;
    };
    for (size_t seed = 0; seed < numbers_[arm].size(); ++seed) {
      into.by_seed.push_back(of_seed(arm, seed));
      into.difference_by_seed.push_back(of_seed(arm, seed) - of_seed(input_.baseline, seed));
    }
    into.mean = mean(into.by_seed);
    into.difference = mean(into.difference_by_seed);
  }

  const ComparisonInput& input_;
  const BootstrapOptions& options_;
  std::vector<std::vector<std::vector<Numbers>>> numbers_;  // [arm][seed][example]
  std::vector<std::vector<size_t>> common_seeds_;           // by arm, with the baseline
};

}  // namespace

Comparisons CompareArms(const ComparisonInput& input, const BootstrapOptions& options) {
  return Comparer(input, options).Run();
}

}  // namespace frond
