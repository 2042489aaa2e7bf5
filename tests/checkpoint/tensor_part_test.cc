// Ranks read their parts of tensors that files hold whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/load_params.h"
#include "checkpoint/train_state.h"
#include "core/tensor/transfer.h"
#include "tests/checkpoint/temp_folder.h"
#include "tests/core/tensor/far_memory.h"

namespace frond {
namespace {

using testing::HasSubstr;

// The part's elements, picked from the whole one by one.
std::string Expected(ConstView whole, const ParamSlice& slice) {
  const size_t width = DTypeSize(whole.dtype);
  std::string bytes;
  for (int64_t r = 0; r < slice.rows; ++r) {
    for (int64_t c = 0; c < slice.cols; ++c) {
      const int64_t at = (slice.first_row + r) * slice.whole_cols + slice.first_col + c;
      bytes.append(static_cast<const char*>(whole.data) + static_cast<size_t>(at) * width, width);
    }
  }
  return bytes;
}

ParamSlice Rectangle(const Shape& whole, int64_t row, int64_t rows, int64_t col, int64_t cols) {
  ParamSlice slice = ParamSlice::Whole(whole);
  slice.first_row = row;
  slice.rows = rows;
  slice.first_col = col;
  slice.cols = cols;
  return slice;
}

TEST(TensorPartTest, EveryRectangleIsRead) {
  TempFolder folder;
  const uint64_t seed = FreshSeed();
  std::mt19937_64 random(seed);
  TensorBag bag(seed);
  const Shape shapes[] = {{7, 5}, {6}, {4, 3, 2}, {2, kPieceElements}};
  for (const Shape& shape : shapes) bag.Add(shape.ToString(), shape, DType::kF32);
  ASSERT_TRUE(WriteHfWeights(folder.path(), bag.tensors(), {}).ok());
  const auto weights = HfWeights::Open(folder.path());
  ASSERT_TRUE(weights.ok());
  FarMemory far;
  Context far_ctx(far);
  for (const NamedTensor& tensor : bag.tensors()) {
    const ParamSlice all = tensor.slice();
    for (int trial = 0; trial < 20; ++trial) {
      const auto draw = [&](int64_t n) { return static_cast<int64_t>(random() % uint64_t(n)); };
      const int64_t row = draw(all.rows), col = draw(all.cols);
      const ParamSlice slice =
          Rectangle(tensor.value.shape, row, draw(all.rows - row + 1), col,
                    trial % 2 == 0 ? all.cols - col : 1 + draw(all.cols - col));
      const std::string expected = Expected(tensor.value, slice);
      TensorBag parts(0);
      NamedTensor part = {.name = tensor.name,
                          .value = parts.Make("part", {slice.rows, slice.cols}, DType::kF32),
                          .part = TensorPart{tensor.value.shape, slice}};
      ASSERT_TRUE(weights->ReadMaster(tensor.name, part).ok());
      EXPECT_TRUE(BytesOf(part.value) == expected) << tensor.name << " trial " << trial;
      if (trial > 3 || slice.num_elements() == 0) continue;
      Tensor device(far_ctx, {slice.rows, slice.cols}, DType::kF32);
      part.value = device;
      part.memory = &far;
      ASSERT_TRUE(weights->ReadMaster(tensor.name, part).ok());
      std::string bytes(device.bytes(), 0);
      CopyToHost(far_ctx, device, bytes.data());
      EXPECT_TRUE(bytes == expected) << tensor.name << " in far memory, trial " << trial;
    }
  }
}

// A store's parts on a tensor axis are those of the store that holds all.
TEST(TensorPartTest, AStoreReadsItsPartOfTheAxis) {
  TempFolder folder;
  CpuAllocator memory;
  Context ctx(memory);
  const auto declare = [](ParamStore& store) {
    store.Add(Scope("rows"), {.shape = {8, 6}, .partition = Partition::Split(0)});
    store.Add(Scope("cols"), {.shape = {6, 8}, .partition = Partition::Split(1)});
    store.Add(Scope("all"), {.shape = {4, 4}});
    store.Add(Scope("norm"),
              {.shape = {8}, .partition = Partition::Split(0), .use = ParamUse::kVector});
  };
  for (const MasterFormat format : {MasterFormat::kWhole, MasterFormat::kSplit}) {
    ParamStore whole(DType::kBF16, format);
    declare(whole);
    for (const auto& param : whole.params()) param->spec.init = Initializer::Normal(1);
    whole.Initialize(ctx, FreshSeed());
    ASSERT_TRUE(WriteHfWeights(folder.path(), NamedMasters(whole), {}).ok());
    for (int rank = 0; rank < 2; ++rank) {
      ParamStore part(DType::kBF16, format, {.rank = rank, .size = 2});
      declare(part);
      part.Allocate(ctx);
      ASSERT_TRUE(LoadParams(*HfWeights::Open(folder.path()), part, {}).ok());
      for (const auto& param : part.params()) {
        const Param& source = *whole.Find(param->name);
        EXPECT_EQ(BytesOf(param->value.view()), Expected(source.value, param->slice))
            << param->name;
        if (param->low.empty()) continue;
        EXPECT_EQ(BytesOf(param->low.view()), Expected(source.low, param->slice)) << param->name;
      }
    }
  }
}

// It is the whole tensor's shape that a file must have.
TEST(TensorPartTest, WholeShapesAreCompared) {
  TempFolder folder;
  TensorBag bag(FreshSeed());
  bag.Add("w", {4, 3}, DType::kF32);
  ASSERT_TRUE(WriteHfWeights(folder.path(), bag.tensors(), {}).ok());
  TensorBag parts(0);
  const NamedTensor wrong = {.name = "w",
                             .value = parts.Make("w", {4, 3}, DType::kF32),
                             .part = TensorPart{{8, 3}, Rectangle({8, 3}, 0, 4, 0, 3)}};
  const absl::Status status = LoadTensors(*HfWeights::Open(folder.path()), {&wrong, 1}, {});
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("tensor 'w' is [4, 3], but the model wants [8, 3]"));

  ASSERT_TRUE(CreateDirectories(folder / kTrainStateFolder).ok());
  ASSERT_TRUE(WriteSafetensors(folder / kOptimizerFile, bag.tensors()).ok());
  EXPECT_THAT(std::string(ReadOptimizerState(folder.path(), {&wrong, 1}).message()),
              HasSubstr("tensor 'w' is [4, 3], but [8, 3] is wanted"));
  NamedTensor right = wrong;
  right.value = parts.Make("right", {1, 3}, DType::kF32);
  right.part = TensorPart{{4, 3}, Rectangle({4, 3}, 2, 1, 0, 3)};
  ASSERT_TRUE(ReadOptimizerState(folder.path(), {&right, 1}).ok());
  EXPECT_EQ(BytesOf(right.value), Expected(bag.tensors()[0].value, right.part->slice));
}

}  // namespace
}  // namespace frond
