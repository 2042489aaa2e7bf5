#include "mixtures/pruning/median_target_rule.h"

#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "mixtures/pruning/template_group.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

// Rows by the number of words of their targets.
class Histogram {
 public:
  void Add(int64_t words) {
    ++rows_of_[words];
    ++rows_;
  }

  // Of an even number of rows, the mean of the two in the middle.
  double Median() const {
    return static_cast<double>(AtRank((rows_ - 1) / 2) + AtRank(rows_ / 2)) / 2;
  }

 private:
  int64_t AtRank(int64_t rank) const {
    for (const auto& [words, rows] : rows_of_) {
      if (rank < rows) return words;
      rank -= rows;
    }
    return 0;
  }

  std::map<int64_t, int64_t> rows_of_;
  int64_t rows_ = 0;
};

class MedianTargetRule : public Rule {
 public:
  explicit MedianTargetRule(const MedianTargetOptions& options) : options_(options) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<Worker>(!is_studied_);
  }

  bool studies() const override { return true; }

  void Study(const RowPlace& place, Opinion& opinion) override {
    histograms_[TemplateGroupOf(place, options_.per)].Add(static_cast<int64_t>(opinion.hash));
  }

  absl::Status FinishStudy() override {
    is_studied_ = true;
    for (const auto& [group, histogram] : histograms_) {
      const double median = histogram.Median();
      if (median < options_.min_words) dropped_.emplace(group, median);
    }
    histograms_.clear();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion&) override {
    const auto found = dropped_.find(TemplateGroupOf(place, options_.per));
    if (found == dropped_.end()) return std::string();
    return absl::StrFormat("template %s has targets of %.6g words (median), at least %.6g",
                           place.example->template_id, found->second, options_.min_words);
  }

 private:
  struct Worker : public RuleWorker {
    explicit Worker(bool counts_words) : counts(counts_words) {}
    absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
      if (example.template_id.empty()) return Opinion::Keep();
      Opinion opinion{.kind = Opinion::Kind::kAsk};
      if (counts) opinion.hash = static_cast<uint64_t>(counter.Count(example.targets));
      return opinion;
    }
    bool counts;
    WordCounter counter;
  };

  MedianTargetOptions options_;
  bool is_studied_ = false;
  absl::flat_hash_map<std::string, Histogram> histograms_;
  absl::flat_hash_map<std::string, double> dropped_;  // medians
};

}  // namespace

std::unique_ptr<Rule> MakeMedianTargetRule(const MedianTargetOptions& options) {
  return std::make_unique<MedianTargetRule>(options);
}

}  // namespace frond
