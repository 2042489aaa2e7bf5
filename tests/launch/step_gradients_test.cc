// When a training step gathers the weights that ranks have shared out: beside the pass that reads
// them. On planned ranks, where every collective is noted.
#include "launch/step_gradients.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/tensor/meta_allocator.h"
#include "dist/plan_communicator.h"
#include "models/t5/t5_model.h"
#include "optim/adamw.h"

namespace frond {
namespace {

// Embedding and vectors, two blocks on each side, the head.
constexpr int kSections = 6;

// What the ranks of the data axis say: s0, s1, ... starts a gather, e0, e1, ... ends it, R starts a
// reduce-scatter. T is an all-reduce of the tensor axis: the pass computes.
class Notes {
 public:
  class Axis : public PlannedTime {
   public:
    Axis(Notes& notes, bool is_data) : notes_(notes), is_data_(is_data) {}
    std::function<void()> Start(CollectiveKind kind, size_t bytes) override {
      if (!is_data_) {
        if (kind == CollectiveKind::kAllReduce) notes_.Add("T");
        return [] {};
      }
      notes_.said_.push_back(absl::StrCat(CollectiveKindName(kind), " ", bytes));
      if (kind == CollectiveKind::kReduceScatter) notes_.Add("R");
      if (kind != CollectiveKind::kAllGather) return [] {};
      const int number = notes_.gathers_++;
      notes_.Add(absl::StrCat("s", number));
      return [this, number] { notes_.Add(absl::StrCat("e", number)); };
    }

   private:
    Notes& notes_;
    bool is_data_;
  };

  int gathers() const { return gathers_; }
  const std::vector<std::string>& said() const { return said_; }
  std::string Take() {
    gathers_ = 0;
    said_.clear();
    return std::exchange(text_, "");
  }

 private:
  void Add(const std::string& note) { absl::StrAppend(&text_, text_.empty() ? "" : " ", note); }

  int gathers_ = 0;
  std::vector<std::string> said_;  // over the data axis
  std::string text_;
};

struct Mode {
  RecomputePlan recompute;
  bool update_in_backward = false;
};

// A rank of a mesh of 2 x 2.
class Rank {
 public:
  explicit Rank(const Mode& mode) {
    auto data = std::make_unique<PlanCommunicator>(
        0, 2, PlanCommunicator::Options{.asynchronous = true, .time = &data_time_});
    auto tensor = std::make_unique<PlanCommunicator>(
        0, 2, PlanCommunicator::Options{.asynchronous = true, .time = &tensor_time_});
    mesh_ = std::make_unique<ProcessMesh>(
        ProcessMesh::OfAxes(world_, std::move(data), std::move(tensor)));
    const TensorAxis axis(mesh_->tensor());
    T5Config config;
    config.vocab_size = 96;
    config.d_model = 16;
    config.d_kv = 8;
    config.d_ff = 32;
    config.num_heads = 2;
    config.num_layers = config.num_decoder_layers = 2;
    model_ = std::make_unique<T5Model>(
        config,
        T5Options{.recompute = mode.recompute, .tensor = axis, .shards = {.rank = 0, .size = 2}});
    model_->params().Initialize(ctx_, 1);
    config::Optimizer optimizer;
    optimizer.set_update_in_backward(mode.update_in_backward);
    gradients_ = std::make_unique<StepGradients>(ctx_, optimizer, model_->params(), optimizer_,
                                                 *mesh_, axis);
    gradients_->weights().MarkChanged(ctx_);
  }

  Notes& notes() { return notes_; }
  void Complete() { gradients_->weights().Complete(ctx_); }

  void Evaluate() { model_->Evaluate(ctx_, Examples(2)); }

