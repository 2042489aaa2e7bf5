// Threads that share the items of a list out among themselves.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace frond {

class ItemThreads {
 public:
  // Calls work(thread, item) once for each item in [0, items), on `threads` threads: a thread takes
  // the next item when it is done with one. Calls of one thread follow each other.
  ItemThreads(size_t threads, size_t items, std::function<void(size_t thread, size_t item)> work);
  ~ItemThreads() { Join(); }

  ItemThreads(const ItemThreads&) = delete;
  ItemThreads& operator=(const ItemThreads&) = delete;

  // Returns when all items are done.
  void Join();

 private:
  std::function<void(size_t, size_t)> work_;
  std::atomic<size_t> next_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace frond
