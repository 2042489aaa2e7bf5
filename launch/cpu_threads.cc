#include "launch/cpu_threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

namespace frond {

int ThreadsPerRank(int configured, Communicator& world) {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  const std::vector<std::string> hosts = world.AllGatherBytes(host);
  const auto ranks_here =
      static_cast<int>(std::count(hosts.begin(), hosts.end(), std::string(host)));
  if (configured > 0) return configured;
  const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool known = ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
  const int mine = known ? std::max(1, CPU_COUNT(&allowed)) : processors;
  // A launcher that binds every rank to its own cores has divided the machine already.
  return mine < processors ? mine : std::max(1, processors / ranks_here);
}

}  // namespace frond
