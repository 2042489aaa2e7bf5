// One weighting rule with its numbers, and what it makes of the children of a node, with reasons
// for people to read. The formulas are in weighting.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mixtures/weighting.h"

namespace frond {

enum class SizeUnit { kExamples, kTokens, kCharacters };

struct TreeSize {
  double examples = 0;
  double tokens = 0;      // of both sides; 0 where no rule asks for them
  double characters = 0;  // likewise

  double In(SizeUnit unit) const;
  TreeSize& operator+=(const TreeSize& other);
};

struct WeightRule {
  enum class Kind { kLiteral, kProportional, kTemperature, kExamplesProportional, kUniMax };
  Kind kind = Kind::kLiteral;
  // What sizes and the budget count.
  SizeUnit unit = SizeUnit::kExamples;
  // kLiteral: weights by a child's name; a child that is not named has its own weight, or `others`
  // where it has none. Languages go by any of their codes (languages.h).
  std::vector<std::pair<std::string, double>> weights;
  double others = 1;
  double temperature = 1;                          // kTemperature
  ExamplesProportionalRule examples_proportional;  // kExamplesProportional
  double budget = 0;                               // kUniMax
  double max_epochs = 1;
};

// What a rule sees of a child.
struct RuleChild {
  std::string name;
  bool is_language = false;
  std::optional<double> weight;
  TreeSize size;
};

struct RuleShare {
  double share = 0;    // of the parent's
  std::string reason;  // "weight 3 of 4", "500^0.3 = 6.45 of 20.1"
};

// Shares that sum to 1, or are all 0 where nothing has a weight or size. `where` is what errors
// call the parent. Errors: numbers out of range, a weight for a child that is not there (with the
// nearest name), a weight for a child without examples.
absl::StatusOr<std::vector<RuleShare>> ApplyRule(const WeightRule& rule,
                                                 std::span<const RuleChild> children,
                                                 const std::string& where);

// "temperature 3.33 over examples".
std::string DescribeRule(const WeightRule& rule);

}  // namespace frond
