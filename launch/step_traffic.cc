#include "launch/step_traffic.h"

#include <cmath>
#include <utility>

namespace frond {

// Groups are only ever added, at the end.
void StepTraffic::CountSince(const CommunicationLog& before) {
  counted_.groups.resize(log_->groups.size());
  auto old = before.groups.begin();
  auto counted = counted_.groups.begin();
  for (const CommunicationLog::Group& group : log_->groups) {
    counted->size = group.size;
    CommunicationCount said = group.count;
    if (old != before.groups.end()) said = Difference(said, (old++)->count);
    for (size_t kind = 0; kind < kNumCollectiveKinds; ++kind) {
      counted->count.by_kind[kind].calls += said.by_kind[kind].calls;
      counted->count.by_kind[kind].bytes += said.by_kind[kind].bytes;
    }
    ++counted;
  }
}

int64_t StepTraffic::TakeBytes() {
  double bytes = 0;
  for (const auto& group : std::exchange(counted_, {}).groups) {
    bytes += RingBytes(group.count, group.size);
  }
  return std::llround(bytes);
}

}  // namespace frond
