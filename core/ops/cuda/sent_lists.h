// Lists that the kernels of many calls read, in device memory: dropout's token keys, attention's
// items, the segments of a group for cuDNN. The layers of a pass, forward and backward, have the
// same few, so that each is sent once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor/tensor.h"

namespace frond::cuda {

class SentLists : public BackendState {
 public:
  // The list in device memory, aligned for any element; null where it is empty. It stays until
  // kMaxLists other lists have been asked for. Captured work sends its lists once each, whether
  // they are there or not, so that its launches do not depend on what was sent before.
  template <class T>
  const T* OnDevice(Context& ctx, std::span<const T> list) {
    return static_cast<const T*>(Find(ctx, std::as_bytes(list)));
  }
  int64_t num_sent() const { return num_sent_; }

  // Keys, items and groups of source and target tokens, each in as many chunks as a large step has.
  static constexpr size_t kMaxLists = 128;

 private:
  struct Entry {
    std::vector<std::byte> host;
    Tensor device;
    int64_t capture;  // that has sent it last; 0: none
  };
  const void* Find(Context& ctx, std::span<const std::byte> list);

  std::vector<Entry> entries_;  // the one used last comes last
  int64_t num_sent_ = 0;
};

}  // namespace frond::cuda
