#include "core/tensor/tensor.h"

#include <gtest/gtest.h>

#include <utility>

#include "core/tensor/columns.h"

namespace frond {
namespace {

TEST(ShapeTest, CountsAndPrints) {
  const Shape shape = {3, 4, 5};
  EXPECT_EQ(shape.num_elements(), 60);
  EXPECT_EQ(shape.row_size(), 20);
  EXPECT_EQ(shape.dim(-1), 5);
  EXPECT_EQ(shape.ToString(), "[3, 4, 5]");
  EXPECT_EQ(Shape{}.num_elements(), 1);
  EXPECT_DEATH(shape.dim(3), "dim 3");
}

TEST(TensorTest, MovesAndFrees) {
  CpuAllocator memory;
  Context ctx(memory);
  Tensor a(ctx, {4, 2}, DType::kF32);
  const void* data = a.view().data;
  Tensor b = std::move(a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(b.view().data, data);
  b = Tensor(ctx, {1}, DType::kF32);
  b.Reset();
  EXPECT_EQ(memory.Report().total.live_bytes, 0);
}

TEST(TensorTest, RowsAndReshapeBorrow) {
  CpuAllocator memory;
  Context ctx(memory);
  Tensor a(ctx, {4, 3}, DType::kF32);
  float* data = a.As<float>();
  for (int i = 0; i < 12; ++i) data[i] = static_cast<float>(i);
  const View rows = Rows(a.view(), 1, 3);
  EXPECT_EQ(rows.shape, (Shape{2, 3}));
  EXPECT_EQ(rows.As<float>()[0], 3.0f);
  EXPECT_EQ(Reshape(rows, {6}).As<float>()[5], 8.0f);
  EXPECT_EQ(Rows(a.view(), 4, 4).num_elements(), 0);
  EXPECT_DEATH(Rows(a.view(), 2, 5), "rows");
  EXPECT_DEATH(rows.As<double>(), "f32");
}

TEST(TensorTest, PartsBorrowTheirMemory) {
  CpuAllocator memory;
  Context ctx(memory);
  Tensor whole(ctx, {4, 2}, DType::kF32);
  const size_t live = memory.Report().total.live_bytes;
  {
    Tensor part = Tensor::PartOf(whole, 1, 3);
    EXPECT_EQ(part.As<float>(), whole.As<float>() + 2);
    EXPECT_EQ(part.shape(), (Shape{2, 2}));
    EXPECT_EQ(part.memory(), &memory);
    Tensor moved = std::move(part);
    EXPECT_TRUE(part.empty());
    moved = Tensor(ctx, {100}, DType::kF32);  // owns its memory, and frees it
    EXPECT_GT(memory.Report().total.live_bytes, live);
  }
  EXPECT_EQ(memory.Report().total.live_bytes, live);
  EXPECT_FALSE(whole.empty());
}

TEST(ColumnsTest, BorrowAPartOfEachRow) {
  CpuAllocator memory;
  Context ctx(memory);
  Tensor a(ctx, {3, 5}, DType::kF32);
  float* data = a.As<float>();
  for (int i = 0; i < 15; ++i) data[i] = static_cast<float>(i);
  const Columns columns = ColumnsOf(a.view(), 1, 4);
  EXPECT_EQ(columns.shape(), (Shape{3, 3}));
  EXPECT_EQ(columns.As<float>()[2 * columns.pitch + 2], 13.0f);
  EXPECT_FALSE(columns.is_dense());
  EXPECT_TRUE(Columns(a).is_dense());
  EXPECT_EQ(ConstColumns(a).num_elements(), 15);
  EXPECT_DEATH(ColumnsOf(a.view(), 3, 6), "columns");
  EXPECT_DEATH(columns.As<double>(), "f32");
}

}  // namespace
}  // namespace frond
