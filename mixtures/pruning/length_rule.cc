#include "mixtures/pruning/length_rule.h"

#include <cmath>

#include "absl/strings/str_format.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

using Range = LengthOptions::Range;

bool IsBound(const Range& range) { return range.low > 0 || std::isfinite(range.high); }

class LengthWorker : public RuleWorker {
 public:
  explicit LengthWorker(const LengthOptions& options) : options_(options) {}

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    const double inputs = static_cast<double>(CountCharacters(example.inputs));
    const double targets = static_cast<double>(CountCharacters(example.targets));
    Opinion opinion;
    if (Leaves(options_.input_characters, inputs, "characters of input", &opinion) ||
        Leaves(options_.target_characters, targets, "characters of target", &opinion) ||
        Leaves(options_.ratio, targets / std::max(inputs, 1.0), "target over input", &opinion)) {
      return opinion;
    }
    if (IsBound(options_.input_words) &&
        Leaves(options_.input_words, Words(example.inputs), "words of input", &opinion)) {
      return opinion;
    }
    if (IsBound(options_.target_words)) {
      Leaves(options_.target_words, Words(example.targets), "words of target", &opinion);
    }
    return opinion;
  }

 private:
  static bool Leaves(const Range& range, double value, const char* what, Opinion* opinion) {
    if (value >= range.low && value <= range.high) return false;
    const bool below = value < range.low;
    *opinion = Opinion::Drop(absl::StrFormat("%.6g %s, %s %.6g", value, what,
                                             below ? "at least" : "at most",
                                             below ? range.low : range.high));
    return true;
  }

  double Words(absl::string_view text) { return static_cast<double>(counter_.Count(text)); }

  LengthOptions options_;
  WordCounter counter_;
};

class LengthRule : public Rule {
 public:
  explicit LengthRule(const LengthOptions& options) : options_(options) {}
  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<LengthWorker>(options_);
  }

 private:
  LengthOptions options_;
};

}  // namespace

std::unique_ptr<Rule> MakeLengthRule(const LengthOptions& options) {
  return std::make_unique<LengthRule>(options);
}

}  // namespace frond
