// Operands of collectives that run on the host.
#pragma once

#include <vector>

#include "core/tensor/transfer.h"

namespace frond {

// An operand as host memory: its own on the CPU, elsewhere a copy. What is written goes back to the
// device when the object ends.
class HostOperand {
 public:
  // An operand that is only read.
  HostOperand(Context& ctx, ConstView operand) : ctx_(ctx), data_(const_cast<void*>(operand.data)) {
    if (ctx.device() == Device::kCpu) return;
    Stage(operand);
    CopyToHost(ctx, operand, data_);
  }
  // An operand that is written, and read before where `is_read`.
  HostOperand(Context& ctx, View operand, bool is_read)
      : ctx_(ctx), data_(operand.data), written_(operand) {
    if (ctx.device() == Device::kCpu) return;
    Stage(operand);
    if (is_read) CopyToHost(ctx, operand, data_);
  }
  ~HostOperand() {
    if (!copy_.empty() && written_.data != nullptr) CopyFromHost(ctx_, data_, written_);
  }
  HostOperand(const HostOperand&) = delete;
  HostOperand& operator=(const HostOperand&) = delete;

  void* data() const { return data_; }

 private:
  void Stage(ConstView operand) {
    copy_.resize(operand.bytes());
    data_ = copy_.data();
  }

  Context& ctx_;
  void* data_;
  View written_;
  std::vector<char> copy_;
};

}  // namespace frond
