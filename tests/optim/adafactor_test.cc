// Adafactor against a slow reading of T5X's formulas in f64, written without looking at ours.
#include "optim/adafactor.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace frond {
namespace {

using Values = std::vector<double>;

// One parameter of the reference: everything in f64, one formula a line.
struct Reference {
  int64_t rows, cols;
  bool factored;
  Values p, v, v_row, v_col;

  void Step(Values g, double lr, int64_t t, double grad_scale, const AdafactorOptions& o) {
    const double decay =
        1 - std::pow(static_cast<double>(t - o.step_offset) + 1, -o.decay_exponent);
    Values squares(g.size()), y(g.size());
    for (double& x : g) x *= grad_scale;
    for (size_t i = 0; i < g.size(); ++i) squares[i] = g[i] * g[i] + o.epsilon_squared_gradient;
    const double scale = o.multiply_by_parameter_scale ? std::max(Rms(p), o.epsilon_parameter) : 1;
    if (factored) {
      y = FactoredDirection(g, squares, decay);
    } else {
      for (size_t i = 0; i < g.size(); ++i) {
        v[i] = decay * v[i] + (1 - decay) * squares[i];
        y[i] = g[i] / std::sqrt(v[i]);
      }
    }
    const double clip =
        o.clipping_threshold > 0 ? std::max(1.0, Rms(y) / o.clipping_threshold) : 1.0;
    for (size_t i = 0; i < p.size(); ++i) {
      p[i] = (1 - o.weight_decay_rate) * p[i] - lr * scale * y[i] / clip;
    }
  }

  static double Rms(const Values& x) {
    double sum = 0;
    for (const double value : x) sum += value * value;
    return std::sqrt(sum / static_cast<double>(x.size()));
  }

  Values FactoredDirection(const Values& g, const Values& squares, double decay) {
    Values row(v_row.size()), col(v_col.size()), y(g.size());
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        row[i] += squares[i * cols + j] / static_cast<double>(cols);
        col[j] += squares[i * cols + j] / static_cast<double>(rows);
      }
    }
    double mean = 0;
    for (int64_t i = 0; i < rows; ++i) {
      v_row[i] = decay * v_row[i] + (1 - decay) * row[i];
      mean += v_row[i] / static_cast<double>(rows);
    }
    for (int64_t j = 0; j < cols; ++j) v_col[j] = decay * v_col[j] + (1 - decay) * col[j];
    for (int64_t i = 0; i < rows; ++i) row[i] = std::pow(v_row[i] / mean, -0.5);
    for (int64_t j = 0; j < cols; ++j) col[j] = std::pow(v_col[j], -0.5);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) y[i * cols + j] = g[i * cols + j] * row[i] * col[j];
    }
    return y;
  }
};

struct Case {
  std::string name;
  Shape shape;
  bool factored;
  double param_scale, grad_scale;
};

std::vector<Case> Cases() {
  return {
      {"square", {128, 128}, true, 0.05, 1},
      {"tall", {500, 130}, true, 1, 1e-3},
      {"wide", {129, 4201}, true, 0.02, 1e-6},
      {"small_params", {200, 256}, true, 1e-5, 10},
      {"tiny_grads", {150, 140}, true, 0.3, 1e-14},
      {"bias_table", {32, 6}, false, 0.1, 1e-2},
      {"one_side_small", {700, 127}, false, 0.1, 1},
      {"norm_scale", {512}, false, 1, 1e-4},
      {"scalar", {1}, false, 1, 1},
  };
}

// A store with one parameter beside its reference.
class Trial {
 public:
  Trial(const Case& c, DType compute, const AdafactorOptions& options, uint64_t seed)
      : case_(c), options_(options), store_(compute), adafactor_(options), random_(seed) {
    param_ = &store_.Add(Scope(c.name), {.shape = c.shape, .partition = {}, .init = {}});
    store_.Allocate(ctx_);
    adafactor_.Register(ctx_, store_);
    grad_ = Tensor(ctx_, c.shape, store_.master_dtype());
    const int64_t n = c.shape.num_elements();
    const bool is_matrix = c.shape.rank() == 2;
    reference_.rows = is_matrix ? c.shape.dim(0) : 1;
    reference_.cols = is_matrix ? c.shape.dim(1) : n;
    reference_.factored = c.factored;
    reference_.v.assign(static_cast<size_t>(n), 0);
    reference_.v_row.assign(static_cast<size_t>(reference_.rows), 0);
    reference_.v_col.assign(static_cast<size_t>(reference_.cols), 0);
    reference_.p = Fill(param_->value, c.param_scale);
  }

