// Which part of each parameter a rank updates, and with whom it adds up what an update needs of the
// whole parameter.
#pragma once

#include <functional>

#include "core/nn/param.h"
#include "dist/communicator.h"

namespace frond {

// The default is for a store without a tensor axis on a rank that updates everything.
struct Ownership {
  // Some rows of the rank's part of a parameter (Param::slice), or none. Over the ranks of `data`
  // they are all rows of the part, once. Null: all of the part.
  std::function<ParamSlice(const Param&)> slice;
  // The store's tensor axis; may be null where that has one rank. Outlives the optimizer, as `data`
  // does.
  Communicator* tensor = nullptr;
  // The ranks that `slice` shares the rows out among; null: each updates all rows.
  Communicator* data = nullptr;
};

// The numbers of the slice's elements in the whole parameter.
ElementNumbers NumbersOf(const ParamSlice& slice);

}  // namespace frond
