#include "launch/model_builder.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/build_config.h"
#include "core/tensor/cuda_device.h"
#include "core/tensor/meta_allocator.h"
#include "launch/command.h"

namespace frond {
namespace {

// A model whose cross-attention is cuDNN's.
config::Model CudnnModel() {
  config::Model model;
  model.set_compute(config::BF16);
  model.set_cross_attention(config::Model::CUDNN);
  return model;
}

T5Config TinyConfig(int64_t d_kv) {
  T5Config t5;
  t5.vocab_size = 64;
  t5.d_model = t5.d_ff = 32;
  t5.d_kv = d_kv;
  t5.num_heads = 2;
  t5.num_layers = t5.num_decoder_layers = 1;
  return t5;
}

// Why the model cannot be built there; empty where it can.
std::string Refusal(Allocator& memory, const config::Model& model, int64_t d_kv) {
  Context ctx(memory);
  const auto built = BuildModel(ctx, model, TinyConfig(d_kv), /*seed=*/1);
  EXPECT_EQ(ExitCode(built.status()), built.ok() ? 0 : 2);
  EXPECT_TRUE(!built.ok() || (*built)->options().cross_attention == AttentionEngine::kCudnn);
  return std::string(built.status().message());
}

TEST(BuildModelTest, CudnnWhereItCannotBeIsAnError) {
  CpuAllocator cpu;
  // As where device AUTO found no GPU.
  EXPECT_EQ(Refusal(cpu, CudnnModel(), 8),
            "model.cross_attention is CUDNN, but the device is the CPU, and cuDNN computes on GPUs "
            "only");
  MetaAllocator planned(Device::kCuda);
  EXPECT_EQ(Refusal(planned, CudnnModel(), 12),
            "model.cross_attention is CUDNN, but a head has 12 dims, and cuDNN's attention takes "
            "multiples of 8 up to 128");
  config::Model in_f32 = CudnnModel();
  in_f32.set_compute(config::F32);
  EXPECT_EQ(
      Refusal(planned, in_f32, 8),
      "model.cross_attention is CUDNN, but queries and keys are in f32, and cuDNN's attention is "
      "in bf16");
  config::Model kept_in_f32 = CudnnModel();
  kept_in_f32.set_f32_activations(true);
  EXPECT_EQ(Refusal(planned, kept_in_f32, 8), Refusal(planned, in_f32, 8));
  EXPECT_EQ(Refusal(planned, CudnnModel(), 8), "");
}

TEST(BuildModelTest, ABuildWithoutCudnnSaysSo) {
  if (kHaveCudnn) GTEST_SKIP() << "this build has cuDNN";
  if (CudaDeviceCount(nullptr) == 0) GTEST_SKIP() << "NO GPU: not tested";
  const auto memory = CreateCudaAllocator(0);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(Refusal(**memory, CudnnModel(), 8),
            "model.cross_attention is CUDNN, but this build has no cuDNN (FROND_CUDNN, where the "
            "headers of cuDNN 9.10.2 or newer are)");
}

}  // namespace
}  // namespace frond
