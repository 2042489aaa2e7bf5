#include "mixtures/rule_shares.h"

#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"
#include "mixtures/languages.h"

namespace frond {
namespace {

using Shares = std::vector<RuleShare>;
using Kind = WeightRule::Kind;

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::string_view UnitName(SizeUnit unit) {
  switch (unit) {
    case SizeUnit::kExamples:
      return "examples";
    case SizeUnit::kTokens:
      return "tokens";
    case SizeUnit::kCharacters:
      return "characters";
  }
  return "";
}

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

absl::Status Above(double value, double low, absl::string_view name, const std::string& where) {
  if (std::isfinite(value) && value > low) return absl::OkStatus();
  return Invalid(
      absl::StrCat(where, ": ", name, " is ", value, "; it must be a number above ", low));
}

absl::Status CheckTemperature(double value, const std::string& where) {
  RETURN_IF_ERROR(Above(value, 0, "temperature", where));
  if (std::isfinite(1 / value)) return absl::OkStatus();
  return Invalid(absl::StrCat(where, ": temperature is ", value, ", of which there is no inverse"));
}

absl::Status CheckNumbers(const WeightRule& rule, const std::string& where) {
  switch (rule.kind) {
    case Kind::kLiteral:
    case Kind::kProportional:
      return absl::OkStatus();
    case Kind::kTemperature:
      return CheckTemperature(rule.temperature, where);
    case Kind::kExamplesProportional:
      RETURN_IF_ERROR(Above(rule.examples_proportional.scale, 0, "scale", where));
      RETURN_IF_ERROR(CheckTemperature(rule.examples_proportional.temperature, where));
      if (rule.examples_proportional.maximum >= 0) return absl::OkStatus();
      return Invalid(absl::StrCat(where, ": maximum is ", rule.examples_proportional.maximum,
                                  "; it must be a number above 0, or 0 for none"));
    case Kind::kUniMax:
      RETURN_IF_ERROR(Above(rule.budget, 0, "budget", where));
      return Above(rule.max_epochs, 0, "max_epochs", where);
  }
  return absl::OkStatus();
}

bool SameName(const RuleChild& child, const std::string& name) {
  if (child.name == name) return true;
  return child.is_language && CanonicalLanguage(child.name) == CanonicalLanguage(name);
}

std::string Nearest(std::span<const RuleChild> children, const std::string& name) {
  std::vector<std::string> names;
  for (const RuleChild& child : children) names.push_back(child.name);
  return NearestName(name, names);
}

absl::StatusOr<std::vector<double>> LiteralWeights(const WeightRule& rule,
                                                   std::span<const RuleChild> children,
                                                   const std::string& where) {
  std::vector<double> weights;
  for (const RuleChild& child : children) weights.push_back(child.weight.value_or(rule.others));
  for (const auto& [name, weight] : rule.weights) {
    bool found = false;
    for (size_t i = 0; i < children.size(); ++i) {
      if (!SameName(children[i], name)) continue;
      weights[i] = weight;
      found = true;
    }
    if (found) continue;
    return Invalid(absl::StrCat(where, ": a weight for \"", name,
                                "\", which it does not have; did ", "you mean \"",
                                Nearest(children, name), "\"?"));
  }
  for (size_t i = 0; i < children.size(); ++i) {
    if (!std::isfinite(weights[i]) || weights[i] < 0) {
      return Invalid(absl::StrCat(where, ": the weight of \"", children[i].name, "\" is ",
                                  weights[i], "; it must be a finite number, at least 0"));
    }
    if (weights[i] > 0 && !(children[i].size.examples > 0)) {
      return Invalid(absl::StrCat(where, ": \"", children[i].name, "\" has weight ", weights[i],
                                  " but no examples; give it rows or weight 0"));
    }
  }
  return weights;
}

// Shares of `rates`, with the reason "<text of the rate> of <sum>".
absl::StatusOr<Shares> OfTotal(const std::vector<double>& rates,
                               const std::vector<std::string>& texts, const std::string& where) {
  const double total = std::accumulate(rates.begin(), rates.end(), 0.0);
  if (!std::isfinite(total)) {
    return Invalid(absl::StrCat(where,
                                ": the rates are too large to add: ", absl::StrJoin(texts, ", "),
                                "; scale the weights or raise the ", "temperature"));
  }
  const std::vector<double> shares = Normalized(rates);
  Shares result;
  for (size_t i = 0; i < rates.size(); ++i) {
    result.push_back({shares[i], absl::StrCat(texts[i], " of ", Number(total))});
  }
  return result;
}

Shares ByTemperature(const WeightRule& rule, const std::vector<double>& sizes) {
  const std::vector<double> shares = TemperatureShares(sizes, rule.temperature);
  Shares result;
  for (size_t i = 0; i < sizes.size(); ++i) {
    result.push_back(
        {shares[i], absl::StrCat(Number(sizes[i]), "^", Number(1 / rule.temperature))});
  }
  return result;
}

absl::StatusOr<Shares> ByExamplesProportional(const WeightRule& rule,
                                              const std::vector<double>& sizes,
                                              const std::string& where) {
  const ExamplesProportionalRule& numbers = rule.examples_proportional;
  std::vector<double> rates;
  std::vector<std::string> texts;
  for (const double size : sizes) {
    rates.push_back(ExamplesProportionalRate(size, numbers));
    const bool capped = numbers.maximum > 0 && size * numbers.scale > numbers.maximum;
    const std::string inside =
        capped ? absl::StrCat("maximum ", Number(numbers.maximum), " for ", Number(size))
               : Number(size * numbers.scale);
    texts.push_back(numbers.temperature == 1
                        ? inside
                        : absl::StrCat("(", inside, ")^", Number(1 / numbers.temperature), " = ",
                                       Number(rates.back())));
  }
  return OfTotal(rates, texts, where);
}

absl::StatusOr<Shares> ByUniMax(const WeightRule& rule, const std::vector<double>& sizes,
                                const std::string& where) {
  const std::vector<double> given = UniMaxAllocation(sizes, rule.budget, rule.max_epochs);
  std::vector<std::string> texts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool all = given[i] > 0 && given[i] == rule.max_epochs * sizes[i];
    texts.push_back(absl::StrCat(
        Number(given[i]),
        all ? absl::StrCat(" (", Number(rule.max_epochs), " epochs of ", Number(sizes[i]), ")")
            : ""));
  }
  return OfTotal(given, texts, where);
}

}  // namespace

