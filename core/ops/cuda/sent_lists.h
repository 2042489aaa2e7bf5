// The token keys of dropout in device memory. All dropout of a pass, forward and backward, has the
// same few lists, so that each is sent once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor/tensor.h"

namespace frond::cuda {

class TokenKeys : public BackendState {
 public:
  // `keys` in device memory, for kernels that are launched before the next call.
  const uint64_t* OnDevice(Context& ctx, std::span<const uint64_t> keys);
  int64_t num_sent() const { return num_sent_; }

 private:
  struct Entry {
    std::vector<uint64_t> host;
    Tensor device;
  };
  std::vector<Entry> entries_;  // the one used last comes last
  int64_t num_sent_ = 0;
};

}  // namespace frond::cuda
