#include "mixtures/pruning/target_rules.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

class TemplateRule : public Rule {
 public:
  explicit TemplateRule(const TemplateOptions& options)
      : drop_(options.drop.begin(), options.drop.end()) {}

  std::unique_ptr<RuleWorker> NewWorker() const override { return std::make_unique<Worker>(drop_); }

 private:
  struct Worker : public RuleWorker {
    explicit Worker(const absl::flat_hash_set<std::string>& list) : drop(list) {}
    absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
      if (!drop.contains(example.template_id)) return Opinion::Keep();
      return Opinion::Drop(absl::StrCat("template ", example.template_id));
    }
    const absl::flat_hash_set<std::string>& drop;
  };

  absl::flat_hash_set<std::string> drop_;
};

class TargetRule : public Rule {
 public:
  explicit TargetRule(const TargetOptions& options) : options_(options) {}
  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<Worker>(options_);
  }

 private:
  struct Worker : public RuleWorker {
    explicit Worker(const TargetOptions& given) : options(given) {}
    absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
      const std::string target = NormalizeText(example.targets);
      if (target.empty()) {
        return options.empty ? Opinion::Drop("the target is empty") : Opinion::Keep();
      }
      if (options.identical && target == NormalizeText(example.inputs)) {
        return Opinion::Drop("the target is the input");
      }
      return Opinion::Keep();
    }
    TargetOptions options;
  };

  TargetOptions options_;
};

}  // namespace

std::unique_ptr<Rule> MakeTemplateRule(const TemplateOptions& options) {
  return std::make_unique<TemplateRule>(options);
}

std::unique_ptr<Rule> MakeTargetRule(const TargetOptions& options) {
  return std::make_unique<TargetRule>(options);
}

}  // namespace frond
