#include "optim/adafactor.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "optim/factored_kernels.h"
#include "optim/unfactored_kernels.h"

namespace frond {
namespace {

Tensor Zeros(Context& ctx, const Shape& shape, DType dtype) {
  Tensor zeros(ctx, shape, dtype, MemoryKind::kOptimizer);
  Fill(ctx, 0, zeros);
  return zeros;
}

// v = decay v + (1 - decay) (scale^2 sum / count + epsilon)
template <class T>
void MixMoment(const std::vector<double>& sums, int64_t count, const SecondMomentStep& step,
               Tensor& v) {
  const double scale = step.gradient_scale * step.gradient_scale / static_cast<double>(count);
  T* value = v.As<T>();
  for (size_t i = 0; i < sums.size(); ++i) {
    value[i] = static_cast<T>(step.decay * static_cast<double>(value[i]) +
                              (1.0 - step.decay) * (scale * sums[i] + step.epsilon));
  }
}

template <class T>
double Mean(const Tensor& v) {
  const int64_t n = v.shape().num_elements();
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(v.As<T>()[i]);
  return sum / static_cast<double>(n);
}

// numerator / sqrt(v)
template <class T>
std::vector<T> InverseRoots(const Tensor& v, double numerator) {
  std::vector<T> roots(static_cast<size_t>(v.shape().num_elements()));
  for (size_t i = 0; i < roots.size(); ++i) {
    roots[i] = static_cast<T>(numerator / std::sqrt(static_cast<double>(v.As<T>()[i])));
  }
  return roots;
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

void Adafactor::Register(Context& ctx, const ParamStore& store) {
  CHECK(states_.empty()) << "registered twice";
  for (const auto& param : store.params()) {
    const Shape& shape = param->spec.shape;
    State state;
    state.name = param->name;
    if (IsFactored(shape)) {
      state.row = Zeros(ctx, {shape.dim(0)}, store.master_dtype());
      state.col = Zeros(ctx, {shape.dim(1)}, store.master_dtype());
    } else {
      state.full = Zeros(ctx, shape, store.master_dtype());
    }
    states_.push_back(std::move(state));
  }
}

std::vector<OptimizerSlot> Adafactor::Slots() {
  std::vector<OptimizerSlot> slots;
  for (State& state : states_) {
    if (state.full.empty()) {
      slots.push_back({absl::StrCat("adafactor/v_row/", state.name), state.row});
      slots.push_back({absl::StrCat("adafactor/v_col/", state.name), state.col});
    } else {
      slots.push_back({absl::StrCat("adafactor/v/", state.name), state.full});
    }
  }
  return slots;
}

double Adafactor::Decay(int64_t step) const {
  const int64_t t = step - options_.step_offset + 1;
  CHECK_GE(t, 1) << "step " << step << " before step_offset " << options_.step_offset;
  return 1.0 - std::pow(static_cast<double>(t), -options_.decay_exponent);
}

double Adafactor::UpdateScale(double update_squares, double param_squares, int64_t count,
                              const StepInfo& info) const {
  const double n = static_cast<double>(count);
  double scale = info.learning_rate;
  if (options_.multiply_by_parameter_scale) {
    scale *= std::max(std::sqrt(param_squares / n), options_.epsilon_parameter);
  }
  if (options_.clipping_threshold > 0) {
    scale /= std::max(1.0, std::sqrt(update_squares / n) / options_.clipping_threshold);
  }
  return scale;
}

template <class T>
void Adafactor::UpdateFactored(Param& param, ConstView grad, const StepInfo& info,
                               State& state) const {
  const int64_t rows = grad.dim(0), cols = grad.dim(1);
  const SecondMomentStep step{.decay = Decay(info.step),
                              .gradient_scale = info.gradient_scale,
                              .epsilon = options_.epsilon_squared_gradient};
  const T* g = grad.As<T>();
  T* p = param.value.As<T>();
  const RowColSums sums = SquareSums(g, rows, cols);
  MixMoment<T>(sums.rows, cols, step, state.row);
  MixMoment<T>(sums.cols, rows, step, state.col);
  std::vector<T> row_factor =
      InverseRoots<T>(state.row, info.gradient_scale * std::sqrt(Mean<T>(state.row)));
  const std::vector<T> col_factor = InverseRoots<T>(state.col, 1.0);
  const UpdateSums squares = FactoredUpdateSums(g, p, row_factor, col_factor);
  const double scale = UpdateScale(squares.update, squares.param, rows * cols, info);
  for (T& factor : row_factor) factor = static_cast<T>(scale * static_cast<double>(factor));
  ApplyFactored(g, row_factor, col_factor, 1.0 - options_.weight_decay_rate, p);
}

template <class T>
void Adafactor::UpdateUnfactored(Param& param, ConstView grad, const StepInfo& info,
                                 State& state) const {
  const int64_t n = grad.num_elements();
  const SecondMomentStep step{.decay = Decay(info.step),
                              .gradient_scale = info.gradient_scale,
                              .epsilon = options_.epsilon_squared_gradient};
  const T* g = grad.As<T>();
  T* p = param.value.As<T>();
  T* v = state.full.As<T>();
  const UpdateSums squares = UpdateSecondMoment(g, p, n, step, v);
  const double scale = UpdateScale(squares.update, squares.param, n, info);
  ApplyUnfactored(g, v, n, scale * info.gradient_scale, 1.0 - options_.weight_decay_rate, p);
}

void Adafactor::Update(Context& ctx, Param& param, ConstView grad, const StepInfo& info) {
  const ProfileScope scope(ctx.profiler(), "adafactor");
  CHECK_LT(static_cast<size_t>(param.index), states_.size()) << param.name << " is not registered";
  State& state = states_[static_cast<size_t>(param.index)];
  CHECK_EQ(state.name, param.name);
  CHECK_EQ(grad.shape, param.value.shape()) << param.name;
  const bool is_f64 = param.value.dtype() == DType::kF64;
  if (state.full.empty()) {
    is_f64 ? UpdateFactored<double>(param, grad, info, state)
           : UpdateFactored<float>(param, grad, info, state);
  } else {
    is_f64 ? UpdateUnfactored<double>(param, grad, info, state)
           : UpdateUnfactored<float>(param, grad, info, state);
  }
}

}  // namespace frond
