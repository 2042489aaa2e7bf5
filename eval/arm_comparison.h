// Arms of an experiment, each run with several seeds and judged on the same examples, compared with
// one of them: differences with bootstrap intervals.
//
// Seeds and examples are crossed factors, and both are a sample of what could have been: each draw
// of the bootstrap takes seeds and, within every language, examples with replacement, independently
// of each other (Owen, "The pigeonhole bootstrap", 2007). Both are paired: the drawn seeds and
// examples are the same in the arm and in the baseline, so what they have in common cancels.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/bootstrap.h"
#include "eval/chrf.h"

namespace frond {

enum class Metric : uint8_t { kLoss, kExactMatch, kChrf };
inline constexpr size_t kNumMetrics = 3;

// Of a model's answer to an example, and of the example's targets.
struct AnswerScore {
  double loss = 0;  // mean over its target tokens, in nats
  bool exact = false;
  Chrf::Counts chrf = {};
};

// Examples are sorted into cells, e.g. by language and task; a part pools cells, and a group is the
// mean over its parts, each counting the same.
struct ExampleGroup {
  std::vector<std::vector<int32_t>> parts;
};

struct ComparisonInput {
  // By example. Those of a stratum (a language) lie side by side.
  std::vector<int32_t> cell;
  int32_t num_cells = 0;
  std::vector<int64_t> stratum_sizes;  // add up to the number of examples
  std::vector<ExampleGroup> groups;
  // [arm][seed][example]; a run that is missing has no examples.
  std::vector<std::vector<std::vector<AnswerScore>>> scores;
  size_t baseline = 0;  // an arm
};

struct BootstrapOptions {
  int draws = 2000;
  double confidence = 0.95;
  uint64_t seed = 1;
};

// Of one arm, group and metric. Loss in nats, exact match 0 .. 1, chrF 0 .. 100. NaN where no run
// is.
struct Comparison {
  std::vector<double> by_seed;  // NaN: no run
  double mean = 0;              // over the seeds that there are
  // To the baseline, over the seeds that both have.
  std::vector<double> difference_by_seed;
  double difference = 0;
  Interval interval = {};
};

// [arm][group][metric].
using Comparisons = std::vector<std::vector<std::array<Comparison, kNumMetrics>>>;

// Takes draws x runs x examples steps, on all OpenMP threads; their number changes no bit.
Comparisons CompareArms(const ComparisonInput& input, const BootstrapOptions& options);

}  // namespace frond