  // A step of passes over so many examples each.
  void Step(const std::vector<int>& passes) {
    const StepInfo info = {.step = step_++, .learning_rate = 0};
    GradSink& sink = gradients_->StartStep(ctx_, info);
    for (size_t p = 0; p < passes.size(); ++p) {
      gradients_->StartPass(p + 1 == passes.size());
      const Batch batch = Examples(passes[p]);
      const std::vector<double> weights(batch.target_ids.size(), 1.0);
      model_->ForwardBackward(ctx_, batch, {.token_weights = weights}, sink);
      gradients_->EndPass(ctx_);
    }
    CHECK_OK(gradients_->Finish(ctx_).status());
    gradients_->Update(ctx_, info);
  }

 private:
  static Batch Examples(int count) {
    Batch batch;
    for (int e = 0; e < count; ++e) {
      batch.source_ids.insert(batch.source_ids.end(), 6, 1);
      batch.target_ids.insert(batch.target_ids.end(), 4, 1);
      batch.source_offsets.push_back(6 * (e + 1));
      batch.target_offsets.push_back(4 * (e + 1));
      batch.example_keys.push_back(static_cast<uint64_t>(e));
    }
    return batch;
  }

  Notes notes_;
  Notes::Axis data_time_{notes_, /*is_data=*/true}, tensor_time_{notes_, /*is_data=*/false};
  MetaAllocator memory_{Device::kCuda};
  Context ctx_{memory_};
  PlanCommunicator world_{0, 4, {}};
  std::unique_ptr<ProcessMesh> mesh_;
  std::unique_ptr<T5Model> model_;
  AdamW optimizer_{AdamWOptions{}};
  std::unique_ptr<StepGradients> gradients_;
  int step_ = 0;
};

constexpr Mode kModes[] = {
    {},
    {.recompute = {RecomputeMode::kSelective}},
    {.recompute = {RecomputeMode::kBlock}},
    {.recompute = {RecomputeMode::kBlock, 8}, .update_in_backward = true},
};

// Forward passes sum over the tensor axis once for an embedding, twice for an encoder's block and
// three times for a decoder's. (Chunks sum more often.)
TEST(StepGradientsTest, GathersABlockAheadOfTheForwardPass) {
  const std::string forward = "s0 s1 e0 T s2 e1 T T s3 e2 T T T s4 e3 T T T s5 e4 T T T e5";
  for (const Mode& mode : kModes) {
    Rank rank(mode);
    for (int step = 0; step < 3; ++step) {
      rank.Step({2});
      EXPECT_EQ(rank.notes().gathers(), kSections) << "each once, in the forward pass alone";
      const std::string notes = rank.notes().Take();
      EXPECT_LT(notes.find("e5"), notes.find('R')) << notes;
      if (mode.recompute.max_chunk_tokens > 0) continue;
      EXPECT_EQ(notes.substr(0, forward.size()), forward) << notes;
    }
  }
}

TEST(StepGradientsTest, LaterMicroBatchesGatherNothing) {
  Rank rank(kModes[0]);
  rank.Step({2, 2, 1});
  EXPECT_EQ(rank.notes().gathers(), kSections);
}

// Collectives over the data axis must match whatever examples a rank has.
TEST(StepGradientsTest, RanksWithoutExamplesSayTheSame) {
  for (const Mode& mode : kModes) {
    Rank with(mode), without(mode);
    with.Step({2});
    without.Step({0});
    EXPECT_EQ(without.notes().said(), with.notes().said());
  }
}

TEST(StepGradientsTest, WhatIsGatheredForAnEvaluationServesTheNextStep) {
  Rank rank(kModes[0]);
  rank.Step({2});
  rank.notes().Take();
  rank.Complete();
  EXPECT_EQ(rank.notes().gathers(), kSections);
  rank.Evaluate();
  rank.Step({2});
  EXPECT_EQ(rank.notes().gathers(), kSections);
}

TEST(StepGradientsDeathTest, EvaluationWantsCompleteWeights) {
  Rank rank(kModes[0]);
  EXPECT_DEATH(rank.Evaluate(), "shared.weight is read before it is whole");
}

}  // namespace
}  // namespace frond
