#include "launch/prune_config.h"

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "configs/config_reader.h"
#include "configs/prune_config.pb.h"
#include "configs/source_schemas.h"
#include "configs/template_fields.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "google/protobuf/text_format.h"
#include "launch/source_rows.h"
#include "mixtures/pruning/row_scores.h"

namespace frond {
namespace {

constexpr int kMaxThreads = 256;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& field) {
  return {field.begin(), field.end()};
}

Side SideFrom(config::PruneRule::Side side) {
  switch (side) {
    case config::PruneRule::INPUTS:
      return Side::kInputs;
    case config::PruneRule::TARGETS:
      return Side::kTargets;
    case config::PruneRule::BOTH:
      break;
  }
  return Side::kBoth;
}

// A value within [low, high], or an error that calls it `name`.
absl::StatusOr<double> Within(absl::string_view name, double value, double low, double high) {
  if (value >= low && value <= high) return value;
  return Wrong(absl::StrCat(name, " is ", value, "; it must lie between ", low, " and ", high));
}

absl::StatusOr<PruneSource> MakeSource(const config::Source& source) {
  if (source.path().empty()) {
    return Wrong(absl::StrCat("source '", source.name(), "' has no path; expected files of rows"));
  }
  RETURN_IF_ERROR(CheckReading(absl::StrCat("source '", source.path(0), "'"), source));
  if (source.has_weight()) {
    return Wrong(absl::StrCat("source '", source.path(0), "' has a weight, which is for training"));
  }
  if (HasTemplates(source)) {
    return Wrong(absl::StrCat("source '", source.path(0), "' has templates, and rules and scores ",
                              "read the texts that rows hold"));
  }
  PruneSource made;
  ASSIGN_OR_RETURN(made.files, RowFilesOf(source));
  const std::string base = BaseName(source.path(0));
  made.name = source.has_name() ? source.name() : base.substr(0, base.find('.'));
  if (made.name.empty() || absl::StartsWith(made.name, ".") || absl::StrContains(made.name, '/')) {
    return Wrong(absl::StrCat("'", made.name, "' cannot name a source: it names a file as well"));
  }
  made.layout = RowLayoutOf(source);
  made.layout.allow_empty_targets = true;
  return made;
}

absl::StatusOr<std::vector<PruneSource>> MakeSources(
    const google::protobuf::RepeatedPtrField<config::Source>& sources) {
  std::vector<PruneSource> made;
  std::set<std::string> names;
  for (const config::Source& source : sources) {
    ASSIGN_OR_RETURN(PruneSource one, MakeSource(source));
    if (!names.insert(one.name).second) {
      return Wrong(absl::StrCat("two sources are called '", one.name, "'; give one a name"));
    }
    made.push_back(std::move(one));
  }
  return made;
}

absl::StatusOr<TemplateOptions> Made(const config::TemplateRule& rule) {
  if (rule.drop().empty()) return Wrong("templates.drop is empty; name the templates that go");
  return TemplateOptions{.drop = Strings(rule.drop())};
}

absl::Status SetRange(absl::string_view name, bool has_low, double low, bool has_high, double high,
                      LengthOptions::Range* range) {
  if (has_low) range->low = low;
  if (has_high) range->high = high;
  if (range->low >= 0 && range->low <= range->high) return absl::OkStatus();
  return Wrong(absl::StrCat("length.min_", name, " is ", range->low, " and length.max_", name,
                            " is ", range->high, "; expected 0 <= min <= max"));
}

absl::StatusOr<LengthOptions> Made(const config::LengthRule& rule) {
  LengthOptions made;
  RETURN_IF_ERROR(SetRange("input_characters", rule.has_min_input_characters(),
                           rule.min_input_characters(), rule.has_max_input_characters(),
                           rule.max_input_characters(), &made.input_characters));
  RETURN_IF_ERROR(SetRange("target_characters", rule.has_min_target_characters(),
                           rule.min_target_characters(), rule.has_max_target_characters(),
                           rule.max_target_characters(), &made.target_characters));
  RETURN_IF_ERROR(SetRange("input_words", rule.has_min_input_words(), rule.min_input_words(),
                           rule.has_max_input_words(), rule.max_input_words(), &made.input_words));
  RETURN_IF_ERROR(SetRange("target_words", rule.has_min_target_words(), rule.min_target_words(),
                           rule.has_max_target_words(), rule.max_target_words(),
                           &made.target_words));
  RETURN_IF_ERROR(SetRange("ratio", rule.has_min_ratio(), rule.min_ratio(), rule.has_max_ratio(),
                           rule.max_ratio(), &made.ratio));
  return made;
}

absl::StatusOr<TargetOptions> Made(const config::TargetRule& rule) {
  return TargetOptions{.empty = rule.empty(), .identical = rule.identical()};
}

absl::StatusOr<ScriptOptions> Made(const config::ScriptRule& rule) {
  ScriptOptions made{.side = SideFrom(rule.side()), .min_letters = rule.min_letters()};
  ASSIGN_OR_RETURN(made.min_share, Within("script.min_share", rule.min_share(), 0, 1));
  for (const config::AcceptedScript& accept : rule.accept()) {
    made.accept.emplace_back(accept.language(), accept.script());
  }
  return made;
}

absl::StatusOr<ShareOptions> Made(const config::UrlRule& rule) {
  ShareOptions made{.of = ShareOptions::Of::kUrls, .side = SideFrom(rule.side())};
  ASSIGN_OR_RETURN(made.max_share, Within("urls.max_share", rule.max_share(), 0, 1));
  return made;
}

absl::StatusOr<ShareOptions> Made(const config::CodeRule& rule) {
  ShareOptions made{.of = ShareOptions::Of::kCode, .side = SideFrom(rule.side())};
  ASSIGN_OR_RETURN(made.max_share, Within("code.max_share", rule.max_share(), 0, 1));
  return made;
}

absl::StatusOr<RepetitionOptions> Made(const config::RepetitionRule& rule) {
  RepetitionOptions made{.side = SideFrom(rule.side()), .min_characters = rule.min_characters()};
  ASSIGN_OR_RETURN(made.max_share, Within("repetition.max_share", rule.max_share(), 0, 1));
  ASSIGN_OR_RETURN(const double ngram, Within("repetition.ngram", rule.ngram(), 1, 1000));
  made.ngram = static_cast<int>(ngram);
  return made;
}

absl::StatusOr<PatternOptions> Made(const config::PatternRule& rule) {
  if (rule.pattern().empty()) return Wrong("pattern.pattern is missing; a regular expression");
  return PatternOptions{
      .side = SideFrom(rule.side()), .pattern = rule.pattern(), .keep = rule.keep()};
}

absl::StatusOr<ExactDuplicateOptions> Made(const config::ExactDuplicateRule& rule) {
  return ExactDuplicateOptions{.side = SideFrom(rule.side()),
                               .rows = rule.rows(),
                               .evaluation = rule.evaluation(),
                               .within_source = rule.within_source()};
}

absl::StatusOr<NearDuplicateOptions> Made(const config::NearDuplicateRule& rule) {
  NearDuplicateOptions made{.side = SideFrom(rule.side()),
                            .rows = rule.rows(),
                            .evaluation = rule.evaluation(),
                            .within_source = rule.within_source()};
  ASSIGN_OR_RETURN(made.threshold, Within("near_duplicates.threshold", rule.threshold(), 0.01, 1));
  ASSIGN_OR_RETURN(const double ngram, Within("near_duplicates.ngram", rule.ngram(), 1, 100));
  ASSIGN_OR_RETURN(const double bands, Within("near_duplicates.bands", rule.bands(), 1, 1000));
  ASSIGN_OR_RETURN(const double rows,
                   Within("near_duplicates.rows_per_band", rule.rows_per_band(), 1, 100));
  made.ngram = static_cast<int>(ngram);
  made.bands = static_cast<int>(bands);
  made.rows_per_band = static_cast<int>(rows);
  return made;
}

absl::StatusOr<LanguageOptions> Made(const config::LanguageRule& rule) {
  LanguageOptions made{.side = SideFrom(rule.side()), .min_characters = rule.min_characters()};
  ASSIGN_OR_RETURN(made.margin, Within("language_id.margin", rule.margin(), 0, 100));
  made.training_characters = rule.training_characters();
  made.min_training_characters = rule.min_training_characters();
  if (made.min_training_characters < 1 || made.min_training_characters > made.training_characters) {
    return Wrong(absl::StrCat(
        "language_id.min_training_characters is ", made.min_training_characters,
        "; it must lie between 1 and training_characters (", made.training_characters, ")"));
  }
  return made;
}

absl::StatusOr<ScoreFile> MakeScores(absl::string_view rule, const config::ScoreFile& scores) {
  if (scores.path().empty()) {
    return Wrong(absl::StrCat(rule, ".scores.path is missing; a file that frond score wrote"));
  }
  return ScoreFile{.path = scores.path(), .field = scores.field()};
}

absl::StatusOr<ScoreOptions> Made(const config::ScoreRule& rule) {
  ScoreOptions made{.keep = static_cast<ScoreOptions::Keep>(rule.keep()),
                    .per = static_cast<ScoreOptions::Per>(rule.per())};
  ASSIGN_OR_RETURN(made.scores, MakeScores("score", rule.scores()));
  if (!rule.has_fraction()) return Wrong("score.fraction is missing; the part of rows that stays");
  ASSIGN_OR_RETURN(made.fraction, Within("score.fraction", rule.fraction(), 0, 1));
  return made;
}
static_assert(static_cast<int>(ScoreOptions::Keep::kHigh) == config::ScoreRule::HIGH);
static_assert(static_cast<int>(ScoreOptions::Per::kDatasetAndLanguage) ==
              config::ScoreRule::DATASET_AND_LANGUAGE);

absl::StatusOr<CapOptions> Made(const config::CapRule& rule) {
  if (rule.rows() < 1) {
    return Wrong(absl::StrCat("cap.rows is ", rule.rows(), "; it must be at least 1"));
  }
  CapOptions made{.rows = rule.rows(),
                  .choice = static_cast<CapOptions::Choice>(rule.choice()),
                  .per = static_cast<CapOptions::Per>(rule.per())};
  const bool by_score = rule.choice() == config::CapRule::LOWEST_SCORE ||
                        rule.choice() == config::CapRule::HIGHEST_SCORE;
  if (by_score) {
    ASSIGN_OR_RETURN(made.scores, MakeScores("cap", rule.scores()));
  } else if (rule.has_scores()) {
    return Wrong("cap.scores is given, but cap.choice is not by score");
  }
  return made;
}
static_assert(static_cast<int>(CapOptions::Choice::kHighestScore) ==
              config::CapRule::HIGHEST_SCORE);
static_assert(static_cast<int>(CapOptions::Per::kDatasetAndLanguage) ==
              config::CapRule::DATASET_AND_LANGUAGE);

PerTemplate PerFrom(config::PerTemplate per) {
  return per == config::TEMPLATE ? PerTemplate::kTemplate : PerTemplate::kTemplateAndLanguage;
}

absl::StatusOr<MedianTargetOptions> Made(const config::MedianTargetRule& rule) {
  MedianTargetOptions made{.per = PerFrom(rule.per())};
  ASSIGN_OR_RETURN(made.min_words, Within("median_target.min_words", rule.min_words(), 0.5, 1e6));
  return made;
}

absl::StatusOr<NearTemplatesOptions> Made(const config::NearTemplatesRule& rule) {
  NearTemplatesOptions made{.per = PerFrom(rule.per())};
  const auto within = [](absl::string_view name, double value, double low, double high) {
    return Within(absl::StrCat("near_duplicate_templates.", name), value, low, high);
  };
  ASSIGN_OR_RETURN(made.threshold, within("threshold", rule.threshold(), 0.01, 1));
  ASSIGN_OR_RETURN(made.share, within("share", rule.share(), 0.01, 1));
  ASSIGN_OR_RETURN(const double ngram, within("ngram", rule.ngram(), 1, 100));
  ASSIGN_OR_RETURN(const double sample, within("sample", rule.sample(), 2, 10000));
  ASSIGN_OR_RETURN(const double fewest, within("min_inputs", rule.min_inputs(), 2, sample));
  made.ngram = static_cast<int>(ngram);
  made.sample = static_cast<int64_t>(sample);
  made.min_inputs = static_cast<int64_t>(fewest);
  return made;
}

template <class Kind>
absl::Status Fill(const Kind& kind, RuleOptions* options) {
  ASSIGN_OR_RETURN(options->how, Made(kind));
  return absl::OkStatus();
}

absl::Status FillKind(const config::PruneRule& rule, RuleOptions* options) {
  switch (rule.kind_case()) {
    case config::PruneRule::kTemplates:
      return Fill(rule.templates(), options);
    case config::PruneRule::kLength:
      return Fill(rule.length(), options);
    case config::PruneRule::kTarget:
      return Fill(rule.target(), options);
    case config::PruneRule::kScript:
      return Fill(rule.script(), options);
    case config::PruneRule::kUrls:
      return Fill(rule.urls(), options);
    case config::PruneRule::kCode:
      return Fill(rule.code(), options);
    case config::PruneRule::kRepetition:
      return Fill(rule.repetition(), options);
    case config::PruneRule::kPattern:
      return Fill(rule.pattern(), options);
    case config::PruneRule::kExactDuplicates:
      return Fill(rule.exact_duplicates(), options);
    case config::PruneRule::kNearDuplicates:
      return Fill(rule.near_duplicates(), options);
    case config::PruneRule::kLanguageId:
      return Fill(rule.language_id(), options);
    case config::PruneRule::kCap:
      return Fill(rule.cap(), options);
    case config::PruneRule::kMedianTarget:
      return Fill(rule.median_target(), options);
    case config::PruneRule::kNearDuplicateTemplates:
      return Fill(rule.near_duplicate_templates(), options);
    case config::PruneRule::kScore:
      return Fill(rule.score(), options);
    case config::PruneRule::KIND_NOT_SET:
      break;
  }
  std::vector<std::string> kinds;
  const google::protobuf::OneofDescriptor& all = *config::PruneRule::descriptor()->oneof_decl(0);
  for (int i = 0; i < all.field_count(); ++i) kinds.push_back(all.field(i)->name());
  return Wrong(absl::StrCat("rule '", rule.name(), "' has no kind; expected one of ",
                            absl::StrJoin(kinds, ", ")));
}

// The rule's file of scores; empty: it has none.
const std::string& ScoresOf(const config::PruneRule& rule) {
  return rule.has_score() ? rule.score().scores().path() : rule.cap().scores().path();
}

// A rule's own settings on one line: its kind as it was written, without name and limits.
std::string Settings(const config::PruneRule& rule) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  config::PruneRule bare = rule;
  bare.clear_name();
  std::string text;
  printer.PrintToString(bare, &text);
  return std::string(absl::StripTrailingAsciiWhitespace(text));
}

}  // namespace

