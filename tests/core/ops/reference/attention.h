// Attention of one query, one score at a time, in long double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <vector>

namespace frond::testing::reference {

// The buckets of T5's 32-bucket table with maximal distance 128, from the list of their edges: the
// first distance of each bucket of one direction.
inline int RelativePositionBucket32(int64_t relative_position, bool bidirectional) {
  static constexpr int64_t kBidirectional[] = {0, 1,  2,  3,  4,  5,  6,  7,
                                               8, 12, 16, 23, 32, 46, 64, 91};
  static constexpr int64_t kCausal[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                        11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31,
                                        35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
  const auto last_at_most = [](const auto& edges, int64_t distance) {
    return static_cast<int>(std::upper_bound(std::begin(edges), std::end(edges), distance) -
                            std::begin(edges) - 1);
  };
  if (!bidirectional) return last_at_most(kCausal, std::max<int64_t>(0, -relative_position));
  const int bucket = last_at_most(kBidirectional, std::abs(relative_position));
  return relative_position > 0 ? 16 + bucket : bucket;
}

struct AttentionRow {
  std::vector<double> out;
  double lse = 0;
};

// One query and head. keys, values: one vector for each visible key; bias and keep: one number
// each.
inline AttentionRow Attention(const std::vector<double>& query,
                              const std::vector<std::vector<double>>& keys,
                              const std::vector<std::vector<double>>& values,
                              const std::vector<double>& bias, const std::vector<double>& keep) {
  AttentionRow row;
  row.out.assign(query.size(), 0.0);
  std::vector<long double> weights;
  long double total = 0;
  for (size_t j = 0; j < keys.size(); ++j) {
    long double score = bias[j];
    for (size_t i = 0; i < query.size(); ++i) {
      score += static_cast<long double>(query[i]) * keys[j][i];
    }
    weights.push_back(std::exp(score));
    total += weights.back();
  }
  if (keys.empty()) return row;
  row.lse = static_cast<double>(std::log(total));
  for (size_t i = 0; i < query.size(); ++i) {
    long double sum = 0;
    for (size_t j = 0; j < keys.size(); ++j) sum += weights[j] / total * keep[j] * values[j][i];
    row.out[i] = static_cast<double>(sum);
  }
  return row;
}

}  // namespace frond::testing::reference
