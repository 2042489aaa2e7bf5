#include "launch/interval_stats.h"

#include "absl/strings/str_cat.h"

namespace frond {
namespace {

std::string GroupKey(const char* what, size_t group) {
  return absl::StrCat("interval.", what, ".", group);
}

double ValueOr0(const TrainState& state, const std::string& key) {
  const auto found = state.values.find(key);
  return found == state.values.end() ? 0 : found->second;
}

int64_t CounterOr0(const TrainState& state, const std::string& key) {
  const auto found = state.counters.find(key);
  return found == state.counters.end() ? 0 : found->second;
}

}  // namespace

void IntervalStats::Reset() { *this = IntervalStats(group_nll.size()); }

void IntervalStats::Save(TrainState& state) const {
  state.counters["interval.steps"] = steps;
  state.counters["interval.examples"] = examples;
  state.counters["interval.source_tokens"] = source_tokens;
  state.counters["interval.target_tokens"] = target_tokens;
  state.counters["interval.truncated"] = truncated;
  state.counters["interval.sent_bytes"] = sent_bytes;
  state.values["interval.loss"] = loss;
  state.values["interval.z_loss"] = z_loss;
  state.values["interval.grad_norm"] = grad_norm;
  for (size_t i = 0; i < group_nll.size(); ++i) {
    if (group_tokens[i] == 0) continue;
    state.values[GroupKey("nll", i)] = group_nll[i];
    state.values[GroupKey("tokens", i)] = group_tokens[i];
  }
}

void IntervalStats::Load(const TrainState& state) {
  steps = CounterOr0(state, "interval.steps");
  examples = CounterOr0(state, "interval.examples");
  source_tokens = CounterOr0(state, "interval.source_tokens");
  target_tokens = CounterOr0(state, "interval.target_tokens");
  truncated = CounterOr0(state, "interval.truncated");
  sent_bytes = CounterOr0(state, "interval.sent_bytes");
  loss = ValueOr0(state, "interval.loss");
  z_loss = ValueOr0(state, "interval.z_loss");
  grad_norm = ValueOr0(state, "interval.grad_norm");
  for (size_t i = 0; i < group_nll.size(); ++i) {
    group_nll[i] = ValueOr0(state, GroupKey("nll", i));
    group_tokens[i] = ValueOr0(state, GroupKey("tokens", i));
  }
}

}  // namespace frond
