#include "core/ops/cuda/zero_rows.h"

#include "core/tensor/cuda/runtime.h"

namespace frond::cuda {

void ZeroRows(Context& ctx, Columns x, int64_t begin, int64_t end) {
  if (begin == end || x.columns == 0) return;
  const size_t element = DTypeSize(x.dtype), pitch = static_cast<size_t>(x.pitch) * element;
  char* first = static_cast<char*>(x.data) + static_cast<size_t>(begin) * pitch;
  FROND_CUDA_CHECK(cudaMemset2DAsync(first, pitch, 0, static_cast<size_t>(x.columns) * element,
                                     static_cast<size_t>(end - begin), StreamOf(ctx)));
}

}  // namespace frond::cuda
