// The name of this machine, as messages and ranks that compare where they run use it.
#pragma once

#include <string>

namespace frond {

// As the system has it, "node1" say; empty where it has none.
std::string HostName();

}  // namespace frond
