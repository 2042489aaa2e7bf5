#include "optim/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <random>
#include <vector>

#include "optim/clipping.h"

namespace frond {
namespace {

// The formulas in f64 for one element.
struct Reference {
  double p, m = 0, v = 0;
  void Step(double g, double lr, int64_t step, const AdamWOptions& o) {
    const double t = static_cast<double>(step) + 1;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    p -= lr * o.weight_decay * p;
    const double m_hat = m / (1 - std::pow(o.beta1, t));
    const double v_hat = v / (1 - std::pow(o.beta2, t));
    p -= lr * m_hat / (std::sqrt(v_hat) + o.epsilon);
  }
};

// The largest error after ten steps, relative to the parameters' scale of 1.
template <class T>
double TenStepError(const AdamWOptions& options, uint64_t seed) {
  CpuAllocator memory;
  Context ctx(memory);
  ParamStore store(DTypeOf<T>::kValue);
  const int64_t n = 301 * 129;
  Param& param = store.Add(Scope("w"), {.shape = {301, 129}, .partition = {}, .init = {}});
  store.Allocate(ctx);
  AdamW adamw(options);
  adamw.Register(ctx, store);
  Tensor grad(ctx, {301, 129}, DTypeOf<T>::kValue);
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<Reference> reference(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    param.value.As<T>()[i] = static_cast<T>(normal(random));
    reference[i].p = static_cast<double>(param.value.As<T>()[i]);
  }
  for (int64_t step = 0; step < 10; ++step) {
    const double lr = 1e-3 * static_cast<double>(step + 1), scale = step % 3 == 0 ? 1 : 0.25;
    for (int64_t i = 0; i < n; ++i) {
      grad.As<T>()[i] = static_cast<T>(normal(random));
      reference[i].Step(scale * static_cast<double>(grad.As<T>()[i]), lr, step, options);
    }
    adamw.Update(ctx, param, grad, {.step = step, .learning_rate = lr, .gradient_scale = scale});
  }
  double worst = 0;
  for (int64_t i = 0; i < n; ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(param.value.As<T>()[i]) - reference[i].p));
  }
  return worst;
}

TEST(AdamWTest, FollowsTheFormulas) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << std::endl;
  for (const AdamWOptions& options :
       {AdamWOptions{}, AdamWOptions{.beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1}}) {
    EXPECT_LE(TenStepError<float>(options, seed),
              4e-6);  // ten roundings of values below 8, each 2.4e-7 at most, and of the steps
    EXPECT_LE(TenStepError<double>(options, seed), 1e-14);
  }
}

TEST(AdamWTest, NamesItsSlots) {
  CpuAllocator memory;
  Context ctx(memory);
  ParamStore store(DType::kF32);
  store.Add(Scope("a"), {.shape = {3, 2}, .partition = {}, .init = {}});
  AdamW adamw({});
  adamw.Register(ctx, store);
  const std::vector<OptimizerSlot> slots = adamw.Slots();
  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(slots[0].name, "adamw/m/a");
  EXPECT_EQ(slots[1].name, "adamw/v/a");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(slots[1].value.As<float>()[i], 0.0f);
}

TEST(AdamWTest, RefusesImpossibleOptions) {
  EXPECT_TRUE(CheckAdamWOptions({}).ok());
  EXPECT_EQ(CheckAdamWOptions({.beta2 = 1}).message(), "adamw.beta2 = 1: must lie in [0, 1)");
  EXPECT_FALSE(CheckAdamWOptions({.epsilon = 0}).ok());
}

TEST(ClipScaleTest, ScalesDownOnly) {
  EXPECT_EQ(ClipScale(4, 1), 0.25);
  EXPECT_EQ(ClipScale(0.5, 1), 1);
  EXPECT_EQ(ClipScale(100, 0), 1);
  EXPECT_EQ(ClipScale(0, 1), 1);
}

}  // namespace
}  // namespace frond
