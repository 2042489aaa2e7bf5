// Gradients of layers for tests, with the order in which they were closed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/nn/grad_sink.h"
#include "core/ops/elementwise.h"
#include "core/tensor/transfer.h"

namespace frond {

class OrderedSink : public GradSink {
 public:
  View Open(Context& ctx, Param& param) override {
    Tensor gradient(ctx, param.shape, DType::kF32);
    Fill(ctx, 0, gradient);
    gradients_.push_back(std::move(gradient));
    return gradients_.back();
  }
  void Close(Context&, Param& param) override { closed.push_back(param.name); }
  std::vector<double> Gradient(Context& ctx, size_t i) { return ToDoubles(ctx, gradients_[i]); }

  std::vector<std::string> closed;

 private:
  std::vector<Tensor> gradients_;
};

}  // namespace frond
