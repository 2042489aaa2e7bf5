// A whole tiny T5 on a GPU against the same code on the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "checkpoint/load_params.h"
#include "core/tensor/transfer.h"
#include "dist/keep_grads.h"
#include "eval/greedy_decode.h"
#include "models/t5/t5_model.h"
#include "tests/gpu/gpu_fixture.h"
#include "tests/gpu/tiny_t5.h"

namespace frond::testing {
namespace {

// Relative, of the whole tensor. f32 on either device against f64.
constexpr double kF32Tolerance = 1e-5;
// What a GPU's bf16 may lose, in units of what the CPU's loses against f64.
constexpr double kBf16Ratio = 1.5;
constexpr uint64_t kWeightSeed = 11;

Batch RandomBatch(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto append = [&](std::vector<int32_t>& ids, std::vector<int32_t>& offsets) {
    for (uint64_t n = 3 + random() % 22; n > 0; --n) {
      ids.push_back(2 + static_cast<int32_t>(random() % 318));
    }
    ids.push_back(1);
    offsets.push_back(static_cast<int32_t>(ids.size()));
  };
  Batch batch;
  for (uint64_t e = 0; e < 4; ++e) {
    append(batch.source_ids, batch.source_offsets);
    append(batch.target_ids, batch.target_offsets);
    batch.example_keys.push_back(100 + e);
    batch.leaf.push_back(0);
  }
  return batch;
}

// What one training pass gives, as doubles.
struct PassResult {
  TokenLosses losses;
  std::vector<double> logits;                            // without dropout
  std::map<std::string, std::vector<double>> gradients;  // by parameter
};

std::unique_ptr<T5Model> FreshModel(Context& ctx, const T5Options& options) {
  auto model = std::make_unique<T5Model>(TinyConfig(), options);
  model->params().Initialize(ctx, kWeightSeed);
  model->params().PrepareCompute(ctx, /*for_training=*/true);
  return model;
}

PassResult RunPass(Context& ctx, const T5Options& options, const Batch& batch, float dropout) {
  const auto model = FreshModel(ctx, options);
  KeepGrads grads(ctx, model->params());
  ctx.rng = {.seed = 3, .step = 9};
  const std::vector<double> weights(batch.target_ids.size(),
                                    1.0 / static_cast<double>(batch.target_ids.size()));
  PassResult result;
  result.losses = model->ForwardBackward(
      ctx, batch, {.token_weights = weights, .z_loss = 1e-4, .dropout = dropout}, grads);
  for (const auto& param : model->params().params()) {
    result.gradients[param->name] = ToDoubles(ctx, grads.Grad(*param));
  }
  result.logits = ToDoubles(ctx, model->Logits(ctx, batch));
  return result;
}

PassResult RunOnCpu(const T5Options& options, const Batch& batch, float dropout) {
  CpuAllocator memory;
  Context ctx(memory);
  return RunPass(ctx, options, batch, dropout);
}

// ||a - b|| / ||b||.
double ErrorOf(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

// Of all gradients as one vector, and of the worst parameter.
struct Errors {
  double logits = 0, nll = 0, gradient = 0, worst_gradient = 0;
  std::string worst;
};

Errors ErrorsOf(const PassResult& ours, const PassResult& exact) {
  Errors errors = {.logits = ErrorOf(ours.logits, exact.logits),
                   .nll = ErrorOf(ours.losses.nll, exact.losses.nll)};
  std::vector<double> a, b;
  for (const auto& [name, gradient] : exact.gradients) {
    const std::vector<double>& mine = ours.gradients.at(name);
    const double error = ErrorOf(mine, gradient);
    // Written so that NaN counts as the worst.
    if (!(error <= errors.worst_gradient)) {
      errors.worst_gradient = error;
      errors.worst = name;
    }
    a.insert(a.end(), mine.begin(), mine.end());
    b.insert(b.end(), gradient.begin(), gradient.end());
  }
  errors.gradient = ErrorOf(a, b);
  return errors;
}

void Print(const char* what, const Errors& errors) {
  std::printf("    %-22s logits %.1e nll %.1e gradients %.1e worst %.1e (%s)\n", what,
              errors.logits, errors.nll, errors.gradient, errors.worst_gradient,
              errors.worst.c_str());
}

class ModelGpuTest : public ::testing::Test {
 protected:
  ModelGpuTest() { std::printf("seed %llu\n", static_cast<unsigned long long>(seed_)); }
  const uint64_t seed_ = std::random_device{}();
  const Batch batch_ = RandomBatch(seed_);
};

TEST_F(ModelGpuTest, F32AgreesWithF64OnTheCpu) {
  FROND_GPU_OR_SKIP(gpu);
  for (const float dropout : {0.0f, 0.1f}) {
    const PassResult exact = RunOnCpu({.compute = DType::kF64}, batch_, dropout);
    const Errors cpu = ErrorsOf(RunOnCpu({}, batch_, dropout), exact);
    const Errors ours = ErrorsOf(RunPass(*gpu.ctx, {}, batch_, dropout), exact);
    Print("f32 CPU", cpu);
    Print("f32 GPU", ours);
    EXPECT_LE(ours.logits, kF32Tolerance);
    EXPECT_LE(ours.nll, kF32Tolerance);
    EXPECT_LE(ours.gradient, kF32Tolerance);
    EXPECT_LE(ours.worst_gradient, kF32Tolerance) << ours.worst;
  }
}

TEST_F(ModelGpuTest, Bf16LosesNoMoreThanOnTheCpu) {
  FROND_GPU_OR_SKIP(gpu);
  struct Mode {
    const char *cpu, *gpu;
    bool f32_residual, f32_activations;
  };
  for (const Mode& mode : {Mode{"bf16 CPU", "bf16 GPU", false, false},
                           {"bf16, f32 stream, CPU", "bf16, f32 stream, GPU", true, false},
                           {"bf16, f32 reads, CPU", "bf16, f32 reads, GPU", false, true}}) {
    const T5Options options = {.compute = DType::kBF16,
                               .f32_residual = mode.f32_residual,
                               .f32_activations = mode.f32_activations};
    const PassResult exact = RunOnCpu({.compute = DType::kF64}, batch_, 0.1f);
    const Errors cpu = ErrorsOf(RunOnCpu(options, batch_, 0.1f), exact);
    const Errors ours = ErrorsOf(RunPass(*gpu.ctx, options, batch_, 0.1f), exact);
    Print(mode.cpu, cpu);
    Print(mode.gpu, ours);
    EXPECT_LE(ours.logits, kBf16Ratio * cpu.logits);
    EXPECT_LE(ours.nll, kBf16Ratio * cpu.nll);
    EXPECT_LE(ours.gradient, kBf16Ratio * cpu.gradient);
    EXPECT_LE(ours.worst_gradient, kBf16Ratio * cpu.worst_gradient) << ours.worst;
  }
}

// Norm outputs of two bf16 terms on a GPU too.
TEST_F(ModelGpuTest, F32ActivationsGiveTheCpusNumbers) {
  FROND_GPU_OR_SKIP(gpu);
  for (const MasterFormat masters : {MasterFormat::kWhole, MasterFormat::kSplit}) {
    const T5Options options = {
        .compute = DType::kBF16, .f32_activations = true, .masters = masters};
    const Errors errors =
        ErrorsOf(RunPass(*gpu.ctx, options, batch_, 0.1f), RunOnCpu(options, batch_, 0.1f));
    Print(masters == MasterFormat::kWhole ? "against the CPU" : "split masters", errors);
    // Roundings to the other side of a bf16 number; norm outputs of 8 bits would miss these.
    EXPECT_LE(errors.logits, 3e-3);
    EXPECT_LE(errors.nll, 1e-3);
    EXPECT_LE(errors.gradient, 8e-3);
  }
}

// Cross-attention by cuDNN: no worse than the CPU's, the same bits again and in every mode.
TEST_F(ModelGpuTest, CudnnsCrossAttentionLosesNoMoreAndRepeats) {
  FROND_GPU_OR_SKIP(gpu);
  const T5Config config = TinyConfig();
  const absl::Status usable = CheckCudnnAttention(
      *gpu.ctx, DType::kBF16, static_cast<int>(config.num_heads), static_cast<int>(config.d_kv));
  if (!usable.ok()) GTEST_SKIP() << "NO CUDNN: not tested: " << usable.message();
  T5Options options = {.compute = DType::kBF16};
  const PassResult exact = RunOnCpu({.compute = DType::kF64}, batch_, 0.1f);
  const Errors cpu = ErrorsOf(RunOnCpu(options, batch_, 0.1f), exact);
  options.cross_attention = AttentionEngine::kCudnn;
  const PassResult kept = RunPass(*gpu.ctx, options, batch_, 0.1f);
  const Errors ours = ErrorsOf(kept, exact);
  Print("bf16 CPU", cpu);
  Print("bf16 GPU with cuDNN", ours);
  EXPECT_LE(ours.logits, kBf16Ratio * cpu.logits);
  EXPECT_LE(ours.nll, kBf16Ratio * cpu.nll);
  EXPECT_LE(ours.gradient, kBf16Ratio * cpu.gradient);
  EXPECT_LE(ours.worst_gradient, kBf16Ratio * cpu.worst_gradient) << ours.worst;
  for (const RecomputeMode mode :
       {RecomputeMode::kNone, RecomputeMode::kSelective, RecomputeMode::kBlock}) {
    options.recompute.mode = mode;
    const PassResult again = RunPass(*gpu.ctx, options, batch_, 0.1f);
    EXPECT_TRUE(again.losses.nll == kept.losses.nll);
    EXPECT_TRUE(again.gradients == kept.gradients) << "recomputation " << static_cast<int>(mode);
  }
}

// Also the same bits from pass to pass: nothing on the GPU depends on timing.
TEST_F(ModelGpuTest, RecomputationAndRepetitionChangeNoBit) {
  FROND_GPU_OR_SKIP(gpu);
  for (const DType compute : {DType::kF32, DType::kBF16}) {
    const PassResult kept = RunPass(*gpu.ctx, {.compute = compute}, batch_, 0.1f);
    for (const RecomputeMode mode :
         {RecomputeMode::kNone, RecomputeMode::kSelective, RecomputeMode::kBlock}) {
      const PassResult again =
          RunPass(*gpu.ctx, {.compute = compute, .recompute = {mode}}, batch_, 0.1f);
      EXPECT_TRUE(again.losses.nll == kept.losses.nll);
      EXPECT_TRUE(again.gradients == kept.gradients)
          << DTypeName(compute) << ", recomputation " << static_cast<int>(mode);
    }
  }
}

TEST_F(ModelGpuTest, GreedyAnswersAreTheCpus) {
  FROND_GPU_OR_SKIP(gpu);
  constexpr int64_t kNewTokens = 6;
  CpuAllocator memory;
  Context ctx(memory);
  const auto on_cpu = FreshModel(ctx, {}), on_gpu = FreshModel(*gpu.ctx, {});
  const auto answers = GreedyDecode(ctx, *on_cpu, batch_, kNewTokens);
  EXPECT_EQ(GreedyDecode(*gpu.ctx, *on_gpu, batch_, kNewTokens), answers);
  EXPECT_EQ(on_gpu->Evaluate(*gpu.ctx, batch_).nll.size(), batch_.target_ids.size());
}

// Fresh weights, and weights written from a GPU and read on the CPU, are the same bits.
TEST_F(ModelGpuTest, WeightsTravelByFile) {
  FROND_GPU_OR_SKIP(gpu);
  CpuAllocator memory;
  Context ctx(memory);
  const auto on_gpu = FreshModel(*gpu.ctx, {}), on_cpu = FreshModel(ctx, {});
  const std::string folder = ::testing::TempDir() + "/frond_gpu_weights";
  ASSERT_TRUE(RemoveRecursively(folder).ok());
  ASSERT_TRUE(CreateDirectories(folder).ok());
  const auto written = WriteHfWeights(folder, NamedMasters(on_gpu->params()), {});
  ASSERT_TRUE(written.ok()) << written.status();
  T5Model read(TinyConfig(), {});
  read.params().Allocate(ctx);
  const absl::Status loaded = LoadParams(*HfWeights::Open(folder), read.params(), {});
  ASSERT_TRUE(loaded.ok()) << loaded;
  T5Model back(TinyConfig(), {});
  back.params().Allocate(*gpu.ctx);
  ASSERT_TRUE(LoadParams(*HfWeights::Open(folder), back.params(), {}).ok());
  for (const auto& param : read.params().params()) {
    const auto values = ToDoubles(ctx, param->value);
    EXPECT_TRUE(values == ToDoubles(ctx, on_cpu->params().Find(param->name)->value)) << param->name;
    EXPECT_TRUE(values == ToDoubles(*gpu.ctx, back.params().Find(param->name)->value))
        << param->name;
  }
  EXPECT_TRUE(RemoveRecursively(folder).ok());
}

}  // namespace
}  // namespace frond::testing
