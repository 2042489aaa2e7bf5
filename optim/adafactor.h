// Adafactor as T5X runs it: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear
// Memory Cost", 2018, with decay 1 - t^-0.8, update clipping, parameter scaling, and no momentum.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "core/ops/adafactor.h"
#include "optim/optimizer.h"

namespace frond {

struct AdafactorOptions {
  double decay_exponent = 0.8;
  double clipping_threshold = 1.0;  // of the update's RMS; 0: no clipping
  double epsilon_squared_gradient = 1e-30;
  double epsilon_parameter = 1e-3;  // the least parameter scale
  bool multiply_by_parameter_scale = true;
  int64_t min_dim_size_to_factor = 128;
  int64_t step_offset = 0;       // the decay counts steps from here
  double weight_decay_rate = 0;  // per step, outside the learning rate
};

absl::Status CheckAdafactorOptions(const AdafactorOptions& options);

// For a parameter p [out, in] with both dims >= min_dim_size_to_factor, gradient g and step t:
//   decay = 1 - (t - step_offset + 1)^-decay_exponent
//   v_row = decay v_row + (1 - decay) mean_in(g^2 + epsilon_squared_gradient), v_col likewise
//   u = g / sqrt(v_row v_col / mean(v_row));  u /= max(1, RMS(u) / clipping_threshold)
//   p = (1 - weight_decay_rate) p - learning_rate max(RMS(p), epsilon_parameter) u
// Other parameters (vectors and tables with a small dim) keep v = decay v + ... in full. Means, RMS
// and dims are the whole parameter's, whatever of it a rank owns. Parameters have at most two dims.
// State is f32 (f64 for f64 masters): slots adafactor/v_row/<name> [out] and
// adafactor/v_col/<name> [in], or adafactor/v/<name> in the parameter's shape.
class Adafactor : public Optimizer {
 public:
  explicit Adafactor(const AdafactorOptions& options) : options_(options) {}

  std::vector<OptimizerSlot> Slots() override;
  // The decay has no value before step_offset.
  absl::Status CheckFirstStep(int64_t step) const override;

 private:
  struct State {
    std::string name;
    ParamSlice slice;  // of the parameter
    bool is_factored;
    Tensor row, col;  // if so
    Tensor full;      // or not
  };
  class GroupUpdate;

  void AddState(Context& ctx, const Param& param, const Owned& owned, DType dtype) override;
  void UpdateGroup(Context& ctx, std::span<const ParamUpdate> group, const StepInfo& info) override;
  bool IsFactored(const Shape& shape) const;
  double Decay(int64_t step) const;
  AdafactorStep StepOf(const Context& ctx, const Param& param, const StepInfo& info) const;

  AdafactorOptions options_;
  std::vector<State> states_;  // by parameter index
};

}  // namespace frond
