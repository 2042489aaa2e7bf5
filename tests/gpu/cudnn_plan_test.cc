// That cuDNN takes our attention graphs at mT5-XXL's shapes on an H100, and what workspace it asks
// for. No GPU is needed, but cuDNN wants a driver's library to be there: where there is none, the
// toolkit's stub of it stands in. A program of its own, since a process with the stub can use no
// GPU.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/ops/cuda/cudnn_attention.h"
#include "core/ops/cuda/cudnn_cross_attention.h"
#include "core/ops/cuda/cudnn_library.h"

namespace frond::cuda {
namespace {

// An H100 SXM, in cuDNN's own words.
constexpr char kH100[] = R"({"deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900,
  "cudaDeviceId": 0, "pciDeviceId": 0, "driverVer": 13000, "isTccDriver": 0,
  "multiProcessorCount": 132, "warpSize": 32, "maxGridSize": [2147483647, 65535, 65535],
  "maxBlockSize": [1024, 1024, 64], "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
  "maxCtasPerSM": 32, "regsPerBlock": 65536, "maxRegistersPerSM": 65536,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
  "reservedSharedMemoryPerBlock": 1024, "supportCoopLaunch": 1, "totalGlobalMem": 85520809984,
  "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "l2CacheSize": 52428800})";
// An A100 SXM.
constexpr char kA100[] = R"({"deviceName": "NVIDIA A100-SXM4-80GB", "deviceVer": 800,
  "cudaDeviceId": 0, "pciDeviceId": 0, "driverVer": 13000, "isTccDriver": 0,
  "multiProcessorCount": 108, "warpSize": 32, "maxGridSize": [2147483647, 65535, 65535],
  "maxBlockSize": [1024, 1024, 64], "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
  "maxCtasPerSM": 32, "regsPerBlock": 65536, "maxRegistersPerSM": 65536,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 166912,
  "reservedSharedMemoryPerBlock": 1024, "supportCoopLaunch": 1, "totalGlobalMem": 84987740160,
  "smClockRateKHz": 1410000, "memClockRateKHz": 1593000, "l2CacheSize": 41943040})";
constexpr int64_t kMiB = 1 << 20;
constexpr size_t kNewestSeen = 91999;  // cuDNN 9.19

struct Segments {
  std::vector<int32_t> query_begin, query_end, key_begin, key_end;

  void Add(int32_t queries, int32_t keys) {
    query_begin.push_back(query_end.empty() ? 0 : query_end.back());
    key_begin.push_back(key_end.empty() ? 0 : key_end.back());
    query_end.push_back(query_begin.back() + queries);
    key_end.push_back(key_begin.back() + keys);
  }
  // mT5-XXL's 64 heads of 64.
  AttentionSpec Spec(bool causal = false) const {
    AttentionSpec spec = {.num_heads = 64, .head_dim = 64, .causal = causal};
    spec.query_begin = query_begin;
    spec.query_end = query_end;
    spec.key_begin = key_begin;
    spec.key_end = key_end;
    return spec;
  }
};
Segments Equal(int count, int32_t queries, int32_t keys) {
  Segments segments;
  for (int i = 0; i < count; ++i) segments.Add(queries, keys);
  return segments;
}

class CudnnPlanTest : public ::testing::Test {
 protected:
  // Before any test has asked for a plan: the programs themselves do not need cuDNN.
  static void SetUpTestSuite() {
    EXPECT_EQ(dlopen("libcudnn.so.9", RTLD_NOW | RTLD_NOLOAD), nullptr);
  }
  void SetUp() override {
    if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != nullptr) return;
    if (dlopen(FROND_CUDA_STUB, RTLD_NOW | RTLD_GLOBAL) != nullptr) return;
    GTEST_SKIP() << "NO DRIVER, and no stub of it at " << FROND_CUDA_STUB << ": plans not tested";
  }
};

CudnnPlanFacts Plan(const AttentionSpec& spec, const CudnnAttentionOptions& options,
                    CudnnPass pass) {
  const absl::StatusOr<CudnnPlanFacts> facts = PlanCudnnAttention(spec, options, pass, kH100);
  EXPECT_TRUE(facts.ok()) << facts.status();
  if (!facts.ok()) return {};
  EXPECT_GE(facts->engine, 0);
  return *facts;
}

