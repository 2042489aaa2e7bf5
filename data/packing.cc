#include "data/packing.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>

#include "core/base/check.h"
#include "core/base/philox.h"

namespace frond {
namespace {

// Sizes are compared as shares of the row, both sides together: by the larger share alone, examples
// that are long on one side and not on the other come too late to find each other (measured: 97.5
// against 99.2 % where both sides bind and are independent).
double ShareOfRow(const SideLengths& lengths, const SideLengths& limits) {
  return static_cast<double>(lengths.source) / limits.source +
         static_cast<double>(lengths.target) / limits.target;
}

// Examples from large to small; finds and takes the largest that fits into what is left of a row.
class Pool {
 public:
  Pool(std::vector<int32_t> items, std::span<const SideLengths> lengths, const SideLengths& limits)
      : items_(std::move(items)), lengths_(lengths) {
    std::sort(items_.begin(), items_.end(), [&](int32_t a, int32_t b) {
      const double size_a = ShareOfRow(lengths[a], limits);
      const double size_b = ShareOfRow(lengths[b], limits);
      return size_a != size_b ? size_a > size_b : a < b;
    });
    while (leaves_ < items_.size()) leaves_ *= 2;
    tree_.assign(2 * leaves_, kGone);
    for (size_t i = 0; i < items_.size(); ++i) tree_[leaves_ + i] = lengths[items_[i]];
    for (size_t node = leaves_ - 1; node >= 1; --node) Update(node);
  }

  bool empty() const { return tree_[1].source == kGone.source; }

  // The size that First() would give, 0 where the pool is empty.
  double LargestShare(const SideLengths& limits) const {
    if (empty()) return 0;
    return ShareOfRow(lengths_[items_[Find(limits)]], limits);
  }

  // -1 where no example fits.
  int32_t TakeLargest(const SideLengths& room) {
    if (!Fits(tree_[1], room)) return -1;
    const size_t found = Find(room);
    if (found == kNotFound) return -1;
    tree_[leaves_ + found] = kGone;
    for (size_t node = (leaves_ + found) / 2; node >= 1; node /= 2) Update(node);
    return items_[found];
  }

 private:
  static constexpr SideLengths kGone = {INT32_MAX, INT32_MAX};
  static constexpr size_t kNotFound = SIZE_MAX;

  static bool Fits(const SideLengths& lengths, const SideLengths& room) {
    return lengths.source <= room.source && lengths.target <= room.target;
  }

  void Update(size_t node) {
    const SideLengths& left = tree_[2 * node];
    const SideLengths& right = tree_[2 * node + 1];
    tree_[node] = {std::min(left.source, right.source), std::min(left.target, right.target)};
  }

  // A node's minima may come from two different examples, so a subtree that looks good can hold
  // nothing that fits; then the search goes on to the right of it.
  size_t Find(const SideLengths& room) const {
    size_t node = 1;
    while (true) {
      if (Fits(tree_[node], room)) {
        if (node >= leaves_) return node - leaves_;
        node *= 2;
        continue;
      }
      while (node % 2 == 1) node /= 2;  // a right child: its parent is done as well
      if (node == 0) return kNotFound;
      ++node;
    }
  }

  std::vector<int32_t> items_;
  std::span<const SideLengths> lengths_;
  size_t leaves_ = 1;
  std::vector<SideLengths> tree_;  // [2 * leaves_]: minima of both sides over a subtree
};

// Fills row after row from two pools: examples that need more source than the window's average mix
// and examples that need more target. While a row holds more of one side than that mix, the next
// comes from the other pool; so both sides of all rows run full together (the idea of Chekuri and
// Khanna's and others' two-list algorithms for vector packing).
class RowFiller {
 public:
  RowFiller(std::span<const SideLengths> lengths, const SideLengths& limits,
            const PackingReport& totals)
      : lengths_(lengths),
        limits_(limits),
        source_weight_(1.0 / std::max<int64_t>(totals.source_tokens, 1)),
        target_weight_(1.0 / std::max<int64_t>(totals.target_tokens, 1)),
        source_heavy_(Select(true), lengths, limits),
        target_heavy_(Select(false), lengths, limits) {}

  std::vector<std::vector<int32_t>> Fill() {
    std::vector<std::vector<int32_t>> rows;
    while (!source_heavy_.empty() || !target_heavy_.empty()) rows.push_back(FillRow());
    return rows;
  }

