#include "core/tensor/context.h"

namespace frond {

Context::Context(Allocator& memory, Profiler* profiler) : memory_(&memory), profiler_(profiler) {}

}  // namespace frond
