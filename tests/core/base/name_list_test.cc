#include "core/base/name_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace frond {
namespace {

TEST(NameListTest, SaysHowManyItLeavesOut) {
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(NameList({}, 2), "");
  EXPECT_EQ(NameList(names, 3), "a, b, c");
  EXPECT_EQ(NameList(names, 2), "a, b and 1 more");
}

}  // namespace
}  // namespace frond
