// Ranks that are threads of one process, so that all parallel code is tested anywhere.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "dist/communicator.h"

namespace frond {

// The n ranks of one group, each to be used by a thread of its own.
std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int n);

// Runs `function` once for each of n ranks, on a thread each, and returns when all have. The OpenMP
// threads of the caller are shared out among the ranks.
void RunThreadRanks(int n, const std::function<void(Communicator&)>& function);

}  // namespace frond
