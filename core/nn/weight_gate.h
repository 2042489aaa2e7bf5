// What stands between a training pass and weights that are still on their way to it.
#pragma once

#include "core/tensor/context.h"

namespace frond {

class WeightGate {
 public:
  virtual ~WeightGate() = default;
  // A training pass is about to read the parameters of `section` (ParamStore::StartSection): on
  // return they and all before them are ready. Every training pass awaits every section in order,
  // one without examples too, so that a gate may talk to other ranks here.
  virtual void Await(Context& ctx, int section) = 0;
};

}  // namespace frond
