#include "optim/adafactor.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "optim/group_sums.h"

namespace frond {
namespace {

Tensor Zeros(Context& ctx, const Shape& shape, DType dtype) {
  Tensor zeros(ctx, shape, dtype, MemoryKind::kOptimizer);
  Fill(ctx, 0, zeros);
  return zeros;
}

template <class T>
absl::Status Refuse(absl::string_view field, T value, absl::string_view right) {
  return absl::InvalidArgumentError(absl::StrCat("adafactor.", field, " = ", value, ": ", right));
}

}  // namespace

absl::Status CheckAdafactorOptions(const AdafactorOptions& options) {
  // Negated, so that NaN is refused too.
  if (!(options.decay_exponent > 0)) {
    return Refuse("decay_exponent", options.decay_exponent, "must be positive");
  }
  if (!(options.clipping_threshold >= 0)) {
    return Refuse("clipping_threshold", options.clipping_threshold, "must be 0 (off) or positive");
  }
  // It keeps zero gradients from dividing zero by zero, so it must be a number in f32.
  if (!(options.epsilon_squared_gradient >= 1e-37)) {
    return Refuse("epsilon_squared_gradient", options.epsilon_squared_gradient,
                  "must be at least 1e-37");
  }
  if (!(options.epsilon_parameter >= 0)) {
    return Refuse("epsilon_parameter", options.epsilon_parameter, "must not be negative");
  }
  if (options.min_dim_size_to_factor < 1) {
    return Refuse("min_dim_size_to_factor", options.min_dim_size_to_factor, "must be at least 1");
  }
  if (options.step_offset < 0) {
    return Refuse("step_offset", options.step_offset, "must not be negative");
  }
  if (!(options.weight_decay_rate >= 0 && options.weight_decay_rate < 1)) {
    return Refuse("weight_decay_rate", options.weight_decay_rate, "must lie in [0, 1)");
  }
  return absl::OkStatus();
}

absl::Status Adafactor::CheckFirstStep(int64_t step) const {
  if (options_.step_offset <= step) return absl::OkStatus();
  return Refuse("step_offset", options_.step_offset,
                absl::StrCat("must not exceed the step that the run has reached, ", step));
}

bool Adafactor::IsFactored(const Shape& shape) const {
  CHECK_LE(shape.rank(), 2) << "no factoring rule for a parameter of shape " << shape;
  return shape.rank() == 2 &&
         std::min(shape.dim(0), shape.dim(1)) >= options_.min_dim_size_to_factor;
}

void Adafactor::AddState(Context& ctx, const Param& param, const Owned& owned, DType dtype) {
  State state = {.name = param.name,
                 .slice = owned.slice,
                 .is_factored = IsFactored(param.spec.shape),
                 .row = {},
                 .col = {},
                 .full = {}};
  if (state.is_factored) {
    state.row = Zeros(ctx, {owned.slice.rows}, dtype);
    state.col = Zeros(ctx, {owned.slice.cols}, dtype);
  } else {
    state.full = Zeros(ctx, OwnedShape(param.spec.shape, owned.slice), dtype);
  }
  states_.push_back(std::move(state));
}

std::vector<OptimizerSlot> Adafactor::Slots() {
  std::vector<OptimizerSlot> slots;
  for (State& state : states_) {
    const ParamSlice& slice = state.slice;
    if (state.is_factored) {
      const ParamSlice rows = {.whole_rows = slice.whole_rows,
                               .whole_cols = 1,
                               .first_row = slice.first_row,
                               .rows = slice.rows,
                               .cols = 1};
      const ParamSlice cols = {.whole_rows = slice.whole_cols,
                               .whole_cols = 1,
                               .first_row = slice.first_col,
                               .rows = slice.cols,
                               .cols = 1};
      slots.push_back({absl::StrCat("adafactor/v_row/", state.name), state.row, rows});
      slots.push_back({absl::StrCat("adafactor/v_col/", state.name), state.col, cols});
    } else {
      slots.push_back({absl::StrCat("adafactor/v/", state.name), state.full, slice});
    }
  }
  return slots;
}

double Adafactor::Decay(int64_t step) const {
  const int64_t t = step - options_.step_offset + 1;
  CHECK_GE(t, 1) << "step " << step << " before step_offset " << options_.step_offset;
  return 1.0 - std::pow(static_cast<double>(t), -options_.decay_exponent);
}

AdafactorStep Adafactor::StepOf(const Context& ctx, const Param& param,
                                const StepInfo& info) const {
  const ParamSlice& slice = OwnedOf(param).slice;
  return {.decay = Decay(info.step),
          .gradient_scale = info.gradient_scale,
          .epsilon = options_.epsilon_squared_gradient,
          .learning_rate = info.learning_rate,
          .clipping_threshold = options_.clipping_threshold,
          .multiply_by_parameter_scale = options_.multiply_by_parameter_scale,
          .epsilon_parameter = options_.epsilon_parameter,
          .keep = 1.0 - options_.weight_decay_rate,
          .whole_rows = slice.whole_rows,
          .whole_cols = slice.whole_cols,
          .rounding_key = param.RoundingKey(ctx.rng),
          .numbers = NumbersOf(slice)};
}

// One update of a group: each phase for every parameter, then the sums over ranks.
class Adafactor::GroupUpdate {
 public:
  GroupUpdate(Adafactor& adafactor, Context& ctx, std::span<const ParamUpdate> group,
              const StepInfo& info)
      : first_sums_(Sums(adafactor)), moment_sums_(Sums(adafactor)), squares_(Sums(adafactor)) {
    for (const ParamUpdate& update : group) {
      State& state = adafactor.states_[static_cast<size_t>(update.param->index)];
      Add(update, adafactor.OwnedOf(*update.param), state, adafactor.ownership().data != nullptr);
      parts_.back().step = adafactor.StepOf(ctx, *update.param, info);
    }
    for (GroupSums* sums : {&first_sums_, &moment_sums_, &squares_}) sums->Allocate(ctx);
  }

