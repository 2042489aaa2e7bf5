// What every optimizer offers the trainer and the checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/nn/param.h"

namespace frond {

struct StepInfo {
  int64_t step = 0;  // updates made before this one, the restored count included
  double learning_rate = 0;
  double gradient_scale = 1;  // multiplies every gradient first: global-norm clipping
};

// One tensor of optimizer state by its checkpoint name, "<slot>/<parameter name>".
struct OptimizerSlot {
  std::string name;
  View value;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Takes zeroed state for every parameter of the store. Called once, before Update.
  virtual void Register(Context& ctx, const ParamStore& store) = 0;
  // param.value -= update(grad). grad has the parameter's shape and dtype and is only read.
  virtual void Update(Context& ctx, Param& param, ConstView grad, const StepInfo& info) = 0;
  // All state, in declaration order of the parameters; views stay valid as long as the optimizer.
  virtual std::vector<OptimizerSlot> Slots() = 0;
  // Whether the run's next update, the first one since it started or resumed, may be `step`.
  virtual absl::Status CheckFirstStep(int64_t /*step*/) const { return absl::OkStatus(); }
};

}  // namespace frond
