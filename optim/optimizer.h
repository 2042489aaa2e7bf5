// What every optimizer offers the trainer and the checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/nn/param.h"
#include "optim/ownership.h"

namespace frond {

struct StepInfo {
  int64_t step = 0;  // updates made before this one, the restored count included
  double learning_rate = 0;
  double gradient_scale = 1;  // multiplies every gradient first: global-norm clipping
};

// One parameter's operands: what the rank owns of its weights and their gradient, nothing where it
// owns no rows. The gradient has the master's exact dtype (f32 for bf16) and is only read.
struct ParamUpdate {
  const Param* param = nullptr;
  MasterView master;
  ConstView grad;  // [rows] or [rows, cols] of the owned slice
};

// One tensor of optimizer state by its checkpoint name, "<slot>/<parameter name>".
struct OptimizerSlot {
  std::string name;
  View value;
  // Where the elements lie in the whole slot, which belongs to the whole parameter. Ranks may hold
  // the same part of a slot; then it has the same bits on each.
  ParamSlice slice;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // Takes zeroed state for what this rank owns of every parameter of the store. Called once, before
  // Update.
  void Register(Context& ctx, const ParamStore& store, Ownership ownership = {});

  // weights -= update(grad), each parameter as if it were updated whole; to rounding the weights do
  // not depend on the ownership. Sums over ranks travel together: at most three small collectives
  // for each axis and 2^28 elements of parameters. Collective over the ownership's axes, whose
  // ranks pass the same parameters in the same order.
  void Update(Context& ctx, std::span<const ParamUpdate> updates, const StepInfo& info);
  // One parameter that holds what the rank owns of it.
  void Update(Context& ctx, Param& param, ConstView grad, const StepInfo& info);

  // All state, in declaration order of the parameters; views stay valid as long as the optimizer.
  virtual std::vector<OptimizerSlot> Slots() = 0;
  // Whether the run's next update, the first one since it started or resumed, may be `step`.
  virtual absl::Status CheckFirstStep(int64_t /*step*/) const { return absl::OkStatus(); }

 protected:
  // What this rank owns of a parameter.
  struct Owned {
    std::string name;
    ParamSlice slice;
    // Which dim the tensor axis splits: 0, 1, or -1 where each of its ranks holds both whole.
    int tensor_dim = -1;
  };

  const Owned& OwnedOf(const Param& param) const {
    return owned_[static_cast<size_t>(param.index)];
  }
  const Ownership& ownership() const { return ownership_; }

 private:
  // Takes zeroed state for the next parameter.
  virtual void AddState(Context& ctx, const Param& param, const Owned& owned, DType dtype) = 0;
  // Update, of operands that are checked.
  virtual void UpdateGroup(Context& ctx, std::span<const ParamUpdate> group,
                           const StepInfo& info) = 0;

  // UpdateGroup; without sums over ranks it is repeated work (core/tensor/repeated_work.h).
  void Run(Context& ctx, std::span<const ParamUpdate> group, const StepInfo& info);
  void Check(const ParamUpdate& update) const;

  Ownership ownership_;
  std::vector<Owned> owned_;  // by parameter index
};

// What a rank owns of a tensor of this whole shape: [rows] or [rows, cols].
Shape OwnedShape(const Shape& whole, const ParamSlice& slice);

}  // namespace frond
