// Updates of parameters that lie split over ranks, against the update of the whole: every mesh of
// tensor ranks and ranks that share rows out, with rows that do not divide and ranks without any.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <vector>

#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"
#include "tests/optim/split_trial.h"

namespace frond::testing {
namespace {

// Relative to the element or, where that is smaller, to the RMS of all; after kSteps steps.
constexpr double kF64Tolerance = 1e-12;
constexpr double kF32Tolerance = 1e-6;
constexpr double kBf16Step = 1.0 / 128;  // relative to the number

// Calls `check(weights, state)` with the comparisons of every mesh with the whole.
void ForMeshes(const Recipe& recipe,
               const std::function<void(const Comparison&, const Comparison&)>& check) {
  CpuAllocator memory;
  const Results want = RunWhole(recipe, memory);
  for (const int tensor_ranks : {1, 2, 4}) {
    for (const int data_ranks : {1, 2, 3}) {
      SCOPED_TRACE(::testing::Message() << tensor_ranks << " tensor ranks, " << data_ranks
                                        << " share rows, seed " << recipe.seed);
      std::vector<Results> got(static_cast<size_t>(tensor_ranks * data_ranks));
      RunThreadRanks(tensor_ranks * data_ranks, [&](Communicator& world) {
        CpuAllocator of_rank;
        got[static_cast<size_t>(world.rank())] = RunRank(recipe, of_rank, world, tensor_ranks);
      });
      const Comparison weights = Compare(got, want, &Results::weights);
      const Comparison state = Compare(got, want, &Results::state);
      EXPECT_EQ(weights.missing, 0);
      EXPECT_EQ(state.missing, 0);
      check(weights, state);
    }
  }
}

void ExpectEqualToRounding(const Recipe& recipe, double tolerance) {
  double worst = 0;
  ForMeshes(recipe, [&](const Comparison& weights, const Comparison& state) {
    EXPECT_LE(weights.worst, tolerance);
    EXPECT_LE(state.worst, tolerance);
    worst = std::max({worst, weights.worst, state.worst});
  });
  std::cout << "worst error in " << DTypeName(recipe.compute) << ": " << worst << std::endl;
}

void ExpectEqualBits(const Recipe& recipe) {
  ForMeshes(recipe, [&](const Comparison& weights, const Comparison& state) {
    EXPECT_EQ(weights.differing, 0);
    EXPECT_EQ(state.differing, 0);
  });
}

std::unique_ptr<Optimizer> MakeAdafactor() {
  return std::make_unique<Adafactor>(AdafactorOptions{
      .clipping_threshold = 0.8, .min_dim_size_to_factor = kFactored, .weight_decay_rate = 1e-3});
}
std::unique_ptr<Optimizer> MakeAdamW() {
  return std::make_unique<AdamW>(AdamWOptions{.weight_decay = 0.1});
}

TEST(SplitUpdateTest, AdafactorIsThatOfTheWholeInF64) {
  ExpectEqualToRounding({.make = MakeAdafactor}, kF64Tolerance);
}

TEST(SplitUpdateTest, AdafactorIsThatOfTheWholeInF32) {
  ExpectEqualToRounding({.make = MakeAdafactor, .compute = DType::kF32}, kF32Tolerance);
}

TEST(SplitUpdateTest, AdafactorRoundsSplitWeightsAsTheWhole) {
  ExpectEqualToRounding(
      {.make = MakeAdafactor, .compute = DType::kBF16, .masters = MasterFormat::kSplit},
      kF32Tolerance);
}

// The draws are the whole's. The last bit of an update decides how few are rounded, and what is
// rounded the other way stays so; other draws would make most weights differ.
TEST(SplitUpdateTest, AdafactorDrawsTheBitsOfTheWhole) {
  ForMeshes({.make = MakeAdafactor, .compute = DType::kBF16, .masters = MasterFormat::kStochastic},
            [](const Comparison& weights, const Comparison& state) {
              EXPECT_LE(weights.differing, 1 + weights.elements / 200);
              EXPECT_LE(weights.worst, 2 * kBf16Step);
              EXPECT_LE(state.worst, kF32Tolerance);
            });
}

TEST(SplitUpdateTest, AdamWGivesTheBitsOfTheWhole) {
  ExpectEqualBits({.make = MakeAdamW, .compute = DType::kF64});
  ExpectEqualBits({.make = MakeAdamW, .compute = DType::kF32});
  for (const MasterFormat format : {MasterFormat::kSplit, MasterFormat::kStochastic}) {
    ExpectEqualBits({.make = MakeAdamW, .compute = DType::kBF16, .masters = format});
  }
}

TEST(ShareOfRowsTest, CoversThePartOnce) {
  const ParamSlice part = {
      .whole_rows = 40, .whole_cols = 6, .first_row = 10, .rows = 10, .first_col = 3, .cols = 3};
  for (const int ranks : {1, 2, 3, 4, 7, 12}) {
    int64_t next = part.first_row;
    for (int rank = 0; rank < ranks; ++rank) {
      const ParamSlice share = part.ShareOfRows({rank, ranks});
      EXPECT_EQ(share.first_row, next);
      EXPECT_LE(share.rows, (part.rows + ranks - 1) / ranks);
      EXPECT_EQ(share.first_col, 3);
      EXPECT_EQ(share.cols, 3);
      next += share.rows;
    }
    EXPECT_EQ(next, part.first_row + part.rows);
  }
}

// Counts what is added up over one axis.
class CountingCommunicator : public LocalCommunicator {
 public:
  int size() const override { return 2; }  // the other rank has nothing to add
  Pending AllReduce(Context&, View numbers, Reduce op) override {
    EXPECT_TRUE(op == Reduce::kSum);
    ++calls;
    elements += numbers.num_elements();
    return {};
  }
  int calls = 0;
  int64_t elements = 0;
};

TEST(SplitUpdateTest, AGroupsSumsTravelTogether) {
  CountingCommunicator tensor, data;
  Ownership ownership;
  ownership.slice = [](const Param& param) { return param.slice; };
  ownership.tensor = &tensor;
  ownership.data = &data;
  const Recipe recipe = {.make = MakeAdafactor};
  CpuAllocator memory;
  Trial trial(recipe, memory, {0, 2}, ownership);
  trial.Step(0);
  EXPECT_EQ(tensor.calls, 3);
  EXPECT_EQ(data.calls, 3);
  // Column sums of rows_split (17) and few_rows_split (33), row sums of cols_split (17), two sums
  // of v_row and two squares each of six split parameters.
  EXPECT_EQ(tensor.elements, 17 + 33 + 17 + 2 + 2 * 6);
  // Column sums of the part's 17, 26, 23, 33 and 40 columns, five sums of v_row, ten pairs of
  // squares.
  EXPECT_EQ(data.elements, 17 + 26 + 23 + 33 + 40 + 5 + 2 * 10);
}

}  // namespace
}  // namespace frond::testing
