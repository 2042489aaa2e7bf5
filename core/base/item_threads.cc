#include "core/base/item_threads.h"

#include <utility>

namespace frond {

ItemThreads::ItemThreads(size_t threads, size_t items,
                         std::function<void(size_t thread, size_t item)> work)
    : work_(std::move(work)) {
  for (size_t thread = 0; thread < threads; ++thread) {
    threads_.emplace_back([this, thread, items] {
      for (size_t item = next_++; item < items; item = next_++) work_(thread, item);
    });
  }
}

void ItemThreads::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace frond
