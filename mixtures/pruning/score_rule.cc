#include "mixtures/pruning/score_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "mixtures/pruning/row_scores.h"
#include "mixtures/pruning/template_group.h"

namespace frond {
namespace {

const char* Name(ScoreOptions::Keep keep) {
  switch (keep) {
    case ScoreOptions::Keep::kLow:
      return "lowest";
    case ScoreOptions::Keep::kMiddle:
      return "middle";
    case ScoreOptions::Keep::kHigh:
      break;
  }
  return "highest";
}

class ScoreRule : public Rule {
 public:
  ScoreRule(const ScoreOptions& options, RowScores scores)
      : options_(options), scores_(std::move(scores)) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<Worker>(scores_);
  }

  bool studies() const override { return true; }

  void Study(const RowPlace& place, Opinion& opinion) override {
    groups_[GroupOf(place)].emplace_back(opinion.score, place.ordinal);
    rows_ = place.ordinal + 1;
  }

  absl::Status FinishStudy() override {
    kept_.assign(static_cast<size_t>(rows_), false);
    for (auto& [group, rows] : groups_) {
      std::sort(rows.begin(), rows.end());
      const size_t keep =
          static_cast<size_t>(std::llround(options_.fraction * static_cast<double>(rows.size())));
      const size_t others = rows.size() - keep;
      size_t first = 0;
      if (options_.keep == ScoreOptions::Keep::kMiddle) first = others / 2;
      if (options_.keep == ScoreOptions::Keep::kHigh) first = others;
      for (size_t i = first; i < first + keep; ++i) {
        kept_[static_cast<size_t>(rows[i].second)] = true;
      }
    }
    groups_.clear();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion& opinion) override {
    const auto ordinal = static_cast<size_t>(place.ordinal);
    if (ordinal >= kept_.size()) {
      return absl::FailedPreconditionError(
          absl::StrCat("source '", place.source_name, "' changed while it was pruned: its row ",
                       place.row, " is one that the rule did not see before"));
    }
    if (kept_[ordinal]) return std::string();
    return absl::StrFormat("%s %.6g is not among the %s %.6g %%", options_.scores.field,
                           opinion.score, Name(options_.keep), 100 * options_.fraction);
  }

  int64_t memory_bytes() const override {
    return scores_.memory_bytes() + static_cast<int64_t>(kept_.size() / 8);
  }

 private:
  struct Worker : public RuleWorker {
    explicit Worker(const RowScores& table) : scores(table) {}
    absl::StatusOr<Opinion> Look(const Example&, absl::string_view line) override {
      Opinion opinion{.kind = Opinion::Kind::kAsk};
      ASSIGN_OR_RETURN(opinion.score, scores.Of(line));
      return opinion;
    }
    const RowScores& scores;
  };

  std::string GroupOf(const RowPlace& place) const {
    switch (options_.per) {
      case ScoreOptions::Per::kAll:
        break;
      case ScoreOptions::Per::kLanguage:
        return place.example->language;
      case ScoreOptions::Per::kDataset:
        return DatasetOf(place);
      case ScoreOptions::Per::kDatasetAndLanguage:
        return absl::StrCat(DatasetOf(place), "\n", place.example->language);
    }
    return "";
  }

  ScoreOptions options_;
  RowScores scores_;
  absl::flat_hash_map<std::string, std::vector<std::pair<double, int64_t>>> groups_;
  int64_t rows_ = 0;
  std::vector<bool> kept_;  // by ordinal
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rule>> MakeScoreRule(const ScoreOptions& options) {
  ASSIGN_OR_RETURN(RowScores scores, RowScores::Read(options.scores.path, options.scores.field));
  return std::make_unique<ScoreRule>(options, std::move(scores));
}

}  // namespace frond
