#include "core/tensor/transfer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/core/tensor/far_memory.h"

namespace frond {
namespace {

constexpr int64_t kRows = 3, kCols = kPieceElements / 2;  // one piece and a half

std::vector<int32_t> Numbers() {
  std::vector<int32_t> numbers(kRows * kCols);
  std::iota(numbers.begin(), numbers.end(), 5);
  return numbers;
}

TEST(TransferTest, DevicesAreReadAndFilledInPieces) {
  FarMemory memory;
  Context ctx(memory);
  Tensor x(ctx, {kRows, kCols}, DType::kI32);
  const std::vector<int32_t> numbers = Numbers();
  std::vector<int64_t> firsts;
  ASSERT_TRUE(FillInPieces(&memory, x, [&](int64_t first, View piece) {
                firsts.push_back(first);
                std::copy_n(&numbers[first], piece.num_elements(), piece.As<int32_t>());
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(firsts, (std::vector<int64_t>{0, kPieceElements}));
  EXPECT_EQ(memory.most_bytes(), 4u * kPieceElements);
  std::vector<int32_t> back;
  ASSERT_TRUE(ReadInPieces(&memory, x, [&](int64_t first, ConstView piece) {
                EXPECT_EQ(first, std::ssize(back));
                back.insert(back.end(), piece.As<int32_t>(),
                            piece.As<int32_t>() + piece.num_elements());
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(back, numbers);
}

TEST(TransferTest, TheHostsMemoryIsUsedInPlace) {
  std::vector<int32_t> numbers = Numbers();
  const View x{numbers.data(), {kRows, kCols}, DType::kI32};
  CpuAllocator cpu;
  for (Allocator* memory : {static_cast<Allocator*>(nullptr), static_cast<Allocator*>(&cpu)}) {
    int calls = 0;
    const auto look = [&](int64_t first, ConstView piece) {
      ++calls;
      EXPECT_EQ(first, 0);
      EXPECT_EQ(piece.data, x.data);
      EXPECT_EQ(piece.num_elements(), x.num_elements());
      return absl::OkStatus();
    };
    EXPECT_TRUE(ReadInPieces(memory, x, look).ok());
    EXPECT_TRUE(FillInPieces(memory, x, look).ok());
    EXPECT_EQ(calls, 2);
  }
}

TEST(TransferTest, TheFirstErrorEndsIt) {
  FarMemory memory;
  Context ctx(memory);
  const Tensor x(ctx, {kRows, kCols}, DType::kI32);
  int calls = 0;
  const absl::Status status = ReadInPieces(&memory, x, [&](int64_t, ConstView) {
    ++calls;
    return absl::DataLossError("no");
  });
  EXPECT_EQ(status.message(), "no");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace frond
