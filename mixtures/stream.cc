#include "mixtures/stream.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/philox.h"
#include "mixtures/keyed_permutation.h"

namespace frond {
namespace {

uint64_t Combine(uint64_t a, uint64_t b) { return MixBits(MixBits(a) ^ b); }

// Draws of one leaf, counted from the start of the stream: begin, ..., end - 1.
struct DrawRange {
  int32_t leaf;
  uint64_t begin;
  uint64_t end;
};

// `size` and `key` are the leaf's.
void AppendDraws(const DrawRange& draws, uint64_t size, uint64_t key,
                 std::vector<StreamExample>& out) {
  uint64_t draw = draws.begin;
  while (draw < draws.end) {
    const uint64_t epoch = draw / size;
    const uint64_t epoch_end = std::min(draws.end, (epoch + 1) * size);
    const KeyedPermutation order(size, Combine(key, epoch));
    for (; draw < epoch_end; ++draw) {
      const uint64_t index = order(draw - epoch * size);
      out.push_back({.leaf = draws.leaf, .index_in_leaf = index, .epoch = epoch});
    }
  }
}

}  // namespace

Stream::Stream(const Mixture& mixture, uint64_t seed, uint64_t window)
    : leaves_(mixture.leaves()),
      apportionment_(mixture.shares(), window),
      seed_(seed),
      manifest_hash_(mixture.manifest_hash()) {
  // Keyed by name, not by index: adding a source leaves the order inside the others as it was.
  for (const LeafInfo& leaf : leaves_) {
    std::string name =
        absl::StrCat("leaf ", leaf.source.size(), ":", leaf.source, "/", leaf.language);
    if (!leaf.template_id.empty()) absl::StrAppend(&name, "/", leaf.template_id);
    leaf_keys_.push_back(Combine(seed, KeyFromText(name)));
  }
}

std::vector<StreamExample> Stream::Window(uint64_t w) const {
  const Apportionment::Counts counts = apportionment_.Around(w);
  std::vector<StreamExample> drawn;
  drawn.reserve(window());
  for (size_t i = 0; i < leaves_.size(); ++i) {
    const DrawRange draws = {static_cast<int32_t>(i), counts.before[i], counts.after[i]};
    AppendDraws(draws, leaves_[i].num_examples, leaf_keys_[i], drawn);
  }
  CHECK_EQ(drawn.size(), window());
  const KeyedPermutation order(window(), Combine(Combine(seed_, KeyFromText("window")), w));
  std::vector<StreamExample> served(window());
  for (uint64_t i = 0; i < window(); ++i) {
    const uint64_t place = order(i);
    served[place] = drawn[i];
    served[place].ordinal = w * window() + place;
  }
  return served;
}

int64_t Stream::VariantOf(const StreamExample& example, int64_t count) const {
  CHECK_GE(count, 1);
  const auto n = static_cast<uint64_t>(count);
  const uint64_t row =
      Combine(Combine(leaf_keys_[static_cast<size_t>(example.leaf)], KeyFromText("variant")),
              example.index_in_leaf);
  const uint64_t first = Combine(row, example.epoch / n) % n;
  return static_cast<int64_t>((first + example.epoch % n) % n);
}

uint64_t Stream::hash() const { return Combine(Combine(manifest_hash_, seed_), window()); }

}  // namespace frond
