// The one set of kernels where no instruction set is singled out.
#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {

std::span<const VectorKernels* const> AvailableVectorKernels() {
  static const VectorKernels* const available[] = {&generic::Kernels()};
  return available;
}

}  // namespace frond::cpu
