// UpdateInBackward against KeepGrads with updates behind it: the same bits on any number of ranks.
#include "optim/update_in_backward.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <random>

#include "core/base/check.h"
#include "dist/keep_grads.h"
#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"

namespace frond {
namespace {

constexpr int kSteps = 4;
// The last one gets no gradient on any rank.
const Shape kShapes[] = {{48, 20}, {7}, {130, 140}, {150, 120}, {33}};
constexpr size_t kUnused = 4;

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>()>;

MakeOptimizer AdafactorMaker() {
  return [] { return std::make_unique<Adafactor>(AdafactorOptions{}); };
}
MakeOptimizer AdamWMaker() {
  return [] { return std::make_unique<AdamW>(AdamWOptions{.weight_decay = 0.1}); };
}

// One rank's model, optimizer and gradients.
struct Rank {
  Rank(Communicator& data, const MakeOptimizer& make, uint32_t seed)
      : data(data), seed(seed), optimizer(make()) {
    for (size_t p = 0; p < std::size(kShapes); ++p) {
      store.Add(Scope("p") / static_cast<int>(p),
                {.shape = kShapes[p],
                 .init = Initializer::Normal(0.1),
                 .use = kShapes[p].rank() == 2 ? ParamUse::kMatrix : ParamUse::kVector});
    }
    store.Initialize(ctx, 1);
    optimizer->Register(ctx, store);
  }

  // Adds this rank's gradients of a step in two parts; a rank without examples adds nothing.
  // Closes in another order than that of declaration.
  void Backward(GradSink& sink, int step, bool empty) {
    for (size_t p = std::size(kShapes); p > 0; --p) {
      Param& param = *store.params()[p - 1];
      std::mt19937 random(seed + 1000 * step + 100 * static_cast<uint32_t>(data.rank()) +
                          static_cast<uint32_t>(p));
      std::normal_distribution<float> normal;
      for (int part = 0; part < 2 && !empty && p - 1 != kUnused; ++part) {
        const View gradient = sink.Open(ctx, param);
        for (int64_t i = 0; i < gradient.num_elements(); ++i) {
          gradient.As<float>()[i] += normal(random);
        }
      }
      if (step == poisoned_step && p - 1 == poisoned && data.rank() == data.size() - 1) {
        sink.Open(ctx, param).As<float>()[3] = std::numeric_limits<float>::quiet_NaN();
      }
      sink.Close(ctx, param);
    }
  }

  std::vector<std::vector<float>> Weights() const {
    std::vector<std::vector<float>> weights;
    for (const auto& param : store.params()) {
      const float* x = param->value.As<float>();
      weights.emplace_back(x, x + param->value.shape().num_elements());
    }
    return weights;
  }