absl::StatusOr<std::vector<RuleOptions>> MakePruneRules(
    const google::protobuf::RepeatedPtrField<config::PruneRule>& config) {
  std::vector<RuleOptions> rules;
  std::set<std::string> names;
  for (const config::PruneRule& rule : config) {
    RuleOptions made{.languages = Strings(rule.language()), .datasets = Strings(rule.dataset())};
    RETURN_IF_ERROR(FillKind(rule, &made));
    const google::protobuf::OneofDescriptor& all = *config::PruneRule::descriptor()->oneof_decl(0);
    made.kind = rule.GetReflection()->GetOneofFieldDescriptor(rule, &all)->name();
    made.settings = Settings(rule);
    // Other scores are another rule. The file may be yet to be written, by frond score.
    if (const std::string& scores = ScoresOf(rule); PathExists(scores)) {
      ASSIGN_OR_RETURN(const uint64_t hash, RowScores::HashOfFile(scores));
      absl::StrAppend(&made.settings, " # scores ", HashToHex(hash));
    }
    made.name = rule.has_name() ? rule.name() : made.kind;
    for (int i = 2; !rule.has_name() && names.count(made.name) > 0; ++i) {
      made.name = absl::StrCat(made.kind, " ", i);
    }
    if (!names.insert(made.name).second) {
      return Wrong(absl::StrCat("two rules are called '", made.name, "'"));
    }
    rules.push_back(std::move(made));
  }
  if (rules.empty()) return Wrong("there is no rule; expected rule { ... }");
  return rules;
}