  void Step(int64_t step, double gradient_scale, bool with_reference = true) {
    const Values g = Fill(grad_, case_.grad_scale);
    const double lr = 1e-2 / static_cast<double>(step + 1);
    if (with_reference) reference_.Step(g, lr, step, gradient_scale, options_);
    adafactor_.Update(ctx_, *param_, grad_,
                      {.step = step, .learning_rate = lr, .gradient_scale = gradient_scale});
  }

  // The largest difference, relative to the element or, where that is small, to the RMS of all.
  double Error() { return Difference(Read(param_->value), reference_.p); }
  double StateError() {
    double worst = 0;
    for (const OptimizerSlot& slot : adafactor_.Slots()) {
      const bool row = slot.name == "adafactor/v_row/" + case_.name;
      const bool col = slot.name == "adafactor/v_col/" + case_.name;
      const Values& want = row ? reference_.v_row : col ? reference_.v_col : reference_.v;
      worst = std::max(worst, Difference(Read(slot.value), want));
    }
    return worst;
  }
  Values params() { return Read(param_->value); }
  Adafactor& adafactor() { return adafactor_; }
  Param& param() { return *param_; }

 private:
  // Random values, rows and columns of unequal size, as they are stored.
  Values Fill(View x, double scale) {
    const int64_t cols = x.shape.dim(-1), rows = x.num_elements() / cols;
    Values col_size(static_cast<size_t>(cols));
    for (int64_t j = 0; j < cols; ++j) {
      col_size[j] = std::exp(0.3 * std::sin(static_cast<double>(j)));
    }
    for (int64_t i = 0; i < rows; ++i) {
      const double row_size = scale * std::exp(0.5 * std::cos(static_cast<double>(i)));
      for (int64_t j = 0; j < cols; ++j) Write(x, i * cols + j, Draw() * row_size * col_size[j]);
    }
    return Read(x);
  }
  // Nearly normal: the sum of four 16-bit uniforms, since the suite draws tens of millions.
  double Draw() {
    const uint64_t bits = random_();
    int64_t sum = 0;
    for (int shift = 0; shift < 64; shift += 16)
      sum += static_cast<int64_t>(bits >> shift & 0xFFFF);
    return static_cast<double>(sum - 2 * 0xFFFF) * 2.6e-5;
  }
  static void Write(View x, int64_t i, double value) {
    if (x.dtype == DType::kF64) {
      x.As<double>()[i] = value;
    } else {
      x.As<float>()[i] = static_cast<float>(value);
    }
  }
  static Values Read(ConstView x) {
    Values values;
    values.reserve(static_cast<size_t>(x.num_elements()));
    for (int64_t i = 0; i < x.num_elements(); ++i) {
      values.push_back(x.dtype == DType::kF64 ? x.As<double>()[i] : double{x.As<float>()[i]});
    }
    return values;
  }
  static double Difference(const Values& a, const Values& b) {
    const double rms = Reference::Rms(b);
    double worst = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      worst = std::max(worst, std::abs(a[i] - b[i]) / std::max(std::abs(b[i]), rms));
    }
    return worst;
  }

  CpuAllocator memory_;
  Context ctx_{memory_};
  Case case_;
  AdafactorOptions options_;
  ParamStore store_;
  Adafactor adafactor_;
  Param* param_;
  Tensor grad_;
  Reference reference_;
  std::mt19937_64 random_;
};

uint64_t FreshSeed() {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << std::endl;
  return seed;
}

void ExpectTenSteps(DType compute, const AdafactorOptions& options, int64_t first_step,
                    double tolerance) {
  const uint64_t seed = FreshSeed();
  double worst = 0;
  for (const Case& c : Cases()) {
    Trial run(c, compute, options, seed);
    for (int64_t step = 0; step < 10; ++step) run.Step(first_step + step, step % 2 == 0 ? 1 : 0.37);
    EXPECT_LE(run.Error(), tolerance) << c.name;
    EXPECT_LE(run.StateError(), tolerance) << c.name;
    worst = std::max({worst, run.Error(), run.StateError()});
  }
  std::cout << "worst error in " << DTypeName(compute) << ": " << worst << std::endl;
}

// Relative to the element, or to the RMS where that is larger; after ten steps.
constexpr double kF32Tolerance = 1e-6;
constexpr double kF64Tolerance = 1e-13;

TEST(AdafactorTest, FollowsT5XInF32) { ExpectTenSteps(DType::kF32, {}, 0, kF32Tolerance); }

TEST(AdafactorTest, FollowsT5XInF64) { ExpectTenSteps(DType::kF64, {}, 0, kF64Tolerance); }

