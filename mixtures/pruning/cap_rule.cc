#include "mixtures/pruning/cap_rule.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "mixtures/pruning/row_scores.h"
#include "mixtures/pruning/template_group.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

// Numbers in the order of the scores.
uint64_t OrderedBits(double score) {
  const uint64_t bits = std::bit_cast<uint64_t>(score + 0.0);  // one zero
  return bits >> 63 != 0 ? ~bits : bits | uint64_t{1} << 63;
}

class CapWorker : public RuleWorker {
 public:
  CapWorker(CapOptions::Choice choice, uint64_t seed, const RowScores* scores)
      : choice_(choice), seed_(seed), scores_(scores) {}

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view line) override {
    Opinion opinion{.kind = Opinion::Kind::kAsk};
    // The lowest keys stay.
    if (choice_ == CapOptions::Choice::kRandom) opinion.hash = SeededHash64(line, MixBits(seed_));
    if (choice_ == CapOptions::Choice::kLongest) {
      opinion.hash = ~static_cast<uint64_t>(CountCharacters(example.targets));
    }
    if (scores_ != nullptr) {
      ASSIGN_OR_RETURN(const double score, scores_->Of(line));
      const uint64_t bits = OrderedBits(score);
      opinion.hash = choice_ == CapOptions::Choice::kHighestScore ? ~bits : bits;
    }
    return opinion;
  }

 private:
  CapOptions::Choice choice_;
  uint64_t seed_;
  const RowScores* scores_;  // null: the choice needs none
};

class CapRule : public Rule {
 public:
  CapRule(const CapOptions& options, const RuleContext& context, std::unique_ptr<RowScores> scores)
      : options_(options), context_(context), scores_(std::move(scores)) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<CapWorker>(options_.choice, context_.seed, scores_.get());
  }

  bool studies() const override { return options_.choice != CapOptions::Choice::kFirst; }

  void Study(const RowPlace& place, Opinion& opinion) override {
    std::vector<Candidate>& heap = heaps_[GroupOf(place)];
    heap.emplace_back(opinion.hash, place.ordinal);
    std::push_heap(heap.begin(), heap.end());
    if (static_cast<int64_t>(heap.size()) <= options_.rows) return;
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
  }

  absl::Status FinishStudy() override {
    for (const auto& [group, heap] : heaps_) {
      for (const Candidate& candidate : heap) kept_.insert(candidate.second);
    }
    heaps_.clear();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion&) override {
    const bool keeps =
        studies() ? kept_.contains(place.ordinal) : ++counts_[GroupOf(place)] <= options_.rows;
    if (keeps) return std::string();
    return absl::StrCat("above the cap of ", options_.rows, " rows");
  }

  int64_t memory_bytes() const override {
    const int64_t kept = static_cast<int64_t>(kept_.capacity() * (sizeof(int64_t) + 1));
    return kept + (scores_ != nullptr ? scores_->memory_bytes() : 0);
  }

 private:
  using Candidate = std::pair<uint64_t, int64_t>;  // key, ordinal

  std::string GroupOf(const RowPlace& place) const {
    const Example& example = *place.example;
    switch (options_.per) {
      case CapOptions::Per::kLanguage:
        return example.language;
      case CapOptions::Per::kSource:
        return absl::StrCat(place.source);
      case CapOptions::Per::kSourceAndLanguage:
        return absl::StrCat(place.source, "\n", example.language);
      case CapOptions::Per::kTemplate:
        return absl::StrCat(place.source, "\n", example.dataset_name, "\n", example.template_id);
      case CapOptions::Per::kDataset:
        return DatasetOf(place);
      case CapOptions::Per::kDatasetAndLanguage:
        return absl::StrCat(DatasetOf(place), "\n", example.language);
    }
    return "";
  }

  CapOptions options_;
  RuleContext context_;
  std::unique_ptr<RowScores> scores_;
  absl::flat_hash_map<std::string, std::vector<Candidate>> heaps_;
  absl::flat_hash_map<std::string, int64_t> counts_;
  absl::flat_hash_set<int64_t> kept_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rule>> MakeCapRule(const CapOptions& options,
                                                  const RuleContext& context) {
  std::unique_ptr<RowScores> scores;
  if (options.choice == CapOptions::Choice::kLowestScore ||
      options.choice == CapOptions::Choice::kHighestScore) {
    ASSIGN_OR_RETURN(RowScores read, RowScores::Read(options.scores.path, options.scores.field));
    scores = std::make_unique<RowScores>(std::move(read));
  }
  return std::make_unique<CapRule>(options, context, std::move(scores));
}

}  // namespace frond
