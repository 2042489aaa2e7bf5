// How much dynamic shared memory kernels may have.
#pragma once

#include <cstddef>

namespace frond::cuda {

// Lets `kernel` have at least so many bytes of dynamic shared memory on the calling thread's
// device, and never fewer than before: a kernel may wait for its launch in a CUDA graph, or another
// rank may be launching it with more.
void RaiseSharedMemory(const void* kernel, size_t bytes);

}  // namespace frond::cuda
