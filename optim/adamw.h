// Adam with decoupled weight decay: Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
// 2019.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "optim/optimizer.h"

namespace frond {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // times the learning rate, per step
};

absl::Status CheckAdamWOptions(const AdamWOptions& options);

// With gradient g and t = step + 1:
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   p = (1 - lr weight_decay) p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
// Slots adamw/m/<name> and adamw/v/<name>, in the parameter's shape, f32 (f64 for f64 masters).
class AdamW : public Optimizer {
 public:
  explicit AdamW(const AdamWOptions& options) : options_(options) {}

  std::vector<OptimizerSlot> Slots() override;

 private:
  struct State {
    std::string name;
    ParamSlice slice;
    Tensor m, v;
  };

  void AddState(Context& ctx, const Param& param, const Owned& owned, DType dtype) override;
  void UpdateGroup(Context& ctx, std::span<const ParamUpdate> group, const StepInfo& info) override;

  AdamWOptions options_;
  std::vector<State> states_;  // by parameter index
};

}  // namespace frond
