// Making weights whole again on every rank after each has updated the rows it owns.
#pragma once

#include "core/nn/param.h"
#include "dist/communicator.h"

namespace frond {

// Every Param::value of `store`, whose masters are shared out over the ranks of `data` (or not,
// then this does nothing), becomes what the ranks' masters are or round to, the same bits on every
// rank. Small parameters travel together. Collective over `data`.
void ShareWeights(Context& ctx, const ParamStore& store, Communicator& data);

}  // namespace frond
