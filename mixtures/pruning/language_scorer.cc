#include "mixtures/pruning/language_scorer.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "core/base/philox.h"

namespace frond {
namespace {

constexpr size_t kMaxCharacters = 300;
constexpr size_t kOrders = 3;
constexpr size_t kBuckets = 1 << 16;
constexpr double kPrior = 2000;
// Of a language's text in a script, for that not to be an accident.
constexpr double kMinScriptShare = 0.1;
// Costs are kept in units of 1/512 nat, which 16 bits hold up to 128 nats.
constexpr double kCostUnits = 512;

uint32_t BucketOf(const UChar32* end, size_t order) {
  uint64_t key = order;
  for (size_t i = order; i > 0; --i)
    key = key << 21 | static_cast<uint64_t>(end[-static_cast<int>(i)]);
  return static_cast<uint32_t>(MixBits(key) % kBuckets);
}

// Letters and marks, case folded; every run of others is one space, one at both ends.
std::vector<UChar32> LettersOf(absl::string_view text) {
  std::vector<UChar32> letters = {u' '};
  for (size_t at = 0; at < text.size() && letters.size() < kMaxCharacters;) {
    UChar32 c = 0;
    U8_NEXT_UNSAFE(text.data(), at, c);
    const bool is_letter = u_isalpha(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
    if (is_letter) {
      letters.push_back(u_foldCase(c, U_FOLD_CASE_DEFAULT));
    } else if (letters.back() != u' ') {
      letters.push_back(u' ');
    }
  }
  if (letters.back() != u' ') letters.push_back(u' ');
  return letters;
}

// The script of most letters; kana of any number make a text Japanese.
int ScriptOf(const std::vector<UChar32>& letters) {
  std::vector<std::pair<int, int>> counts;  // script, letters
  for (const UChar32 c : letters) {
    UErrorCode error = U_ZERO_ERROR;
    const int script = c < 0x80 ? USCRIPT_LATIN : uscript_getScript(c, &error);
    if (script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA) return USCRIPT_JAPANESE;
    if (c == u' ' || script == USCRIPT_INHERITED || script == USCRIPT_COMMON) continue;
    const auto same = std::find_if(counts.begin(), counts.end(),
                                   [script](const auto& count) { return count.first == script; });
    if (same == counts.end()) {
      counts.emplace_back(script, 1);
    } else {
      ++same->second;
    }
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? static_cast<int>(USCRIPT_COMMON) : most->first;
}

class NgramScorer : public LanguageScorer {
 private:
  // Learns one language in one script.
  struct Learner {
    std::string language;
    int script = 0;
    int64_t characters = 0;
    double total = 0;  // n-grams
    bool judges = false;
    absl::flat_hash_map<uint32_t, uint32_t> counts;  // by bucket

    double CountOf(uint32_t bucket) const {
      const auto count = counts.find(bucket);
      return count == counts.end() ? 0 : count->second;
    }
  };

 public:
  explicit NgramScorer(const NgramScorerOptions& options) : options_(options) {}

  LanguageFeatures FeaturesOf(absl::string_view text) const override {
    const std::vector<UChar32> letters = LettersOf(text);
    LanguageFeatures features{.characters = static_cast<int64_t>(letters.size()) - 2,
                              .script = ScriptOf(letters)};
    features.features.reserve(letters.size() * kOrders);
    for (size_t end = 1; end <= letters.size(); ++end) {
      for (size_t order = 1; order <= std::min(end, kOrders); ++order) {
        features.features.push_back(BucketOf(letters.data() + end, order));
      }
    }
    return features;
  }

  bool Learn(const std::string& language, const LanguageFeatures& text) override {
    std::vector<int>& scripts = index_[language];
    auto same = std::find_if(scripts.begin(), scripts.end(), [&](int learner) {
      return learners_[static_cast<size_t>(learner)].script == text.script;
    });
    if (same == scripts.end()) {
      scripts.push_back(static_cast<int>(learners_.size()));
      same = std::prev(scripts.end());
      learners_.push_back({.language = language, .script = text.script});
    }
    Learner& learner = learners_[static_cast<size_t>(*same)];
    if (learner.characters >= options_.training_characters) return false;
    learner.characters += std::max<int64_t>(text.characters, 0);
    learner.total += static_cast<double>(text.features.size());
    for (const uint32_t feature : text.features) ++learner.counts[feature];
    return true;
  }

  void Finish() override {
    double total = 0;
    std::vector<double> pooled(kBuckets, 0);
    for (const Learner& learner : learners_) {
      total += learner.total;
      for (const auto& [bucket, count] : learner.counts) pooled[bucket] += count;
    }
    ChooseJudges();
    // A bucket that nobody filled has one part in as many as there are.
    background_.resize(kBuckets);
    for (size_t f = 0; f < kBuckets; ++f) background_[f] = (pooled[f] + 1) / (total + kBuckets);
    costs_.resize(kBuckets * judges_.size());
    for (size_t f = 0; f < kBuckets; ++f) {
      for (size_t j = 0; j < judges_.size(); ++j) {
        const double cost =
            CostOf(judges_[j]->CountOf(static_cast<uint32_t>(f)), judges_[j]->total, f);
        costs_[f * judges_.size() + j] = static_cast<uint16_t>(std::lround(cost * kCostUnits));
      }
    }
  }

  // Leaves out who learnt little, or a small part of a language's text.
  void ChooseJudges() {
    for (const auto& [language, scripts] : index_) {
      int64_t characters = 0;
      for (const int s : scripts) characters += learners_[static_cast<size_t>(s)].characters;
      for (const int s : scripts) {
        Learner& learner = learners_[static_cast<size_t>(s)];
        learner.judges = learner.characters >= options_.min_training_characters &&
                         static_cast<double>(learner.characters) >=
                             kMinScriptShare * static_cast<double>(characters);
      }
    }
    for (const Learner& learner : learners_) {
      if (learner.judges) judges_.push_back(&learner);
    }
  }

  // Of the judges of a language that of the script, else the one that learnt most, or nullptr.
  const Learner* JudgeOf(const std::string& language, int script) const {
    const auto entry = index_.find(language);
    if (entry == index_.end()) return nullptr;
    const Learner* own = nullptr;
    for (const int s : entry->second) {
      const Learner& learner = learners_[static_cast<size_t>(s)];
      if (!learner.judges) continue;
      if (learner.script == script) return &learner;
      if (own == nullptr || learner.characters > own->characters) own = &learner;
    }
    return own;
  }

  int64_t num_judges() const override { return static_cast<int64_t>(judges_.size()); }

  std::optional<Verdict> Judge(const LanguageFeatures& text,
                               const std::string& declared) const override {
    const Learner* own = JudgeOf(declared, text.script);
    if (own == nullptr || text.features.empty()) return std::nullopt;
    std::vector<uint32_t> sums(judges_.size(), 0);
    for (const uint32_t feature : text.features) {
      const uint16_t* costs = &costs_[feature * judges_.size()];
      for (size_t j = 0; j < sums.size(); ++j) sums[j] += costs[j];
    }
    size_t best = judges_.size();
    double fresh = 0;
    for (size_t j = 0; j < sums.size(); ++j) {
      if (judges_[j] == own) {
        fresh = sums[j];
      } else if (judges_[j]->language != declared &&
                 (best == judges_.size() || sums[j] < sums[best])) {
        best = j;
      }
    }
    if (best == judges_.size()) return std::nullopt;
    const double count = static_cast<double>(text.features.size());
    const double other = sums[best] / kCostUnits;
    return Verdict{.best_other = judges_[best]->language,
                   .margin_fresh = (fresh / kCostUnits - other) / count,
                   .margin_learnt = (CostWithout(text, *own) - other) / count};
  }

  int64_t memory_bytes() const override {
    size_t bytes = costs_.size() * sizeof(uint16_t) + background_.size() * sizeof(double);
    for (const Learner& learner : learners_) bytes += learner.counts.capacity() * 9;
    return static_cast<int64_t>(bytes);
  }

 private:
  double CostOf(double count, double total, size_t feature) const {
    return -std::log((count + kPrior * background_[feature]) / (total + kPrior));
  }

  // The cost of a text under the language that learnt from it, had it not.
  double CostWithout(const LanguageFeatures& text, const Learner& learner) const {
    std::vector<uint32_t> sorted = text.features;
    std::sort(sorted.begin(), sorted.end());
    double cost = 0;
    for (size_t begin = 0; begin < sorted.size();) {
      size_t end = begin;
      while (end < sorted.size() && sorted[end] == sorted[begin]) ++end;
      const double own = static_cast<double>(end - begin);
      // Text of another script was learnt elsewhere and has nothing here to leave out.
      const double count = std::max(learner.CountOf(sorted[begin]) - own, 0.0);
      const double total = std::max(learner.total - static_cast<double>(sorted.size()), 0.0);
      cost += own * CostOf(count, total, sorted[begin]);
      begin = end;
    }
    return cost;
  }

  NgramScorerOptions options_;
  std::vector<Learner> learners_;
  absl::flat_hash_map<std::string, std::vector<int>> index_;  // a language's learners
  // Made by Finish().
  std::vector<const Learner*> judges_;
  std::vector<double> background_;
  std::vector<uint16_t> costs_;  // [bucket][judge]
};

}  // namespace

std::unique_ptr<LanguageScorer> MakeNgramScorer(const NgramScorerOptions& options) {
  return std::make_unique<NgramScorer>(options);
}

}  // namespace frond