TEST(AdafactorTest, FollowsT5XWithEveryOptionChanged) {
  const AdafactorOptions options{.decay_exponent = 0.6,
                                 .clipping_threshold = 0.7,
                                 .epsilon_squared_gradient = 1e-12,
                                 .epsilon_parameter = 1e-2,
                                 .multiply_by_parameter_scale = false,
                                 .step_offset = 3,
                                 .weight_decay_rate = 1e-3};
  ExpectTenSteps(DType::kF32, options, 5, kF32Tolerance);
  ExpectTenSteps(DType::kF64, options, 5, kF64Tolerance);
}

TEST(AdafactorTest, FollowsT5XFromARestoredStep) {
  ExpectTenSteps(DType::kF64, {.clipping_threshold = 0}, 1000000, kF64Tolerance);
}

TEST(AdafactorTest, ChoosesFactoringByTheSmallerDim) {
  for (const Case& c : Cases()) {
    Trial run(c, DType::kF32, {}, 1);
    const std::vector<OptimizerSlot> slots = run.adafactor().Slots();
    if (!c.factored) {
      ASSERT_EQ(slots.size(), 1u) << c.name;
      EXPECT_EQ(slots[0].name, "adafactor/v/" + c.name);
      EXPECT_EQ(slots[0].value.shape, c.shape);
      continue;
    }
    ASSERT_EQ(slots.size(), 2u) << c.name;
    EXPECT_EQ(slots[0].name, "adafactor/v_row/" + c.name);
    EXPECT_EQ(slots[0].value.shape, (Shape{c.shape.dim(0)}));
    EXPECT_EQ(slots[1].name, "adafactor/v_col/" + c.name);
    EXPECT_EQ(slots[1].value.shape, (Shape{c.shape.dim(1)}));
  }
}

TEST(AdafactorTest, BitsDoNotDependOnThreads) {
  const auto run = [](int threads) {
    omp_set_num_threads(threads);
    Values all;
    for (const Case& c : Cases()) {
      Trial one(c, DType::kF32, {}, 5);
      for (int step = 0; step < 3; ++step) one.Step(step, 1, /*with_reference=*/false);
      const Values p = one.params();
      all.insert(all.end(), p.begin(), p.end());
    }
    return all;
  };
  const Values one = run(1);
  EXPECT_EQ(one, run(2));
  EXPECT_EQ(one, run(5));
}

// Stop and go: parameters and slots copied into a new optimizer continue with the same bits.
TEST(AdafactorTest, SlotsCarryAllState) {
  for (const Case& c : Cases()) {
    Trial a(c, DType::kF32, {}, 9), b(c, DType::kF32, {}, 9);
    a.Step(0, 1, false);
    b.Step(0, 0.5, false);  // another history, the same random stream
    std::memcpy(b.param().value.view().data, a.param().value.view().data, a.param().value.bytes());
    std::vector<OptimizerSlot> from = a.adafactor().Slots(), to = b.adafactor().Slots();
    for (size_t i = 0; i < from.size(); ++i) {
      std::memcpy(to[i].value.data, from[i].value.data, from[i].value.bytes());
    }
    a.Step(1, 1, false);
    b.Step(1, 1, false);
    EXPECT_EQ(a.params(), b.params()) << c.name;
  }
}

TEST(AdafactorTest, ZeroGradientsChangeNothing) {
  for (Case c : Cases()) {
    c.grad_scale = 0;
    Trial run(c, DType::kF32, {}, 2);
    const Values before = run.params();
    run.Step(0, 1, false);
    run.Step(1, 1, false);
    EXPECT_EQ(run.params(), before) << c.name;
  }
}

TEST(AdafactorTest, TheOffsetMayBeTheStepReachedAndNotMore) {
  const Adafactor adafactor({.step_offset = 7});
  EXPECT_TRUE(adafactor.CheckFirstStep(7).ok());
  EXPECT_EQ(adafactor.CheckFirstStep(6).message(),
            "adafactor.step_offset = 7: must not exceed the step that the run has reached, 6");
}

TEST(AdafactorTest, RefusesImpossibleOptions) {
  EXPECT_TRUE(CheckAdafactorOptions({}).ok());
  EXPECT_FALSE(CheckAdafactorOptions({.decay_exponent = std::nan("")}).ok());
  EXPECT_FALSE(CheckAdafactorOptions({.clipping_threshold = -1}).ok());
  EXPECT_FALSE(CheckAdafactorOptions({.epsilon_squared_gradient = 1e-50}).ok());
  EXPECT_FALSE(CheckAdafactorOptions({.weight_decay_rate = 1}).ok());
}

}  // namespace
}  // namespace frond
