#include "mixtures/pruning/near_templates_rule.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "mixtures/pruning/minhash.h"
#include "mixtures/pruning/template_group.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

// With fewer n-grams in a language, words that many texts have weigh as much as a template's own.
constexpr size_t kFewestShingles = 8;

// The shortest distinct inputs of a template in one language.
class Shortest {
 public:
  void Add(std::string&& text, int64_t most) {
    ++rows_;
    std::pair<size_t, std::string> sized(text.size(), std::move(text));
    const bool full = static_cast<int64_t>(texts_.size()) >= most;
    if (full && *texts_.rbegin() <= sized) return;
    if (texts_.insert(std::move(sized)).second && full) texts_.erase(std::prev(texts_.end()));
  }

  int64_t rows() const { return rows_; }
  int64_t size() const { return static_cast<int64_t>(texts_.size()); }

  // The n-grams of at least `share` of the texts, sorted.
  std::vector<uint32_t> CommonShingles(int ngram, double share) const {
    std::vector<uint32_t> all;
    for (const auto& [size, text] : texts_) {
      std::vector<uint32_t> shingles = ShingleHashes(text, ngram);
      SortDistinct(&shingles);
      all.insert(all.end(), shingles.begin(), shingles.end());
    }
    std::sort(all.begin(), all.end());
    std::vector<uint32_t> common;
    const double needed = share * static_cast<double>(texts_.size());
    for (auto begin = all.begin(); begin != all.end();) {
      const auto end = std::upper_bound(begin, all.end(), *begin);
      if (static_cast<double>(end - begin) >= needed) common.push_back(*begin);
      begin = end;
    }
    return common;
  }

 private:
  std::set<std::pair<size_t, std::string>> texts_;
  int64_t rows_ = 0;
};

// What is known of a template, or of one in one language.
struct Template {
  std::string name;  // for people
  int64_t rows = 0;
  std::map<std::string, std::vector<uint32_t>> own;  // by language: n-grams of its own text
};

// Of the own texts in the languages that both have.
double Similarity(const Template& a, const Template& b) {
  double both = 0, either = 0;
  for (const auto& [language, shingles] : a.own) {
    const auto other = b.own.find(language);
    if (other == b.own.end()) continue;
    std::vector<uint32_t> common;
    std::set_intersection(shingles.begin(), shingles.end(), other->second.begin(),
                          other->second.end(), std::back_inserter(common));
    both += static_cast<double>(common.size());
    either += static_cast<double>(shingles.size() + other->second.size() - common.size());
  }
  return either > 0 ? both / either : 0;
}

class NearTemplatesRule : public Rule {
 public:
  explicit NearTemplatesRule(const NearTemplatesOptions& options) : options_(options) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<Worker>(!is_studied_);
  }

  bool studies() const override { return true; }

  void Study(const RowPlace& place, Opinion& opinion) override {
    const Example& example = *place.example;
    Group& group = datasets_[DatasetOf(place)][TemplateGroupOf(place, options_.per)];
    group.name = example.template_id;
    group.inputs[example.language].Add(std::move(opinion.text), options_.sample);
  }

  absl::Status FinishStudy() override {
    is_studied_ = true;
    for (auto& [dataset, groups] : datasets_) FinishDataset(groups);
    datasets_.clear();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion&) override {
    const auto found = dropped_.find(TemplateGroupOf(place, options_.per));
    return found == dropped_.end() ? std::string() : found->second;
  }

 private:
  struct Group {
    std::string name;
    std::map<std::string, Shortest> inputs;  // by language
  };
  using Groups = std::map<std::string, Group>;  // by TemplateGroupOf

  struct Worker : public RuleWorker {
    explicit Worker(bool reads_inputs) : reads(reads_inputs) {}
    absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
      if (example.template_id.empty()) return Opinion::Keep();
      Opinion opinion{.kind = Opinion::Kind::kAsk};
      if (reads) opinion.text = NormalizeText(example.inputs);
      return opinion;
    }
    bool reads;
  };

  Template Estimate(const Group& group) const {
    Template made{.name = group.name};
    for (const auto& [language, inputs] : group.inputs) {
      made.rows += inputs.rows();
      if (inputs.size() < options_.min_inputs) continue;
      std::vector<uint32_t> own = inputs.CommonShingles(options_.ngram, options_.share);
      if (own.size() >= kFewestShingles) made.own.emplace(language, std::move(own));
    }
    return made;
  }

  void FinishDataset(const Groups& groups) {
    std::vector<std::pair<const std::string*, Template>> templates;
    for (const auto& [key, group] : groups) templates.emplace_back(&key, Estimate(group));
    // The map's order holds among equals.
    std::stable_sort(templates.begin(), templates.end(),
                     [](const auto& a, const auto& b) { return a.second.rows > b.second.rows; });
    std::vector<const Template*> kept;
    for (const auto& [key, candidate] : templates) {
      std::string reason;
      for (const Template* other : kept) {
        const double similarity = Similarity(candidate, *other);
        if (similarity < options_.threshold) continue;
        reason = absl::StrFormat("template %s is nearly %s (similarity %.3f)", candidate.name,
                                 other->name, similarity);
        break;
      }
      if (reason.empty()) {
        kept.push_back(&candidate);
      } else {
        dropped_.emplace(*key, std::move(reason));
      }
    }
  }

  NearTemplatesOptions options_;
  bool is_studied_ = false;
  absl::flat_hash_map<std::string, Groups> datasets_;
  absl::flat_hash_map<std::string, std::string> dropped_;  // reasons
};

}  // namespace

std::unique_ptr<Rule> MakeNearTemplatesRule(const NearTemplatesOptions& options) {
  return std::make_unique<NearTemplatesRule>(options);
}

}  // namespace frond
