#include "data/corpus/select.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/hash.h"

namespace frond::corpus {
namespace {

using Counts = std::array<int64_t, kNumTasks>;

// Shares `budget` out by weight among the tasks of one group (names or not), never more than a task
// has; repeats with what is left until nothing moves.
Counts ShareOut(const Counts& available, bool names, int64_t budget) {
  Counts quota = {};
  std::array<bool, kNumTasks> full = {};
  while (budget > 0) {
    double open_weight = 0;
    for (int t = 0; t < kNumTasks; ++t) {
      const auto task = static_cast<Task>(t);
      full[t] = IsNameTask(task) != names || quota[t] == available[t];
      if (!full[t]) open_weight += TaskWeight(task);
    }
    if (open_weight == 0) break;
    const int64_t round = budget;
    for (int t = 0; t < kNumTasks; ++t) {
      if (full[t]) continue;
      const double share = TaskWeight(static_cast<Task>(t)) / open_weight;
      const int64_t wanted = std::max<int64_t>(1, std::llround(share * round));
      const int64_t given = std::min({wanted, available[t] - quota[t], budget});
      quota[t] += given;
      budget -= given;
    }
  }
  return quota;
}

int64_t Sum(const Counts& counts) {
  int64_t sum = 0;
  for (const int64_t count : counts) sum += count;
  return sum;
}

double NameWeightShare() {
  double names = 0, all = 0;
  for (int t = 0; t < kNumTasks; ++t) {
    const auto task = static_cast<Task>(t);
    all += TaskWeight(task);
    if (IsNameTask(task)) names += TaskWeight(task);
  }
  return names / all;
}

Counts ComputeQuotas(const Counts& available, int max_rows) {
  const auto names_wanted = static_cast<int64_t>(NameWeightShare() * max_rows);
  Counts quota = ShareOut(available, /*names=*/false, max_rows - names_wanted);
  const int64_t others = Sum(quota);
  // names / (names + others) <= kMaxNameShare, and the same for territories within it.
  const auto name_cap = static_cast<int64_t>(others * kMaxNameShare / (1 - kMaxNameShare));
  Counts name_available = available;
  int64_t& territories = name_available[static_cast<int>(Task::kTerritoryName)];
  territories = std::min(
      territories, static_cast<int64_t>(others * kMaxTerritoryShare / (1 - kMaxTerritoryShare)));
  const Counts names =
      ShareOut(name_available, /*names=*/true, std::min(name_cap, max_rows - others));
  for (int t = 0; t < kNumTasks; ++t) quota[t] += names[t];
  return quota;
}

}  // namespace

std::vector<Candidate> SelectRows(std::vector<Candidate> candidates, int max_rows, uint64_t seed) {
  struct Ranked {
    uint64_t rank;
    size_t index;
  };
  std::vector<Ranked> order;
  Counts available = {};
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates[i];
    order.push_back({Hash64(absl::StrCat(seed, "\t", c.fact, "\t", c.template_id)), i});
    ++available[static_cast<int>(c.task)];
  }
  std::sort(order.begin(), order.end(), [](const Ranked& a, const Ranked& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.index < b.index;
  });
  Counts quota = ComputeQuotas(available, max_rows);
  std::vector<Candidate> rows;
  for (const Ranked& ranked : order) {
    int64_t& left = quota[static_cast<int>(candidates[ranked.index].task)];
    if (left == 0) continue;
    --left;
    rows.push_back(std::move(candidates[ranked.index]));
  }
  return rows;
}

Split SplitOfFact(absl::string_view fact) {
  const uint64_t percent = Hash64(absl::StrCat("split of ", fact)) % 100;
  if (percent < 90) return Split::kTrain;
  return percent < 95 ? Split::kValidation : Split::kTest;
}

}  // namespace frond::corpus
