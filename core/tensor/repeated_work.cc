#include "core/tensor/repeated_work.h"

namespace frond {

void RunRepeated(Context& ctx, const WorkKey& key, const std::function<void()>& work) {
  if (ctx.profiler() != nullptr && ctx.profiler()->waits()) return work();
  ctx.memory().RunRepeated(key, work);
}

}  // namespace frond
