#include "mixtures/pruning/exact_duplicates.h"

#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "core/base/philox.h"
#include "mixtures/pruning/hash_table.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

constexpr int kRowBits = 41;
constexpr uint64_t kRowMask = (uint64_t{1} << kRowBits) - 1;
constexpr int kSourceOffset = 1 << 20;  // evaluation sets are negative

class HashWorker : public RuleWorker {
 public:
  explicit HashWorker(Side side) : side_(side) {}

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    Opinion opinion{.kind = Opinion::Kind::kAsk};
    if (side_ != Side::kTargets) opinion.hash = Hash64(NormalizeText(example.inputs));
    if (side_ != Side::kInputs) {
      opinion.hash = SeededHash64(NormalizeText(example.targets), MixBits(opinion.hash));
    }
    return opinion;
  }

 private:
  Side side_;
};

class ExactDuplicateRule : public Rule {
 public:
  ExactDuplicateRule(const ExactDuplicateOptions& options, const RuleContext& context)
      : options_(options), context_(context) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<HashWorker>(options_.side);
  }

  bool reads_evaluation() const override { return options_.evaluation; }

  absl::Status AddEvaluation(const RowPlace& place, Opinion& opinion) override {
    evaluation_.FindOrAdd(opinion.hash, PackPlace(place.source, place.row));
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion& opinion) override {
    const uint64_t here = PackPlace(place.source, place.row);
    if (options_.evaluation) {
      const uint64_t* first = evaluation_.Find(opinion.hash);
      if (first != nullptr) return Reason(*first);
    }
    if (!options_.rows) return std::string();
    const uint64_t hash = options_.within_source
                              ? MixBits(opinion.hash ^ MixBits(static_cast<uint64_t>(place.source)))
                              : opinion.hash;
    const uint64_t first = rows_.FindOrAdd(hash, here);
    if (first == here) return std::string();
    return Reason(first);
  }

  int64_t memory_bytes() const override {
    return rows_.memory_bytes() + evaluation_.memory_bytes();
  }

 private:
  std::string Reason(uint64_t first) const {
    return RepeatReason("repeats", PackedSource(first), PackedRow(first), context_);
  }

  ExactDuplicateOptions options_;
  RuleContext context_;
  FirstSeenTable rows_;
  FirstSeenTable evaluation_;
};

}  // namespace

uint64_t PackPlace(int source, int64_t row) {
  return static_cast<uint64_t>(source + kSourceOffset) << kRowBits |
         (static_cast<uint64_t>(row) & kRowMask);
}

int PackedSource(uint64_t place) { return static_cast<int>(place >> kRowBits) - kSourceOffset; }

int64_t PackedRow(uint64_t place) { return static_cast<int64_t>(place & kRowMask); }

std::string RepeatReason(absl::string_view verb, int source, int64_t row,
                         const RuleContext& context) {
  const bool evaluation = source < 0;
  const std::string& name = evaluation ? context.evaluation_names[static_cast<size_t>(-1 - source)]
                                       : context.source_names[static_cast<size_t>(source)];
  return absl::StrCat(verb, " row ", row, " of ", evaluation ? "evaluation set " : "", name);
}

std::unique_ptr<Rule> MakeExactDuplicateRule(const ExactDuplicateOptions& options,
                                             const RuleContext& context) {
  return std::make_unique<ExactDuplicateRule>(options, context);
}

}  // namespace frond
