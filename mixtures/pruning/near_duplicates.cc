#include "mixtures/pruning/near_duplicates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/hash.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "mixtures/pruning/exact_duplicates.h"
#include "mixtures/pruning/minhash.h"
#include "mixtures/pruning/scratch_file.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

constexpr size_t kFirstSlots = 1 << 10;  // a power of two
constexpr int kMaxAlike = 16;            // texts of one band value that are kept
constexpr size_t kMaxTexts = std::numeric_limits<uint32_t>::max() - 1;

// From 32 bits of a band's key to the texts that have it: open addressing, linear probing.
class BandTable {
 public:
  BandTable() : slots_(kFirstSlots) {}

  // Appends the texts of `key`, the oldest first, and perhaps a few others.
  void Find(uint32_t key, std::vector<uint32_t>* texts) const {
    for (size_t at = Home(key); slots_[at].text_plus_one != 0; at = After(at)) {
      if (slots_[at].key == key) texts->push_back(slots_[at].text_plus_one - 1);
    }
  }

  void Add(uint32_t key, uint32_t text) {
    int alike = 0;
    size_t at = Home(key);
    for (; slots_[at].text_plus_one != 0; at = After(at)) alike += slots_[at].key == key;
    if (alike >= kMaxAlike) return;
    slots_[at] = {key, text + 1};
    if (++size_ * 4 > slots_.size() * 3) Grow();
  }

  int64_t memory_bytes() const { return static_cast<int64_t>(slots_.size() * sizeof(Slot)); }

 private:
  struct Slot {
    uint32_t key = 0;
    uint32_t text_plus_one = 0;  // 0: empty
  };

  size_t Home(uint32_t key) const {
    return static_cast<size_t>(uint64_t{key} * slots_.size() >> 32);
  }
  size_t After(size_t at) const { return (at + 1) & (slots_.size() - 1); }