  void Run(Context& ctx) {
    for (Part& part : parts_) {
      if (part.state->is_factored) AdafactorSquareSums(ctx, part.update.grad, FirstSums(part));
    }
    first_sums_.SumOverRanks(ctx);
    for (Part& part : parts_) {
      if (!part.state->is_factored) continue;
      AdafactorMoments(ctx, FirstSums(part), part.step, Moments(part));
    }
    moment_sums_.SumOverRanks(ctx);
    for (Part& part : parts_) SumSquares(ctx, part);
    squares_.SumOverRanks(ctx);
    for (Part& part : parts_) Apply(ctx, part);
  }

 private:
  struct Part {
    ParamUpdate update;
    State* state;
    AdafactorStep step;
    int rows = 0, cols = 0, moment = 0, squares = 0;  // in the sums of the group
  };

  static GroupSums Sums(const Adafactor& adafactor) {
    return {adafactor.ownership().tensor, adafactor.ownership().data};
  }

  void Add(const ParamUpdate& update, const Owned& owned, State& state, bool shares_rows) {
    Part part = {.update = update, .state = &state, .step = {}};
    // A sum goes over the axes that split the dim it runs along.
    const GroupSums::Axes along_rows = {.tensor = owned.tensor_dim == 0, .data = shares_rows};
    const GroupSums::Axes along_cols = {.tensor = owned.tensor_dim == 1, .data = false};
    const GroupSums::Axes along_both = {.tensor = owned.tensor_dim >= 0, .data = shares_rows};
    if (state.is_factored) {
      part.rows = first_sums_.Add(owned.slice.rows, along_cols);
      part.cols = first_sums_.Add(owned.slice.cols, along_rows);
      part.moment = moment_sums_.Add(1, along_rows);
    }
    part.squares = squares_.Add(2, along_both);
    parts_.push_back(part);
  }

  FactoredSums FirstSums(const Part& part) {
    return {.rows = first_sums_.At(part.rows), .cols = first_sums_.At(part.cols)};
  }
  FactoredMoments Moments(const Part& part) {
    return {.row = part.state->row, .col = part.state->col, .sum = moment_sums_.At(part.moment)};
  }
  void SumSquares(Context& ctx, const Part& part) {
    const ParamUpdate& update = part.update;
    const View squares = squares_.At(part.squares);
    if (part.state->is_factored) {
      AdafactorFactoredSquares(ctx, update.grad, part.step, Moments(part), update.master, squares);
    } else {
      AdafactorUnfactoredSquares(ctx, update.grad, part.step, part.state->full, update.master,
                                 squares);
    }
  }
  void Apply(Context& ctx, const Part& part) {
    const ParamUpdate& update = part.update;
    const View squares = squares_.At(part.squares);
    if (part.state->is_factored) {
      AdafactorApplyFactored(ctx, update.grad, part.step, Moments(part), squares, update.master);
    } else {
      AdafactorApplyUnfactored(ctx, update.grad, part.step, part.state->full, squares,
                               update.master);
    }
  }

  GroupSums first_sums_, moment_sums_, squares_;
  std::vector<Part> parts_;
};

void Adafactor::UpdateGroup(Context& ctx, std::span<const ParamUpdate> group,
                            const StepInfo& info) {
  // Without ranks to wait for, a parameter's passes follow each other while it is in the caches.
  const bool is_alone = ownership().tensor == nullptr && ownership().data == nullptr;
  const size_t at_once = is_alone ? 1 : group.size();
  for (size_t i = 0; i < group.size(); i += at_once) {
    GroupUpdate(*this, ctx, group.subspan(i, at_once), info).Run(ctx);
  }
}

}  // namespace frond
