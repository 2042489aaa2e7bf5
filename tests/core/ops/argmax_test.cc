#include "core/ops/argmax.h"

#include <gtest/gtest.h>

#include <cmath>

namespace frond {
namespace {

TEST(ArgMaxTest, TheFirstOfTheLargestOfEveryRow) {
  CpuAllocator memory;
  Context ctx(memory);
  Tensor x(ctx, {4, 3}, DType::kF32);
  const float values[] = {1,   3,  3,   -2,        -1,        -INFINITY,
                          NAN, -7, NAN, -INFINITY, -INFINITY, -INFINITY};
  std::copy(std::begin(values), std::end(values), x.As<float>());
  EXPECT_EQ(ArgMaxRows(ctx, x), (std::vector<int32_t>{1, 1, 1, 0}));
}

}  // namespace
}  // namespace frond
