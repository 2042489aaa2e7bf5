#include "mixtures/row_stream.h"

#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/philox.h"
#include "data/batch_builder.h"

namespace frond {

bool Row::operator==(const Row& other) const {
  return examples == other.examples && truncated == other.truncated &&
         tokens.source == other.tokens.source && tokens.target == other.tokens.target;
}

PlannedWindow RowStream::Planner::Plan(uint64_t window) const {
  const std::vector<StreamExample> examples = stream.Window(window);
  std::vector<SideLengths> whole, kept;
  whole.reserve(examples.size());
  kept.reserve(examples.size());
  for (const StreamExample& example : examples) {
    whole.push_back(lengths(example));
    CHECK(whole.back().source >= 1 && whole.back().target >= 1) << "example " << example.ordinal;
    kept.push_back(TruncatedLengths(whole.back(), options.limits));
  }
  const uint64_t seed = MixBits(MixBits(stream.seed() ^ KeyFromText("packing")) ^ window);
  const PackedWindow packed = options.packing ? PackWindow(kept, options.limits, seed)
                                              : OneExamplePerRow(kept, options.limits);
  PlannedWindow plan = {.window = window, .packing = packed.report};
  plan.rows.resize(packed.num_rows());
  for (int32_t r = 0; r < packed.num_rows(); ++r) {
    Row& row = plan.rows[r];
    for (const int32_t i : packed.row(r)) {
      row.examples.push_back(examples[i]);
      row.tokens.source += kept[i].source;
      row.tokens.target += kept[i].target;
      row.truncated += kept[i].source < whole[i].source || kept[i].target < whole[i].target;
    }
  }
  CHECK(!plan.rows.empty());
  return plan;
}

RowStream::RowStream(Stream stream, ExampleLengths lengths, const RowOptions& options)
    : plan_(std::make_shared<Planner>(Planner{std::move(stream), std::move(lengths), options})) {
  CHECK_GE(options.limits.source, 1);
  CHECK_GE(options.limits.target, 1);
}

PlannedWindow RowStream::TakePlan(uint64_t window) {
  if (current_.window == window && !current_.rows.empty()) return std::move(current_);
  if (ahead_.valid() && ahead_window_ == window) return ahead_.get();
  return plan_->Plan(window);
}

void RowStream::Enter(uint64_t window) {
  current_ = TakePlan(window);
  if (ahead_.valid() && ahead_window_ == window + 1) return;
  ahead_window_ = window + 1;
  ahead_ = std::async(std::launch::async,
                      [plan = plan_, next = window + 1] { return plan->Plan(next); });
}

std::vector<Row> RowStream::NextRows(int64_t n) {
  CHECK_GE(n, 0);
  std::vector<Row> rows;
  rows.reserve(n);
  while (static_cast<int64_t>(rows.size()) < n) {
    if (current_.rows.empty() || current_.window != position_.window) Enter(position_.window);
    rows.push_back(current_.rows[position_.row]);
    ++position_.row;
    if (position_.row == current_.rows.size()) position_ = {position_.window + 1, 0};
  }
  return rows;
}

absl::Status RowStream::Seek(const StreamPosition& position) {
  const uint64_t windows = kShareOne / stream().window() - 1;
  if (position.window >= windows) {
    return absl::InvalidArgumentError(absl::StrCat("stream position: window ", position.window,
                                                   " is not below ", windows, ", the last one"));
  }
  PlannedWindow plan = TakePlan(position.window);
  const uint64_t num_rows = plan.rows.size();
  current_ = std::move(plan);
  if (position.row >= num_rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        "stream position: window ", position.window, " has ", num_rows,
        " rows, so there is no row ", position.row,
        "; the data, its lengths or data.packing changed since the position was saved"));
  }
  position_ = position;
  Enter(position.window);
  return absl::OkStatus();
}

}  // namespace frond
