#include "absl/strings/str_cat.h"
#include "mixtures/pruning/cap_rule.h"
#include "mixtures/pruning/exact_duplicates.h"
#include "mixtures/pruning/language_rule.h"
#include "mixtures/pruning/length_rule.h"
#include "mixtures/pruning/median_target_rule.h"
#include "mixtures/pruning/near_duplicates.h"
#include "mixtures/pruning/near_templates_rule.h"
#include "mixtures/pruning/pattern_rule.h"
#include "mixtures/pruning/rule.h"
#include "mixtures/pruning/score_rule.h"
#include "mixtures/pruning/script_rule.h"
#include "mixtures/pruning/share_rules.h"
#include "mixtures/pruning/target_rules.h"

namespace frond {
namespace {

using Made = absl::StatusOr<std::unique_ptr<Rule>>;

// One overload for each kind of options.
struct Maker {
  const RuleContext& context;
  Made operator()(const TemplateOptions& how) const { return MakeTemplateRule(how); }
  Made operator()(const LengthOptions& how) const { return MakeLengthRule(how); }
  Made operator()(const TargetOptions& how) const { return MakeTargetRule(how); }
  Made operator()(const ScriptOptions& how) const { return MakeScriptRule(how); }
  Made operator()(const ShareOptions& how) const { return MakeShareRule(how); }
  Made operator()(const RepetitionOptions& how) const { return MakeRepetitionRule(how); }
  Made operator()(const PatternOptions& how) const { return MakePatternRule(how); }
  Made operator()(const ExactDuplicateOptions& how) const {
    return MakeExactDuplicateRule(how, context);
  }
  Made operator()(const NearDuplicateOptions& how) const {
    return MakeNearDuplicateRule(how, context);
  }
  Made operator()(const LanguageOptions& how) const {
    return MakeLanguageRule(
        how, MakeNgramScorer({.training_characters = how.training_characters,
                              .min_training_characters = how.min_training_characters}));
  }
  Made operator()(const MedianTargetOptions& how) const { return MakeMedianTargetRule(how); }
  Made operator()(const NearTemplatesOptions& how) const { return MakeNearTemplatesRule(how); }
  Made operator()(const ScoreOptions& how) const { return MakeScoreRule(how); }
  Made operator()(const CapOptions& how) const { return MakeCapRule(how, context); }
};

}  // namespace

absl::string_view SideOf(const Example& example, Side side, std::string* joined) {
  switch (side) {
    case Side::kInputs:
      return example.inputs;
    case Side::kTargets:
      return example.targets;
    case Side::kBoth:
      break;
  }
  *joined = absl::StrCat(example.inputs, "\n", example.targets);
  return *joined;
}

absl::StatusOr<std::unique_ptr<Rule>> MakeRule(const RuleOptions& options,
                                               const RuleContext& context) {
  Made made = std::visit(Maker{context}, options.how);
  if (made.ok()) return made;
  return absl::Status(made.status().code(),
                      absl::StrCat("rule '", options.name, "': ", made.status().message()));
}

}  // namespace frond
