#include "core/ops/cpu/gated_gelu.h"

#include <algorithm>

#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {
namespace {

constexpr int64_t kElementsPerCall = 4096;

// `count` elements of a row, from `dense` on where rows follow each other without gaps, and from
// `pitched` on in the operands that may have some.
struct Run {
  int64_t dense, pitched, count;
};

// Calls visit(run) for all elements, in parallel. Rows without gaps are one long row.
template <class Visit>
void ForEachRun(ConstColumns gate, const Visit& visit) {
  const int64_t columns = gate.is_dense() ? gate.num_elements() : gate.columns;
  const int64_t rows = gate.is_dense() ? 1 : gate.rows;
  const int64_t runs = (columns + kElementsPerCall - 1) / kElementsPerCall;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows * runs; ++i) {
    const int64_t row = i / runs, begin = i % runs * kElementsPerCall;
    visit(Run{.dense = row * columns + begin,
              .pitched = row * gate.pitch + begin,
              .count = std::min(kElementsPerCall, columns - begin)});
  }
}

const void* At(ConstColumns x, int64_t element) {
  return static_cast<const char*>(x.data) + element * DTypeSize(x.dtype);
}
void* At(Columns x, int64_t element) {
  return static_cast<char*>(x.data) + element * DTypeSize(x.dtype);
}

}  // namespace

void GatedGelu(Context&, ConstColumns gate, ConstColumns up, View y) {
  const VectorKernels& kernels = BestVectorKernels();
  ForEachRun(gate, [&](const Run& run) {
    kernels.gated_gelu({.count = run.count,
                        .dtype = gate.dtype,
                        .out_dtype = y.dtype,
                        .gate = At(gate, run.pitched),
                        .up = At(up, run.pitched),
                        .y = At(Columns(y), run.dense)});
  });
}

void GatedGeluGrad(Context&, ConstView dy, ConstColumns gate, ConstColumns up, Columns dgate,
                   Columns dup) {
  const VectorKernels& kernels = BestVectorKernels();
  ForEachRun(gate, [&](const Run& run) {
    kernels.gated_gelu_grad({.count = run.count,
                             .dtype = gate.dtype,
                             .out_dtype = dy.dtype,
                             .dy = At(ConstColumns(dy), run.dense),
                             .gate = At(gate, run.pitched),
                             .up = At(up, run.pitched),
                             .dgate = At(dgate, run.pitched),
                             .dup = At(dup, run.pitched)});
  });
}

}  // namespace frond::cpu