TEST_F(CudnnPlanTest, ForwardNeedsNoScores) {
  Segments packed;
  for (const int32_t length : {512, 100, 1, 333}) packed.Add(length, 2 * length);
  const Segments self = Equal(16, 512, 512), cross = Equal(64, 128, 512);
  for (const bool bias : {false, true}) {
    for (const AttentionSpec& spec :
         {self.Spec(), self.Spec(/*causal=*/true), cross.Spec(), packed.Spec()}) {
      EXPECT_LE(Plan(spec, {.bias = bias}, CudnnPass::kForward).workspace_bytes, kMiB);
    }
  }
}

TEST_F(CudnnPlanTest, GradientWithoutBiasKeepsAnF32QueryGradient) {
  Segments packed;
  for (int i = 0; i < 16; ++i) packed.Add(128 - 8 * i, 512 - 32 * i);
  const Segments self = Equal(16, 512, 512), cross = Equal(64, 128, 512);
  for (const AttentionSpec& spec :
       {self.Spec(), self.Spec(/*causal=*/true), cross.Spec(), packed.Spec()}) {
    const CudnnPlanFacts facts = Plan(spec, {}, CudnnPass::kGradient);
    const int64_t queries = spec.query_end.back();
    EXPECT_LE(facts.workspace_bytes, kMiB);
    EXPECT_EQ(facts.kept_bytes, 4 * queries * 64 * (64 + 2));
  }
}

// The gradient of a bias and fixed bits cost two bytes a score.
TEST_F(CudnnPlanTest, GradientWithBiasKeepsAllScores) {
  for (const int32_t length : {512, 1024, 2048}) {
    const int count = 8192 / length;
    const Segments self = Equal(count, length, length);
    const int64_t scores = int64_t{count} * 64 * length * length;
    for (const CudnnAttentionOptions& options :
         {CudnnAttentionOptions{.bias = true}, CudnnAttentionOptions{.deterministic = true}}) {
      for (const bool causal : {false, true}) {
        const CudnnPlanFacts facts = Plan(self.Spec(causal), options, CudnnPass::kGradient);
        EXPECT_GE(facts.workspace_bytes, 2 * scores) << length;
        EXPECT_LE(facts.workspace_bytes, 2 * scores + kMiB) << length;
      }
    }
  }
}

// The plans of cross-attention: packed, of padded batches, the gradient repeatable.
CudnnPlanFacts PlanGroup(const BatchSizes& sizes, const AttentionSpec& heads,
                         const CudnnPitches& pitches, CudnnPass pass, const char* device = kH100) {
  const absl::StatusOr<CudnnPlanFacts> facts = PlanCudnnGroup(sizes, heads, pitches, pass, device);
  EXPECT_TRUE(facts.ok()) << facts.status() << " with " << heads.num_heads << " heads of "
                          << heads.head_dim;
  if (!facts.ok()) return {};
  EXPECT_GE(facts->engine, 0);
  return *facts;
}

TEST_F(CudnnPlanTest, CrossAttentionTakesTwoBytesAScore) {
  for (const BatchSizes& sizes :
       {BatchSizes{.batch = 1, .longest_query = 128, .longest_key = 128},
        BatchSizes{.batch = 64, .longest_query = 128, .longest_key = 512},
        BatchSizes{.batch = 7, .longest_query = 1280, .longest_key = 384}}) {
    for (const auto& [heads, head_dim] : {std::pair{64, 64}, {6, 64}, {3, 128}, {5, 32}, {2, 8}}) {
      const AttentionSpec spec = {.num_heads = heads, .head_dim = head_dim};
      const int64_t width = int64_t{heads} * head_dim;
      // k and v as halves of one product; the values of dropout lie by themselves.
      for (const CudnnPitches& pitches :
           {CudnnPitches{.q = width, .k = width, .v = width, .dv = width},
            CudnnPitches{.q = width, .k = 2 * width, .v = 2 * width, .dv = 2 * width},
            CudnnPitches{.q = width, .k = 2 * width, .v = width, .dv = 2 * width}}) {
        EXPECT_LE(PlanGroup(sizes, spec, pitches, CudnnPass::kForward).workspace_bytes, kMiB);
        const int64_t bytes = PlanGroup(sizes, spec, pitches, CudnnPass::kGradient).workspace_bytes;
        const int64_t scores = heads * kBytesPerScore * sizes.scores_per_head();
        EXPECT_GE(bytes, scores);
        EXPECT_LE(bytes, scores + kMiB);
      }
    }
  }
}

