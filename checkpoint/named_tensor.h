// A tensor and the name it has in files.
#pragma once

#include <string>

#include "core/tensor/tensor.h"

namespace frond {

// Borrows the memory of `value`, which stays with its owner.
struct NamedTensor {
  std::string name;
  View value;
};

}  // namespace frond
