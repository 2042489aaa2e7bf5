#include "core/ops/cpu/vector_kernels.h"

namespace frond::cpu {

int64_t AttentionScratch(int64_t num_keys, int64_t head_dim) {
  // The gradient's buffers, of which the forward needs fewer.
  const int64_t keys = num_keys + 64, dim = head_dim + 64;
  return 5 * keys * dim + 5 * 48 * dim + 2 * 48 * keys + 2 * keys + 20 * 64;
}

}  // namespace frond::cpu
