#include "launch/cpu_threads.h"

#include <sched.h>

#include <algorithm>
#include <string>
#include <thread>

#include "core/base/host_name.h"

namespace frond {

int ThreadsPerRank(int configured, Communicator& world) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool known = ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
  // Ranks that share the same processors divide them; those that a launcher has bound apart do not.
  const std::string place =
      HostName() + '\n' + std::string(reinterpret_cast<const char*>(&allowed), sizeof(allowed));
  const std::vector<std::string> places = world.AllGatherBytes(place);
  if (configured > 0) return configured;
  const int processors =
      known ? CPU_COUNT(&allowed) : static_cast<int>(std::thread::hardware_concurrency());
  const auto sharing = static_cast<int>(std::count(places.begin(), places.end(), place));
  return std::max(1, processors / sharing);
}

}  // namespace frond
