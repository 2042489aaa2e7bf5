// Optimizers on a GPU against the CPU: every shape with every format of masters.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <random>

#include "core/ops/cuda/adafactor_plan.h"
#include "core/tensor/transfer.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

using Values = std::vector<float>;

// Relative to the element, or to the RMS of all where that is larger; after ten steps.
constexpr double kTolerance = 1e-6;
// The step of a bf16 number, relative to it.
constexpr double kBf16Step = 1.0 / 128;

struct Shapes {
  std::vector<Shape> factored = {{128, 128}, {131, 130}, {128, 1029}, {300, 516}, {129, 2052}};
  std::vector<Shape> unfactored = {{32, 6}, {70, 127}, {512}, {5000}, {1}};
};

// One parameter and its optimizer on one device.
class Trial {
 public:
  Trial(Context& ctx, const Shape& shape, MasterFormat format, std::unique_ptr<Optimizer> optimizer,
        const Values& weights)
      : ctx_(&ctx),
        store_(DType::kBF16, format),
        param_(&store_.Add(Scope("p"), {.shape = shape, .partition = {}, .init = {}})),
        optimizer_(std::move(optimizer)),
        grad_(ctx, shape, DType::kF32) {
    store_.Allocate(ctx);
    optimizer_->Register(ctx, store_);
    Tensor whole(ctx, shape, DType::kF32);
    CopyFromHost(ctx, weights.data(), whole);
    WriteMaster(ctx, whole, param_->master());
  }

  void Step(int64_t step, const Values& gradient) {
    CopyFromHost(*ctx_, gradient.data(), grad_);
    ctx_->rng = {.seed = 5, .step = static_cast<uint64_t>(step)};
    optimizer_->Update(*ctx_, *param_, grad_,
                       {.step = step,
                        .learning_rate = 0.03 / static_cast<double>(step + 1),
                        .gradient_scale = step % 2 == 0 ? 1 : 0.37});
  }

  std::vector<double> Weights() {
    Tensor whole(*ctx_, param_->spec.shape, DType::kF32);
    ReadMaster(*ctx_, param_->master(), whole);
    return ToDoubles(*ctx_, whole);
  }
  std::vector<std::vector<double>> State() {
    std::vector<std::vector<double>> state;
    for (const OptimizerSlot& slot : optimizer_->Slots()) {
      state.push_back(ToDoubles(*ctx_, slot.value));
    }
    return state;
  }

 private:
  Context* ctx_;
  ParamStore store_;
  Param* param_;
  std::unique_ptr<Optimizer> optimizer_;
  Tensor grad_;
};

double Difference(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0, worst = 0;
  for (const double x : b) squares += x * x;
  const double rms = std::sqrt(squares / static_cast<double>(b.size()));
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(a[i] - b[i]) / std::max(std::abs(b[i]), rms);
    worst = std::max(worst, std::isnan(error) ? INFINITY : error);
  }
  return worst;
}