  void Grow() {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    // Behind an empty slot no run is cut, so texts of one key keep their order.
    size_t first = 0;
    while (old[first].text_plus_one != 0) ++first;
    for (size_t i = 0; i < old.size(); ++i) {
      const Slot& slot = old[(first + i) & (old.size() - 1)];
      if (slot.text_plus_one == 0) continue;
      size_t at = Home(slot.key);
      while (slots_[at].text_plus_one != 0) at = After(at);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

// A text that later ones are compared with.
struct KeptText {
  uint64_t offset;  // in the scratch file, of its sketch, which the text follows
  uint64_t place;
  uint32_t size;  // of the text
};

class SignatureWorker : public RuleWorker {
 public:
  SignatureWorker(const NearDuplicateOptions& options, uint64_t seed)
      : options_(options), hasher_(options.bands * options.rows_per_band, seed) {}

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    Opinion opinion{.kind = Opinion::Kind::kAsk};
    opinion.text = NormalizeText(SideOf(example, options_.side, &joined_));
    const std::vector<uint32_t> signature =
        hasher_.Signature(ShingleHashes(opinion.text, options_.ngram));
    for (const uint32_t value : signature) opinion.sketch.push_back(static_cast<char>(value));
    const size_t width = static_cast<size_t>(options_.rows_per_band);
    for (size_t at = 0; at < signature.size(); at += width) {
      const auto* bytes = reinterpret_cast<const char*>(&signature[at]);
      opinion.keys.push_back(
          static_cast<uint32_t>(Hash64(absl::string_view(bytes, width * sizeof(uint32_t)))));
    }
    return opinion;
  }

 private:
  NearDuplicateOptions options_;
  MinHasher hasher_;
  std::string joined_;
};

class NearDuplicateRule : public Rule {
 public:
  NearDuplicateRule(const NearDuplicateOptions& options, const RuleContext& context,
                    std::unique_ptr<ScratchFile> scratch)
      : options_(options),
        context_(context),
        scratch_(std::move(scratch)),
        bands_(static_cast<size_t>(options.bands)) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<SignatureWorker>(options_, context_.seed);
  }

  bool reads_evaluation() const override { return options_.evaluation; }

  absl::Status AddEvaluation(const RowPlace& place, Opinion& opinion) override {
    return Add(place, opinion);
  }

  absl::StatusOr<std::string> Decide(const RowPlace& place, Opinion& opinion) override {
    std::vector<uint32_t> shingles;  // of this text, made where there is something to compare
    for (const uint32_t text : Candidates(place, opinion)) {
      const KeptText& kept = texts_[text];
      const size_t sketch_size = opinion.sketch.size();
      ASSIGN_OR_RETURN(const std::string record,
                       scratch_->Read(kept.offset, sketch_size + kept.size));
      const absl::string_view sketch = absl::string_view(record).substr(0, sketch_size);
      if (IsFarFrom(opinion.sketch, sketch)) continue;
      const absl::string_view other = absl::string_view(record).substr(sketch_size);
      if (shingles.empty()) {
        shingles = ShingleHashes(opinion.text, options_.ngram);
        SortDistinct(&shingles);
      }
      std::vector<uint32_t> others = ShingleHashes(other, options_.ngram);
      SortDistinct(&others);
      const double similarity = Jaccard(shingles, others);
      if (similarity < options_.threshold) continue;
      return RepeatReason(absl::StrFormat("similarity %.3f with", similarity),
                          PackedSource(kept.place), PackedRow(kept.place), context_);
    }
    if (options_.rows) RETURN_IF_ERROR(Add(place, opinion));
    return std::string();
  }

  int64_t memory_bytes() const override {
    int64_t bytes = static_cast<int64_t>(texts_.capacity() * sizeof(KeptText));
    for (const BandTable& band : bands_) bytes += band.memory_bytes();
    return bytes;
  }

 private:
  // Whether the similarity that sketches show is so far below the threshold that chance, five
  // standard deviations of it, cannot be why.
  bool IsFarFrom(absl::string_view a, absl::string_view b) const {
    size_t agree = 0;
    for (size_t i = 0; i < a.size(); ++i) agree += a[i] == b[i];
    const double count = static_cast<double>(a.size());
    const double deviation = std::sqrt(options_.threshold * (1 - options_.threshold) / count);
    return static_cast<double>(agree) / count < options_.threshold - 5 * deviation;
  }

  // The key of a text of `source` in a band's table. Where sources are not compared with each other
  // each has keys of its own, lest the texts of one crowd out those of the next.
  uint32_t KeyOf(uint32_t key, int source) const {
    if (source < 0 || !options_.within_source) return key;
    return static_cast<uint32_t>(MixBits(key | (static_cast<uint64_t>(source) + 1) << 32));
  }

  // Texts that share a band with this one, each once, in the order they are found.
  std::vector<uint32_t> Candidates(const RowPlace& place, const Opinion& opinion) const {
    std::vector<uint32_t> found, candidates;
    for (size_t b = 0; b < bands_.size(); ++b) {
      if (options_.within_source && options_.evaluation) bands_[b].Find(opinion.keys[b], &found);
      bands_[b].Find(KeyOf(opinion.keys[b], place.source), &found);
    }
    for (const uint32_t text : found) {
      const int source = PackedSource(texts_[text].place);
      const bool compared = source < 0 || !options_.within_source || source == place.source;
      if (!compared || candidates.size() == kMaxNearCandidates) continue;
      if (std::find(candidates.begin(), candidates.end(), text) == candidates.end()) {
        candidates.push_back(text);
      }
    }
    return candidates;
  }

  absl::Status Add(const RowPlace& place, const Opinion& opinion) {
    if (texts_.size() >= kMaxTexts) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", kMaxTexts, " rows to compare with; prune in parts"));
    }
    ASSIGN_OR_RETURN(const uint64_t offset, scratch_->Append(opinion.sketch + opinion.text));
    const uint32_t text = static_cast<uint32_t>(texts_.size());
    texts_.push_back({.offset = offset,
                      .place = PackPlace(place.source, place.row),
                      .size = static_cast<uint32_t>(opinion.text.size())});
    for (size_t b = 0; b < bands_.size(); ++b) {
      bands_[b].Add(KeyOf(opinion.keys[b], place.source), text);
    }
    return absl::OkStatus();
  }

  NearDuplicateOptions options_;
  RuleContext context_;
  std::unique_ptr<ScratchFile> scratch_;
  std::vector<BandTable> bands_;
  std::vector<KeptText> texts_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rule>> MakeNearDuplicateRule(const NearDuplicateOptions& options,
                                                            const RuleContext& context) {
  ASSIGN_OR_RETURN(auto scratch, ScratchFile::Create(context.scratch_dir));
  return std::make_unique<NearDuplicateRule>(options, context, std::move(scratch));
}

}  // namespace frond