  Communicator& data;
  uint32_t seed;
  CpuAllocator memory;
  Context ctx{memory};
  ParamStore store{DType::kF32};
  std::unique_ptr<Optimizer> optimizer;
  int poisoned_step = -1;
  size_t poisoned = 2;
};

StepInfo InfoOf(int step) { return {.step = step, .learning_rate = 0.01 * (step + 1)}; }

struct Result {
  std::vector<double> norms;
  std::vector<std::vector<float>> weights;
  int64_t gradient_bytes = 0;
};

int64_t PeakOfGradients(const Rank& rank) {
  return rank.memory.Report().by_kind[static_cast<int>(MemoryKind::kGradients)].peak_bytes;
}

// Every second rank is without examples in odd steps.
bool IsEmpty(const Communicator& data, int step) { return step % 2 == 1 && data.rank() % 2 == 1; }

Result Kept(Rank& rank) {
  Result result;
  KeepGrads grads(rank.ctx, rank.store);
  for (int step = 0; step < kSteps; ++step) {
    grads.StartStep(rank.ctx);
    rank.Backward(grads, step, IsEmpty(rank.data, step));
    const auto norm = grads.Finish(rank.ctx, rank.data);
    CHECK_OK(norm.status());
    result.norms.push_back(*norm);
    for (const auto& param : rank.store.params()) {
      rank.optimizer->Update(rank.ctx, *param, grads.Grad(*param), InfoOf(step));
    }
  }
  result.weights = rank.Weights();
  result.gradient_bytes = PeakOfGradients(rank);
  return result;
}

Result Updated(Rank& rank) {
  Result result;
  UpdateInBackward sink(rank.store, *rank.optimizer, rank.data, {}, /*bucket_elements=*/1);
  for (int step = 0; step < kSteps; ++step) {
    sink.StartStep(InfoOf(step));
    rank.Backward(sink, step, IsEmpty(rank.data, step));
    const auto norm = sink.Finish(rank.ctx);
    CHECK_OK(norm.status());
    result.norms.push_back(*norm);
  }
  result.weights = rank.Weights();
  result.gradient_bytes = PeakOfGradients(rank);
  return result;
}

class UpdateInBackwardTest : public testing::TestWithParam<int> {
 protected:
  UpdateInBackwardTest() {
    std::random_device device;
    seed_ = device();
    std::printf("gradients are drawn with seed %u\n", seed_);
  }
  void ExpectTheSameBits(const MakeOptimizer& make) {
    RunThreadRanks(GetParam(), [&](Communicator& data) {
      Rank a(data, make, seed_), b(data, make, seed_);
      const Result kept = Kept(a), updated = Updated(b);
      const std::lock_guard<std::mutex> lock(mutex_);
      EXPECT_EQ(updated.norms, kept.norms);
      EXPECT_TRUE(updated.weights == kept.weights);
      // One matrix at a time; the two largest are most of all.
      EXPECT_LT(3 * updated.gradient_bytes, 2 * kept.gradient_bytes);
    });
  }
  uint32_t seed_;
  std::mutex mutex_;
};

TEST_P(UpdateInBackwardTest, AdafactorGivesTheBitsOfKeptGradients) {
  ExpectTheSameBits(AdafactorMaker());
}

TEST_P(UpdateInBackwardTest, AdamWGivesTheBitsOfKeptGradients) { ExpectTheSameBits(AdamWMaker()); }

// One rank's element is not a number: all ranks name the parameter, and change nothing that is
// closed behind it.
TEST_P(UpdateInBackwardTest, StopsAtAGradientThatIsNotFinite) {
  RunThreadRanks(GetParam(), [&](Communicator& data) {
    Rank rank(data, AdafactorMaker(), seed_);
    rank.poisoned_step = 0;
    const auto before = rank.Weights();
    UpdateInBackward sink(rank.store, *rank.optimizer, data, {}, /*bucket_elements=*/1);
    sink.StartStep(InfoOf(0));
    rank.Backward(sink, 0, false);
    const auto norm = sink.Finish(rank.ctx);
    const auto after = rank.Weights();
    // The next step is a step like any other.
    sink.StartStep(InfoOf(1));
    rank.Backward(sink, 1, false);
    const auto next = sink.Finish(rank.ctx);
    const std::lock_guard<std::mutex> lock(mutex_);
    EXPECT_EQ(norm.status().message(),
              "the gradient of p.2 is not finite: element 3 of [130, 140] is nan");
    for (size_t p = 0; p < after.size(); ++p) {
      // Adafactor does not move what has no gradient.
      EXPECT_EQ(after[p] == before[p], p <= 2 || p == kUnused) << "parameter " << p;
    }
    EXPECT_TRUE(next.ok()) << next.status();
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, UpdateInBackwardTest, testing::Values(1, 2, 4),
                         [](const auto& info) { return std::to_string(info.param); });

TEST(UpdateInBackwardDeathTest, FindsBrokenPasses) {
  LocalCommunicator data;
  Rank rank(data, AdafactorMaker(), 1);
  UpdateInBackward sink(rank.store, *rank.optimizer, data, {}, /*bucket_elements=*/1);
  Param& param = *rank.store.params()[0];
  sink.StartStep(InfoOf(0));
  sink.Close(rank.ctx, param);
  EXPECT_DEATH(sink.Open(rank.ctx, param), "p.0 gets a gradient after its end");
  EXPECT_DEATH(sink.Finish(rank.ctx).IgnoreError(), "the pass did not close p.1");
}

}  // namespace
}  // namespace frond
