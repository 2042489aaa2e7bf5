// Sums of numbers that lie in host memory whatever device the ranks compute on.
#pragma once

#include <span>

#include "dist/communicator.h"

namespace frond {

// Every number becomes its sum over the ranks of `group`. Collective.
void SumNumbers(Communicator& group, std::span<double> numbers);

}  // namespace frond