double TreeSize::In(SizeUnit unit) const {
  switch (unit) {
    case SizeUnit::kExamples:
      return examples;
    case SizeUnit::kTokens:
      return tokens;
    case SizeUnit::kCharacters:
      return characters;
  }
  return examples;
}

TreeSize& TreeSize::operator+=(const TreeSize& other) {
  examples += other.examples;
  tokens += other.tokens;
  characters += other.characters;
  return *this;
}

absl::StatusOr<std::vector<RuleShare>> ApplyRule(const WeightRule& rule,
                                                 std::span<const RuleChild> children,
                                                 const std::string& where) {
  RETURN_IF_ERROR(CheckNumbers(rule, where));
  std::vector<double> sizes;
  for (const RuleChild& child : children) sizes.push_back(child.size.In(rule.unit));
  switch (rule.kind) {
    case Kind::kTemperature:
      return ByTemperature(rule, sizes);
    case Kind::kExamplesProportional:
      return ByExamplesProportional(rule, sizes, where);
    case Kind::kUniMax:
      return ByUniMax(rule, sizes, where);
    case Kind::kLiteral: {
      ASSIGN_OR_RETURN(const std::vector<double> weights, LiteralWeights(rule, children, where));
      std::vector<std::string> texts;
      for (const double weight : weights) texts.push_back(absl::StrCat("weight ", Number(weight)));
      return OfTotal(weights, texts, where);
    }
    case Kind::kProportional:
      break;
  }
  std::vector<std::string> texts;
  for (const double size : sizes) texts.push_back(Number(size));
  return OfTotal(sizes, texts, where);
}

std::string DescribeRule(const WeightRule& rule) {
  const std::string over = absl::StrCat(" over ", UnitName(rule.unit));
  switch (rule.kind) {
    case Kind::kLiteral:
      return "literal weights";
    case Kind::kProportional:
      return absl::StrCat("proportional", over);
    case Kind::kTemperature:
      return absl::StrCat("temperature ", Number(rule.temperature), over);
    case Kind::kExamplesProportional: {
      const ExamplesProportionalRule& numbers = rule.examples_proportional;
      std::string text = absl::StrCat("examples-proportional", over);
      if (numbers.scale != 1) absl::StrAppend(&text, ", scale ", Number(numbers.scale));
      if (numbers.maximum > 0) absl::StrAppend(&text, ", maximum ", Number(numbers.maximum));
      if (numbers.temperature != 1)
        absl::StrAppend(&text, ", temperature ", Number(numbers.temperature));
      return text;
    }
    case Kind::kUniMax:
      return absl::StrCat("unimax, budget ", Number(rule.budget), " ", UnitName(rule.unit),
                          ", at most ", Number(rule.max_epochs), " epochs");
  }
  return "";
}

}  // namespace frond
