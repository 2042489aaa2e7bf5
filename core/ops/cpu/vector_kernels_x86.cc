// The sets of kernels on x86-64.
#include <vector>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {

std::span<const VectorKernels* const> AvailableVectorKernels() {
  static const std::vector<const VectorKernels*> available = [] {
    std::vector<const VectorKernels*> sets;
    for (const VectorKernels* set : {&avx512::Kernels(), &avx2::Kernels(), &generic::Kernels()}) {
      if (set->runs_here()) sets.push_back(set);
    }
    return sets;
  }();
  return available;
}

}  // namespace frond::cpu