// docs/gpu.md says so.
TEST_F(CudnnPlanTest, OnlyHopperHasARepeatableGradientOfPackedSegments) {
  const absl::StatusOr<CudnnLibrary> cudnn = CudnnLibrary::Load();
  ASSERT_TRUE(cudnn.ok()) << cudnn.status();
  if (cudnn->version() > kNewestSeen)
    GTEST_SKIP() << "NEWER CUDNN: not tested: does docs/gpu.md still hold?";
  for (const int head_dim : {32, 64, 128}) {
    const AttentionSpec spec = {.num_heads = 6, .head_dim = head_dim};
    const int64_t width = 6 * head_dim;
    const BatchSizes sizes = {.batch = 20, .longest_query = 128, .longest_key = 512};
    const CudnnPitches pitches = {width, width, width, width};
    EXPECT_LE(PlanGroup(sizes, spec, pitches, CudnnPass::kForward, kA100).workspace_bytes, kMiB);
    PlanGroup(sizes, spec, pitches, CudnnPass::kGradient, kH100);
    const auto gradient = PlanCudnnGroup(sizes, spec, pitches, CudnnPass::kGradient, kA100);
    EXPECT_THAT(std::string(gradient.status().message()),
                ::testing::HasSubstr("has no engine for the graph"));
  }
}

// What CheckCudnnAttention refuses is what cuDNN refuses.
TEST_F(CudnnPlanTest, HeadDimsAreMultiplesOfEight) {
  const BatchSizes sizes = {.batch = 2, .longest_query = 128, .longest_key = 128};
  for (const int head_dim : {20, 60}) {
    const int64_t width = 4 * head_dim;
    for (const CudnnPass pass : {CudnnPass::kForward, CudnnPass::kGradient}) {
      const auto facts = PlanCudnnGroup(sizes, {.num_heads = 4, .head_dim = head_dim},
                                        {width, width, width, width}, pass, kH100);
      EXPECT_FALSE(facts.ok()) << head_dim;
    }
  }
}

TEST(CudnnLibraryTest, SaysWhatIsMissing) {
  const auto message = [](const char* library) {
    return std::string(CudnnLibrary::Load(library).status().message());
  };
  EXPECT_THAT(message("libcudnn_of_nobody.so.9"),
              ::testing::AllOf(::testing::HasSubstr("libcudnn_of_nobody.so.9"),
                               ::testing::HasSubstr("LD_LIBRARY_PATH")));
  EXPECT_EQ(message("libm.so.6"), "the cuDNN library that is found has no cudnnGetVersion");
}

TEST_F(CudnnPlanTest, ErrorsSayWhatIsWrong) {
  const auto message = [](const AttentionSpec& spec, const char* device = kH100) {
    return std::string(
        PlanCudnnAttention(spec, {}, CudnnPass::kForward, device).status().message());
  };
  Segments segments = Equal(2, 64, 64);
  AttentionSpec spec = segments.Spec();
  EXPECT_EQ(message(spec), "");
  EXPECT_THAT(message(spec, "{}"), ::testing::HasSubstr("maxGridSize"));
  spec.dropout_rate = 0.1f;
  EXPECT_THAT(message(spec), ::testing::HasSubstr("dropout"));
  EXPECT_THAT(message(Equal(2, 32, 64).Spec(/*causal=*/true)),
              ::testing::HasSubstr("as many queries as keys"));
  EXPECT_THAT(message(Equal(2, 32, 0).Spec()), ::testing::HasSubstr("segment 0 is empty"));
  segments.key_begin[1] += 8;
  EXPECT_THAT(message(segments.Spec()), ::testing::HasSubstr("segment 1 begins at row 72"));
  // What cuDNN itself refuses comes in its own words.
  AttentionSpec odd = segments.Spec();
  odd.key_begin = odd.query_begin;
  odd.head_dim = 20;
  EXPECT_THAT(message(odd), ::testing::HasSubstr("cuDNN"));
}

}  // namespace
}  // namespace frond::cuda
