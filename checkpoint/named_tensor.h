// A tensor and the name it has in files.
#pragma once

#include <string>

#include "core/tensor/tensor.h"

namespace frond {

// Borrows the memory of `value`, which stays with its owner.
struct NamedTensor {
  std::string name;
  View value;
  Allocator* memory = nullptr;  // in which `value` lies; null: the host's
};

}  // namespace frond
