// A tensor and the name it has in files.
#pragma once

#include <string>

#include "core/ops/master.h"
#include "core/tensor/tensor.h"

namespace frond {

// Borrows the memory of `value`, which stays with its owner.
struct NamedTensor {
  std::string name;
  View value;
  Allocator* memory = nullptr;  // in which `value` lies; null: the host's
  View low = {};                // of a split master, whose high half is `value`; see MasterView

  MasterView master() const { return {value, low}; }
  // What files hold of it.
  DType dtype() const { return master().exact_dtype(); }
};

}  // namespace frond
