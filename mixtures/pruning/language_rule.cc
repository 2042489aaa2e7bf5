#include "mixtures/pruning/language_rule.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace frond {
namespace {

class LanguageRule : public Rule {
 public:
  LanguageRule(const LanguageOptions& options, std::unique_ptr<LanguageScorer> scorer)
      : options_(options), scorer_(std::move(scorer)) {}

  std::unique_ptr<RuleWorker> NewWorker() const override;

  bool studies() const override { return true; }
  bool studies_other_rows() const override { return true; }

  void Study(const RowPlace& place, Opinion& opinion) override {
    const std::string& language = place.example->language;
    if (!scorer_->Learn(language, opinion.language)) return;
    last_learnt_[{language, opinion.language.script}] = place.ordinal;
  }

  absl::Status FinishStudy() override {
    scorer_->Finish();
    is_learnt_ = true;
    if (scorer_->num_judges() >= 2) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "fewer than two languages have min_training_characters (", options_.min_training_characters,
        ") of text, so there is nothing to compare; lower it or leave the rule out"));
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion& opinion) override {
    const std::string& language = place.example->language;
    const auto last = last_learnt_.find({language, opinion.language.script});
    const bool learnt = last != last_learnt_.end() && place.ordinal <= last->second;
    const double margin = learnt ? opinion.margin_learnt : opinion.margin_fresh;
    if (margin <= options_.margin) return std::string();
    return absl::StrFormat("%s explains it better than %s by %.2f nats", opinion.text, language,
                           margin);
  }

  int64_t memory_bytes() const override { return scorer_->memory_bytes(); }

  // What a worker of the pass at hand finds out.
  Opinion Look(const Example& example, absl::string_view text) const {
    Opinion opinion{.kind = Opinion::Kind::kAsk};
    opinion.language = scorer_->FeaturesOf(text);
    if (!is_learnt_) return opinion;
    if (opinion.language.characters < options_.min_characters) return Opinion::Keep();
    const auto verdict = scorer_->Judge(opinion.language, example.language);
    if (!verdict.has_value()) return Opinion::Keep();
    opinion.language = {.script = opinion.language.script};
    opinion.text = verdict->best_other;
    opinion.margin_fresh = verdict->margin_fresh;
    opinion.margin_learnt = verdict->margin_learnt;
    return opinion;
  }

  const LanguageOptions& options() const { return options_; }

 private:
  LanguageOptions options_;
  std::unique_ptr<LanguageScorer> scorer_;
  bool is_learnt_ = false;
  // Of each language and script, the last row that taught it: all such rows before did.
  absl::flat_hash_map<std::pair<std::string, int>, int64_t> last_learnt_;
};

class LanguageWorker : public RuleWorker {
 public:
  explicit LanguageWorker(const LanguageRule& rule) : rule_(rule) {}
  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    return rule_.Look(example, SideOf(example, rule_.options().side, &joined_));
  }

 private:
  const LanguageRule& rule_;
  std::string joined_;
};

std::unique_ptr<RuleWorker> LanguageRule::NewWorker() const {
  return std::make_unique<LanguageWorker>(*this);
}

}  // namespace

std::unique_ptr<Rule> MakeLanguageRule(const LanguageOptions& options,
                                       std::unique_ptr<LanguageScorer> scorer) {
  return std::make_unique<LanguageRule>(options, std::move(scorer));
}

}  // namespace frond