 private:
  double Excess(const SideLengths& lengths) const {
    return lengths.source * source_weight_ - lengths.target * target_weight_;
  }

  std::vector<int32_t> Select(bool source_heavy) const {
    std::vector<int32_t> items;
    for (size_t i = 0; i < lengths_.size(); ++i) {
      if ((Excess(lengths_[i]) >= 0) == source_heavy) items.push_back(static_cast<int32_t>(i));
    }
    return items;
  }

  std::vector<int32_t> FillRow() {
    std::vector<int32_t> row;
    SideLengths used;
    // The largest example left starts the row: it is the hardest to place.
    bool from_source_heavy =
        source_heavy_.LargestShare(limits_) >= target_heavy_.LargestShare(limits_);
    while (true) {
      const SideLengths room = {limits_.source - used.source, limits_.target - used.target};
      Pool& first = from_source_heavy ? source_heavy_ : target_heavy_;
      Pool& second = from_source_heavy ? target_heavy_ : source_heavy_;
      int32_t item = first.TakeLargest(room);
      if (item < 0) item = second.TakeLargest(room);
      if (item < 0) return row;
      row.push_back(item);
      used.source += lengths_[item].source;
      used.target += lengths_[item].target;
      from_source_heavy = Excess(used) < 0;
    }
  }

  std::span<const SideLengths> lengths_;
  SideLengths limits_;
  double source_weight_;
  double target_weight_;
  Pool source_heavy_;
  Pool target_heavy_;
};

PackingReport Totals(std::span<const SideLengths> lengths, const SideLengths& limits) {
  CHECK_GE(limits.source, 1);
  CHECK_GE(limits.target, 1);
  PackingReport report = {.examples = static_cast<int64_t>(lengths.size()), .row_limits = limits};
  for (const SideLengths& example : lengths) {
    CHECK_GE(example.source, 1);
    CHECK_GE(example.target, 1);
    CHECK_LE(example.source, limits.source);
    CHECK_LE(example.target, limits.target);
    report.source_tokens += example.source;
    report.target_tokens += example.target;
  }
  return report;
}

// Fisher-Yates with bits keyed by (seed, position).
std::vector<int32_t> ShuffledOrder(size_t count, uint64_t seed) {
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = count; i > 1; --i) {
    const std::array<uint32_t, 4> bits = Philox(seed, i, 0);
    const uint64_t wide = (uint64_t{bits[1]} << 32 | bits[0]) % i;
    std::swap(order[i - 1], order[wide]);
  }
  return order;
}

}  // namespace

double PackingReport::source_fill() const {
  const int64_t room = rows * row_limits.source;
  return room > 0 ? static_cast<double>(source_tokens) / room : 0;
}

double PackingReport::target_fill() const {
  const int64_t room = rows * row_limits.target;
  return room > 0 ? static_cast<double>(target_tokens) / room : 0;
}

double PackingReport::binding_fill() const { return std::max(source_fill(), target_fill()); }

PackingReport& PackingReport::operator+=(const PackingReport& other) {
  rows += other.rows;
  examples += other.examples;
  source_tokens += other.source_tokens;
  target_tokens += other.target_tokens;
  row_limits = other.row_limits;
  return *this;
}

PackedWindow PackWindow(std::span<const SideLengths> lengths, const SideLengths& row_limits,
                        uint64_t seed) {
  PackedWindow window;
  window.report = Totals(lengths, row_limits);
  std::vector<std::vector<int32_t>> rows = RowFiller(lengths, row_limits, window.report).Fill();
  window.report.rows = static_cast<int64_t>(rows.size());
  window.examples.reserve(lengths.size());
  for (const int32_t r : ShuffledOrder(rows.size(), seed)) {
    std::sort(rows[r].begin(), rows[r].end());
    window.examples.insert(window.examples.end(), rows[r].begin(), rows[r].end());
    window.row_offsets.push_back(static_cast<int32_t>(window.examples.size()));
  }
  return window;
}

PackedWindow OneExamplePerRow(std::span<const SideLengths> lengths, const SideLengths& row_limits) {
  PackedWindow window;
  window.report = Totals(lengths, row_limits);
  window.report.rows = window.report.examples;
  window.examples.resize(lengths.size());
  std::iota(window.examples.begin(), window.examples.end(), 0);
  window.row_offsets.resize(lengths.size() + 1);
  std::iota(window.row_offsets.begin(), window.row_offsets.end(), 0);
  return window;
}

}  // namespace frond
