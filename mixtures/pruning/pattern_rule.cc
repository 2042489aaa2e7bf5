#include "mixtures/pruning/pattern_rule.h"

#include <unicode/parseerr.h>
#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond {
namespace {

constexpr int32_t kMaxSteps = 2000;  // of about 10,000 moves of the matcher each
constexpr int32_t kMaxStackBytes = 8 << 20;
constexpr size_t kMaxFoundBytes = 60;

icu::UnicodeString Wide(absl::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

class PatternWorker : public RuleWorker {
 public:
  PatternWorker(const PatternOptions& options, const icu::RegexPattern& pattern)
      : options_(options) {
    UErrorCode error = U_ZERO_ERROR;
    matcher_.reset(pattern.matcher(error));
    matcher_->setTimeLimit(kMaxSteps, error);
    matcher_->setStackLimit(kMaxStackBytes, error);
    CHECK(U_SUCCESS(error)) << u_errorName(error);
  }

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    const icu::UnicodeString text = Wide(SideOf(example, options_.side, &joined_));
    matcher_->reset(text);
    UErrorCode error = U_ZERO_ERROR;
    const bool found = matcher_->find(error);
    if (U_FAILURE(error)) {
      return absl::InvalidArgumentError(absl::StrCat("the pattern '", options_.pattern,
                                                     "' takes too long or too deep on this row (",
                                                     u_errorName(error), "); write it simpler"));
    }
    if (found == options_.keep) return Opinion::Keep();
    if (!found) return Opinion::Drop("the pattern is not found");
    std::string shown;
    icu::UnicodeString group = matcher_->group(error);
    group.truncate(kMaxFoundBytes);
    group.toUTF8String(shown);
    return Opinion::Drop(absl::StrCat("found '", shown, "'"));
  }

 private:
  PatternOptions options_;
  std::unique_ptr<icu::RegexMatcher> matcher_;
  std::string joined_;
};

class PatternRule : public Rule {
 public:
  PatternRule(const PatternOptions& options, std::unique_ptr<icu::RegexPattern> pattern)
      : options_(options), pattern_(std::move(pattern)) {}
  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<PatternWorker>(options_, *pattern_);
  }

 private:
  PatternOptions options_;
  std::unique_ptr<icu::RegexPattern> pattern_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rule>> MakePatternRule(const PatternOptions& options) {
  UErrorCode error = U_ZERO_ERROR;
  UParseError place = {};
  std::unique_ptr<icu::RegexPattern> pattern(
      icu::RegexPattern::compile(Wide(options.pattern), 0, place, error));
  if (U_FAILURE(error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options.pattern, "' is no regular expression: ", u_errorName(error),
                     " at character ", std::max(place.offset, 0)));
  }
  return std::make_unique<PatternRule>(options, std::move(pattern));
}

}  // namespace frond