class OptimizerGpuTest : public ::testing::Test {
 protected:
  Values Draw(int64_t n, double scale) {
    Values values(static_cast<size_t>(n));
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] =
          static_cast<float>(scale * (1.5 + std::sin(static_cast<double>(i)))) * normal(random_);
    }
    return values;
  }

  // Ten steps on both devices; `make` makes the optimizer.
  template <class Make>
  void Compare(const GpuContext& gpu, const Shape& shape, MasterFormat format, const Make& make) {
    const Values weights = Draw(shape.num_elements(), 0.05);
    Trial there(*gpu.ctx, shape, format, make(), weights),
        here(cpu_, shape, format, make(), weights);
    for (int64_t step = 0; step < 10; ++step) {
      const Values gradient = Draw(shape.num_elements(), 1e-3);
      there.Step(step, gradient);
      here.Step(step, gradient);
    }
    const std::vector<double> got = there.Weights(), want = here.Weights();
    const auto got_state = there.State(), want_state = here.State();
    for (size_t i = 0; i < want_state.size(); ++i) {
      ExpectClose(Difference(got_state[i], want_state[i]), shape, "state");
    }
    if (format != MasterFormat::kStochastic) {
      return ExpectClose(Difference(got, want), shape, "weights");
    }
    // The last bit of an update decides how few are rounded.
    int64_t differing = 0;
    for (size_t i = 0; i < want.size(); ++i) differing += got[i] != want[i] ? 1 : 0;
    EXPECT_LE(differing, 1 + shape.num_elements() / 200) << shape << ", seed " << seed_;
    EXPECT_LE(Difference(got, want), 2 * kBf16Step) << shape << ", seed " << seed_;
  }

  template <class Make>
  void CompareAll(const Make& make) {
    FROND_GPU_OR_SKIP(gpu);
    for (const MasterFormat format :
         {MasterFormat::kWhole, MasterFormat::kSplit, MasterFormat::kStochastic}) {
      for (const auto& shapes : {Shapes().factored, Shapes().unfactored}) {
        for (const Shape& shape : shapes) Compare(gpu, shape, format, make);
      }
    }
    std::cout << "worst error " << worst_ << std::endl;
  }

  void ExpectClose(double error, const Shape& shape, const char* what) {
    EXPECT_LE(error, kTolerance) << what << " of " << shape << ", seed " << seed_;
    worst_ = std::max(worst_, error);
  }

  uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
  CpuAllocator memory_;
  Context cpu_{memory_};
  double worst_ = 0;
};

TEST_F(OptimizerGpuTest, AdafactorAgreesWithTheCpu) {
  CompareAll([] { return std::make_unique<Adafactor>(AdafactorOptions{}); });
}

TEST_F(OptimizerGpuTest, AdafactorAgreesWithEveryOptionChanged) {
  CompareAll([] {
    return std::make_unique<Adafactor>(AdafactorOptions{.decay_exponent = 0.6,
                                                        .clipping_threshold = 0,
                                                        .epsilon_squared_gradient = 1e-12,
                                                        .multiply_by_parameter_scale = false,
                                                        .weight_decay_rate = 1e-3});
  });
}

TEST_F(OptimizerGpuTest, AdamWAgreesWithTheCpu) {
  CompareAll([] { return std::make_unique<AdamW>(AdamWOptions{.weight_decay = 0.01}); });
}

// The same bits from run to run.
TEST_F(OptimizerGpuTest, UpdatesRepeatToTheBit) {
  FROND_GPU_OR_SKIP(gpu);
  const Shape shape = {300, 516};
  const Values weights = Draw(shape.num_elements(), 0.05), gradient = Draw(shape.num_elements(), 1);
  const auto run = [&] {
    Trial trial(*gpu.ctx, shape, MasterFormat::kStochastic,
                std::make_unique<Adafactor>(AdafactorOptions{}), weights);
    trial.Step(0, gradient);
    trial.Step(1, gradient);
    return trial.Weights();
  };
  EXPECT_EQ(run(), run());
}

TEST(FactoredPlanTest, CoversEveryRowAndFillsADevice) {
  for (const int64_t rows : {1, 31, 128, 4096, 250112}) {
    for (const int64_t cols : {1, 512, 513, 10240}) {
      const cuda::FactoredPlan plan(rows, cols);
      EXPECT_GE(plan.row_blocks() * plan.rows_each, rows);
      EXPECT_LT((plan.row_blocks() - 1) * plan.rows_each, rows);
      EXPECT_GE(plan.col_tiles * cuda::FactoredPlan::kTileCols, cols);
      EXPECT_TRUE(plan.rows_each >= 32 && plan.rows_each <= 256) << plan.rows_each;
      EXPECT_TRUE(plan.blocks() >= 1024 || plan.rows_each == 32) << plan.blocks();
    }
  }
}

}  // namespace
}  // namespace frond::testing
