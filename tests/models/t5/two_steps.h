// Steps of a small model in every memory mode, on whatever memory: what tests compare rehearsals
// with.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "dist/keep_grads.h"
#include "dist/local_communicator.h"
#include "models/t5/t5_model.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"
#include "optim/update_in_backward.h"

namespace frond {

inline constexpr int kVocabulary = 1000;

struct StepMode {
  std::string name;
  T5Options options;
  bool update_in_backward = false;
  bool adamw = false;
  bool tied = false;
};

inline T5Options StepOptions(DType compute, MasterFormat masters, RecomputePlan recompute) {
  return {.compute = compute, .masters = masters, .recompute = recompute};
}

inline std::vector<StepMode> StepModes() {
  constexpr DType f32 = DType::kF32, bf16 = DType::kBF16;
  constexpr MasterFormat whole = MasterFormat::kWhole, split = MasterFormat::kSplit,
                         stochastic = MasterFormat::kStochastic;
  std::vector<StepMode> modes = {
      {"f32", StepOptions(f32, whole, {RecomputeMode::kNone})},
      {"f32, AdamW", StepOptions(f32, whole, {RecomputeMode::kNone}), false, true},
      {"f32, tied, selective", StepOptions(f32, whole, {RecomputeMode::kSelective}), true, false,
       true},
      {"bf16, selective", StepOptions(bf16, whole, {RecomputeMode::kSelective})},
      {"bf16, block", StepOptions(bf16, whole, {RecomputeMode::kBlock}), true},
      {"bf16, split, chunks", StepOptions(bf16, split, {RecomputeMode::kBlock, 64}), true},
      {"bf16, split", StepOptions(bf16, split, {RecomputeMode::kNone}), false, true},
      {"bf16, stochastic", StepOptions(bf16, stochastic, {RecomputeMode::kBlock}), true},
      {"bf16, f32 activations", StepOptions(bf16, whole, {RecomputeMode::kSelective})},
      {"bf16, f32 activations, split", StepOptions(bf16, split, {RecomputeMode::kBlock, 64}), true},
  };
  modes[8].options.f32_activations = modes[9].options.f32_activations = true;
  modes[4].options.f32_residual = true;
  return modes;
}

// Examples of different lengths.
inline Batch RandomBatch(int examples, int source, int target, uint32_t seed) {
  std::mt19937 random(seed);
  Batch batch;
  const auto append = [&](int most, std::vector<int32_t>& ids, std::vector<int32_t>& offsets) {
    for (auto n = 1 + static_cast<int>(random() % static_cast<uint32_t>(most)); n > 0; --n) {
      ids.push_back(static_cast<int32_t>(random() % kVocabulary));
    }
    offsets.push_back(static_cast<int32_t>(ids.size()));
  };
  for (int e = 0; e < examples; ++e) {
    append(source, batch.source_ids, batch.source_offsets);
    append(target, batch.target_ids, batch.target_offsets);
    batch.example_keys.push_back(static_cast<uint64_t>(e));
  }
  return batch;
}

inline T5Config SmallConfig(bool tied) {
  T5Config config;
  config.vocab_size = kVocabulary;
  config.d_model = 136;  // matrices with factored states and without
  config.d_kv = 16;
  config.d_ff = 200;
  config.num_heads = 4;
  config.num_layers = 2;
  config.num_decoder_layers = 3;
  config.tied_head = tied;
  return config;
}

// Two steps of a trainer, as far as they take memory.
inline MemoryReport TrainTwoSteps(Allocator& memory, const StepMode& mode, const Batch& batch) {
  Context ctx(memory);
  LocalCommunicator data;
  T5Model model(SmallConfig(mode.tied), mode.options);
  std::unique_ptr<Optimizer> optimizer;
  if (mode.adamw) {
    optimizer = std::make_unique<AdamW>(AdamWOptions{});
  } else {
    optimizer = std::make_unique<Adafactor>(AdafactorOptions{});
  }
  model.params().Initialize(ctx, 1);
  optimizer->Register(ctx, model.params());
  const std::vector<double> weights(batch.target_ids.size(), 1e-3);
  std::unique_ptr<KeepGrads> kept;
  std::unique_ptr<UpdateInBackward> in_backward;
  if (mode.update_in_backward) {
    in_backward = std::make_unique<UpdateInBackward>(model.params(), *optimizer, data);
  } else {
    kept = std::make_unique<KeepGrads>(ctx, model.params());
  }
  for (int step = 0; step < 2; ++step) {
    model.params().PrepareCompute(ctx, /*for_training=*/true);
    const StepInfo info = {.step = step, .learning_rate = 1e-3};
    GradSink* sink = kept.get();
    if (mode.update_in_backward) {
      in_backward->StartStep(info);
      sink = in_backward.get();
    } else {
      kept->StartStep(ctx);
    }
    model.ForwardBackward(ctx, batch, {.token_weights = weights, .z_loss = 1e-4, .dropout = 0.1f},
                          *sink);
    if (mode.update_in_backward) {
      CHECK_OK(in_backward->Finish(ctx).status());
      continue;
    }
    CHECK_OK(kept->Finish(ctx, data).status());
    for (const auto& param : model.params().params()) {
      optimizer->Update(ctx, *param, kept->Grad(*param), info);
    }
  }
  return memory.Report();
}

}  // namespace frond
