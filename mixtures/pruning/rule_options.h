// What pruning is asked to do: sources, evaluation sets and the rules in their order.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "data/row_reader.h"

namespace frond {

// The text of a row that a rule looks at.
enum class Side { kInputs, kTargets, kBoth };

// Drops rows of the listed templates (`template_id`).
struct TemplateOptions {
  std::vector<std::string> drop;
};

// Drops rows outside the bounds. Characters are code points; words are counted as WordCounter does.
// The ratio is characters of the target over characters of the input.
struct LengthOptions {
  struct Range {
    double low = 0;
    double high = std::numeric_limits<double>::infinity();
  };
  Range input_characters, target_characters, input_words, target_words, ratio;
};

// Drops rows whose target is blank, or equal to the input after NormalizeText.
struct TargetOptions {
  bool empty = true;
  bool identical = true;
};

// Drops rows with less than `min_share` of the letters in the declared script: the row's `script`,
// else the scripts that CLDR gives for its language. Rows with fewer than `min_letters` letters or
// of unknown script are kept.
struct ScriptOptions {
  Side side = Side::kTargets;
  double min_share = 0.5;
  int64_t min_letters = 5;
  // Scripts accepted beside the declared one: (language, ISO 15924 code).
  std::vector<std::pair<std::string, std::string>> accept;
};

// Drops rows with more than `max_share` of their characters in URLs, or in lines that look like
// program text.
struct ShareOptions {
  enum class Of { kUrls, kCode };
  Of of = Of::kUrls;
  Side side = Side::kBoth;
  double max_share = 0.3;
};

// Drops rows where more than `max_share` of the character n-grams repeat an earlier one of the same
// text. Texts shorter than `min_characters` are kept.
struct RepetitionOptions {
  Side side = Side::kTargets;
  int ngram = 10;
  double max_share = 0.5;
  int64_t min_characters = 40;
};

// Drops rows in which the regular expression (ICU's syntax) is found, or with `keep` those in which
// it is not.
struct PatternOptions {
  Side side = Side::kBoth;
  std::string pattern;
  bool keep = false;
};

// Drops rows whose text, after NormalizeText, is that of an earlier row that reached the rule, or
// of a row of the evaluation sets.
struct ExactDuplicateOptions {
  Side side = Side::kBoth;
  bool rows = true;
  bool evaluation = true;
  bool within_source = false;  // only rows of one source are compared with each other
};

// Drops rows whose text, after NormalizeText, shares at least `threshold` of its character n-grams
// (Jaccard similarity) with an earlier row that reached the rule and stayed, or with a row of the
// evaluation sets. Candidates agree in all `rows_per_band` values of one of `bands` bands, which
// texts of similarity s do with probability 1 - (1 - s^rows_per_band)^bands.
struct NearDuplicateOptions {
  Side side = Side::kBoth;
  int ngram = 5;
  double threshold = 0.8;
  int bands = 21;
  int rows_per_band = 6;
  bool rows = true;
  bool evaluation = true;
  bool within_source = false;
};

// Drops rows whose text another language explains better than the declared one, by more than
// `margin` nats an n-gram (language_scorer.h).
struct LanguageOptions {
  Side side = Side::kTargets;
  double margin = 0.5;
  int64_t min_characters = 20;           // shorter texts stay
  int64_t training_characters = 500000;  // of each language, the first that reach the rule
  // Languages with fewer neither lose rows nor claim others'.
  int64_t min_training_characters = 2000;
};

// What rules about templates take for one template.
enum class PerTemplate { kTemplate, kTemplateAndLanguage };

// Drops templates of a dataset whose targets have a median of fewer words (WordCounter).
struct MedianTargetOptions {
  double min_words = 2;
  PerTemplate per = PerTemplate::kTemplate;
};

// Drops templates of a dataset whose own text shares at least `threshold` of its character n-grams
// (Jaccard similarity) with that of another that stays. A template's own text: what at least
// `share` of its `sample` shortest distinct inputs of a language have in common.
struct NearTemplatesOptions {
  double threshold = 0.7;
  PerTemplate per = PerTemplate::kTemplate;
  int ngram = 5;
  double share = 0.9;
  int64_t sample = 32;
  int64_t min_inputs = 8;  // languages with fewer distinct inputs are not compared
};

// A file of numbers for rows (row_scores.h).
struct ScoreFile {
  std::string path;
  std::string field;  // of the numbers
};

// Keeps `fraction` of the rows of every group: those with the lowest, middle or highest scores.
struct ScoreOptions {
  enum class Keep { kLow, kMiddle, kHigh };
  enum class Per { kAll, kLanguage, kDataset, kDatasetAndLanguage };
  ScoreFile scores;
  Keep keep = Keep::kLow;
  double fraction = 0.5;
  Per per = Per::kLanguage;
};

// Keeps at most `rows` rows of every group.
struct CapOptions {
  enum class Choice { kRandom, kLongest, kFirst, kLowestScore, kHighestScore };
  enum class Per {
    kLanguage,
    kSource,
    kSourceAndLanguage,
    kTemplate,
    kDataset,
    kDatasetAndLanguage
  };
  int64_t rows = 0;
  Choice choice = Choice::kRandom;
  Per per = Per::kLanguage;
  ScoreFile scores = {};  // where the choice is by score
};

struct RuleOptions {
  std::string name;      // unique
  std::string kind;      // for people
  std::string settings;  // as the ledger shows them
  // Rows of other languages and datasets pass by; empty: all. A dataset is the name of a source or
  // the `dataset_name` of rows.
  std::vector<std::string> languages;
  std::vector<std::string> datasets;
  std::variant<TemplateOptions, LengthOptions, TargetOptions, ScriptOptions, ShareOptions,
               RepetitionOptions, PatternOptions, ExactDuplicateOptions, NearDuplicateOptions,
               LanguageOptions, CapOptions, MedianTargetOptions, ScoreOptions, NearTemplatesOptions>
      how;
};

struct PruneSource {
  std::string name;  // unique
  std::vector<RowFile> files;
  RowLayout layout;
};

}  // namespace frond
