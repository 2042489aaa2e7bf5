#include "core/base/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace frond {
namespace {

TEST(NearestNameTest, FindsTypos) {
  const std::vector<std::string> names = {"learning_rate", "warmup_steps", "z_loss"};
  EXPECT_EQ(NearestName("learningrate", names), "learning_rate");
  EXPECT_EQ(NearestName("wramup_steps", names), "warmup_steps");
  EXPECT_EQ(NearestName("Z_LOSS", names), "z_loss");
  EXPECT_EQ(NearestName("x", {}), "");
}

}  // namespace
}  // namespace frond