namespace {

absl::StatusOr<PruneOptions> MakeOptions(const config::PruneConfig& config) {
  PruneOptions options;
  if (config.out_dir().empty()) return Wrong("out_dir is missing; expected a new folder");
  options.out_dir = config.out_dir();
  if (config.source().empty()) return Wrong("there is no source; expected source { path: ... }");
  ASSIGN_OR_RETURN(options.rules, MakePruneRules(config.rule()));
  ASSIGN_OR_RETURN(options.sources, MakeSources(config.source()));
  ASSIGN_OR_RETURN(options.evaluation, MakeSources(config.evaluation()));
  ASSIGN_OR_RETURN(const double threads, Within("threads", config.threads(), 0, kMaxThreads));
  options.threads = static_cast<int>(threads);
  options.seed = config.seed();
  options.zstd = config.packing() == config::PruneConfig::ZSTD;
  return options;
}

absl::StatusOr<PruneOptions> ResolvedOptions(config::PruneConfig& config) {
  RETURN_IF_ERROR(ResolveSchemas(config));
  return MakeOptions(config);
}

}  // namespace

absl::StatusOr<PruneOptions> ParsePruneConfig(absl::string_view text, absl::string_view file) {
  config::PruneConfig config;
  RETURN_IF_ERROR(ParseText(text, file, config));
  const absl::StatusOr<PruneOptions> options = ResolvedOptions(config);
  if (options.ok()) return options;
  return absl::Status(options.status().code(),
                      absl::StrCat(file, ": ", std::string(options.status().message())));
}

absl::StatusOr<PruneOptions> ReadPruneConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParsePruneConfig(text, path);
}

}  // namespace frond
