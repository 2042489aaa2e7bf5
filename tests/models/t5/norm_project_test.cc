// Products of a norm's output of 16 bits: what ranks give of them is what one gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "dist/thread_communicator.h"
#include "models/t5/block_context.h"
#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

constexpr int64_t kTokens = 12, kModel = 72, kOut = 20;

std::vector<float> DrawInput(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(kTokens * kModel);
  for (float& value : values) value = normal(random);
  return values;
}

// This rank's columns of all rows.
std::vector<double> ProjectOn(const TensorAxis& axis, const std::vector<float>& x) {
  CpuAllocator memory;
  Context ctx(memory);
  T5Config config;
  config.d_model = kModel;
  const BlockDims dims = {.config = &config,
                          .compute = DType::kBF16,
                          .projected = DType::kF32,
                          .residual = DType::kF32,
                          .axis = &axis};
  ParamStore store(DType::kBF16, MasterFormat::kWhole, axis.place());
  const NormLayer norm(store, Scope("layer_norm"), dims);
  const JoinedLinear layer(store, {{Scope("a"), kOut, 0.3}, {Scope("b"), kOut, 0.3}}, kModel,
                           Partition::Split(0));
  store.Initialize(ctx, 5);
  store.PrepareCompute(ctx, /*for_training=*/true);
  const int64_t own = axis.Own(kTokens);
  Tensor rows(ctx, {own, kModel}, DType::kF32), h(ctx, rows.shape(), DType::kBF16);
  Tensor rstd(ctx, {own}, DType::kF32), y(ctx, {kTokens, layer.out()}, DType::kF32);
  std::copy_n(x.begin() + axis.OwnBegin(kTokens) * kModel, own * kModel, rows.As<float>());
  norm.Project(ctx, rows, layer, axis, h, rstd, y);
  return Values(y);
}

// The columns of a rank of `ranks`: its part of a's, then of b's.
std::vector<double> PartOf(const std::vector<double>& whole, int rank, int ranks) {
  std::vector<double> part;
  const int64_t width = kOut / ranks;
  for (auto half = whole.begin(); half != whole.end(); half += kOut) {
    part.insert(part.end(), half + rank * width, half + (rank + 1) * width);
  }
  return part;
}

TEST(NormProjectTest, RanksGiveTheColumnsOfOne) {
  const uint64_t seed = std::random_device{}();
  const std::vector<float> x = DrawInput(seed);
  const std::vector<double> whole = ProjectOn(TensorAxis(), x);
  for (const int ranks : {2, 4}) {
    for (const bool sequence_parallel : {false, true}) {
      RunThreadRanks(ranks, [&](Communicator& group) {
        const TensorAxis axis(group, sequence_parallel);
        EXPECT_LE(RelativeError(ProjectOn(axis, x), PartOf(whole, axis.place().rank, ranks)), 1e-6)
            << ranks << " ranks, seed " << seed;
      });
    }
  }
}

}  // namespace
}  // namespace frond
