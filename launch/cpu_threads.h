// How many threads a rank computes with.
#pragma once

#include "dist/communicator.h"

namespace frond {

// `configured` where positive; else the processors this rank may run on, divided by the ranks of
// this host that may run on the same ones. Collective over `world`.
int ThreadsPerRank(int configured, Communicator& world);

}  // namespace frond
