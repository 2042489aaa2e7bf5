// How many threads a rank computes with.
#pragma once

#include "dist/communicator.h"

namespace frond {

// `configured` where positive; else the processors this process may run on, divided by the ranks of
// this host. Collective over `world`.
int ThreadsPerRank(int configured, Communicator& world);

}  // namespace frond
