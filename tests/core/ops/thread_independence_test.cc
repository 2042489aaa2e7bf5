// Results that are promised to be the same, bit for bit, for any number of threads.
#include <gtest/gtest.h>
#include <omp.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/philox.h"
#include "core/ops/elementwise.h"
#include "core/ops/embedding.h"
#include "core/ops/head_loss.h"

namespace frond {
namespace {

class ThreadIndependence : public ::testing::Test {
 protected:
  ThreadIndependence()
      : ctx_(memory_), seed_(std::random_device{}()), threads_(omp_get_max_threads()) {
    RecordProperty("seed", std::to_string(seed_));
  }
  ~ThreadIndependence() override { omp_set_num_threads(threads_); }

  Tensor Normal(Shape shape, DType dtype, uint64_t stream) {
    Tensor wide(ctx_, shape, DType::kF64), out(ctx_, shape, dtype);
    double* values = wide.As<double>();
    for (int64_t i = 0; i < shape.num_elements(); ++i) {
      values[i] = NormalAt(seed_ + stream, static_cast<uint64_t>(i));
    }
    Cast(ctx_, wide, out);
    return out;
  }

  CpuAllocator memory_;
  Context ctx_;
  uint64_t seed_;
  int threads_;
};

std::string Bytes(const Tensor& t) {
  return std::string(static_cast<const char*>(t.view().data), t.bytes());
}

TEST_F(ThreadIndependence, EmbeddingGradIsBitEqual) {
  constexpr int64_t kTokens = 1001, kVocabulary = 60, kWidth = 48;
  const Tensor dy = Normal({kTokens, kWidth}, DType::kBF16, 1);
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < kTokens; ++t) {
    ids.push_back(static_cast<int32_t>(UniformAt(seed_, static_cast<uint64_t>(t)) * kVocabulary));
  }
  std::string first;
  for (const int threads : {1, 2, 3, 5}) {
    omp_set_num_threads(threads);
    Tensor dtable(ctx_, {kVocabulary, kWidth}, DType::kF32);
    Fill(ctx_, 0.25, dtable);
    EmbeddingGrad(ctx_, dy, ids, dtable);
    if (threads == 1) first = Bytes(dtable);
    EXPECT_EQ(Bytes(dtable), first) << threads << " threads, seed " << seed_;
  }
}

TEST_F(ThreadIndependence, SumOfSquaresIsBitEqualAndExact) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    const Tensor x = Normal({100003}, dtype, 2);
    Tensor wide(ctx_, {100003}, DType::kF64);
    Cast(ctx_, x, wide);
    long double expected = 0;
    for (int64_t i = 0; i < 100003; ++i) {
      const long double value = wide.As<double>()[i];
      expected += value * value;
    }
    omp_set_num_threads(1);
    const double first = SumOfSquares(ctx_, x);
    EXPECT_NEAR(first, static_cast<double>(expected), 1e-12 * static_cast<double>(expected));
    for (const int threads : {2, 3, 4}) {
      omp_set_num_threads(threads);
      EXPECT_EQ(SumOfSquares(ctx_, x), first) << threads << " threads, seed " << seed_;
    }
  }
}

TEST_F(ThreadIndependence, LossIsBitEqual) {
  const Tensor hidden = Normal({33, 64}, DType::kF32, 3);
  const Tensor weight = Normal({3001, 64}, DType::kF32, 4);
  const std::vector<int32_t> targets(33, 7);
  const std::vector<double> weights(33, 0.1);
  std::string first;
  for (const int threads : {1, 2, 4}) {
    omp_set_num_threads(threads);
    Tensor nll(ctx_, {33}, DType::kF32), log_z(ctx_, {33}, DType::kF32);
    HeadLoss(ctx_, hidden, {.value = weight}, targets, weights, {}, nll, log_z, {}, {});
    if (threads == 1) first = Bytes(nll);
    EXPECT_EQ(Bytes(nll), first) << threads << " threads, seed " << seed_;
  }
}

}  // namespace
}  // namespace frond
