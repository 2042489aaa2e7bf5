// What an Adafactor update is scaled by: the squares of the update and of the parameter, summed.
#pragma once

#include <vector>

namespace frond::cpu {

struct UpdateSums {
  double update = 0;  // of the update before clipping and the learning rate
  double param = 0;   // of the parameter
};

// In the order of the parts, so that the sums do not depend on the threads that made them.
inline UpdateSums JoinSums(const std::vector<UpdateSums>& parts) {
  UpdateSums total;
  for (const UpdateSums& part : parts) {
    total.update += part.update;
    total.param += part.param;
  }
  return total;
}

}  // namespace frond::cpu
