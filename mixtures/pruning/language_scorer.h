// Which language a text is written in, learnt from texts that declare one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond {

// What a scorer looks at in a text. Made on any thread.
struct LanguageFeatures {
  std::vector<uint32_t> features;
  int64_t characters = 0;
  int script = 0;  // that most letters are written in
};

class LanguageScorer {
 public:
  virtual ~LanguageScorer() = default;

  virtual LanguageFeatures FeaturesOf(absl::string_view text) const = 0;

  // Learns from one text; in the same order always. False where the language has had enough in the
  // text's script, and then for all that follow in it.
  virtual bool Learn(const std::string& language, const LanguageFeatures& text) = 0;
  // Ends learning: what follows is constant and may be called on any thread.
  virtual void Finish() = 0;
  // How many languages, in how many scripts, it learnt well enough to judge.
  virtual int64_t num_judges() const = 0;

  // How much better another language explains a text than the declared one, per character; below 0
  // where the declared one is best.
  struct Verdict {
    std::string best_other;
    double margin_fresh = 0;   // of a text that was not learnt from
    double margin_learnt = 0;  // of one that was: what it taught its declared language is left out
  };
  // Nothing where the declared language, or every other, was learnt from too little.
  virtual std::optional<Verdict> Judge(const LanguageFeatures& text,
                                       const std::string& declared) const = 0;

  virtual int64_t memory_bytes() const = 0;
};

struct NgramScorerOptions {
  int64_t training_characters = 500000;
  int64_t min_training_characters = 2000;
};

// Naive Bayes over the hashed character 1-, 2- and 3-grams of the first 300 letters and spaces of a
// text (everything else counts as space; case is folded). With c of T n-grams in a bucket, a
// language's probability of it is (c + K b) / (T + K), b being that of all languages together and K
// = 2,000: a Dirichlet prior, so a language with little text is unsure rather than wrong. Sums of
// logarithms are divided by the number of n-grams, so margins are nats an n-gram.
std::unique_ptr<LanguageScorer> MakeNgramScorer(const NgramScorerOptions& options);

}  // namespace frond
