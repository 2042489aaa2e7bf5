#include "core/ops/cpu/gated_gelu.h"

#include <algorithm>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {
namespace {

constexpr int64_t kElementsPerCall = 4096;

// Calls run(begin, count) for all parts of `count` elements, in parallel.
template <class Run>
void ForEachRun(int64_t count, const Run& run) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < count; begin += kElementsPerCall) {
    run(begin, std::min(kElementsPerCall, count - begin));
  }
}

const void* At(ConstView view, int64_t element) {
  return static_cast<const char*>(view.data) + element * DTypeSize(view.dtype);
}
void* At(View view, int64_t element) {
  return static_cast<char*>(view.data) + element * DTypeSize(view.dtype);
}

}  // namespace

void GatedGelu(Context&, ConstView gate, ConstView up, View y) {
  const VectorKernels& kernels = BestVectorKernels();
  ForEachRun(gate.num_elements(), [&](int64_t begin, int64_t count) {
    kernels.gated_gelu({.count = count,
                        .dtype = gate.dtype,
                        .gate = At(gate, begin),
                        .up = At(up, begin),
                        .y = At(y, begin)});
  });
}

void GatedGeluGrad(Context&, ConstView dy, ConstView gate, ConstView up, View dgate, View dup) {
  const VectorKernels& kernels = BestVectorKernels();
  ForEachRun(gate.num_elements(), [&](int64_t begin, int64_t count) {
    kernels.gated_gelu_grad({.count = count,
                             .dtype = gate.dtype,
                             .dy = At(dy, begin),
                             .gate = At(gate, begin),
                             .up = At(up, begin),
                             .dgate = At(dgate, begin),
                             .dup = At(dup, begin)});
  });
}

}  // namespace frond::cpu
