#include "core/tensor/tensor.h"

#include <gtest/gtest.h>

#include <utility>

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

}  // namespace
}  // namespace frond
