#include "launch/run_table.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

using testing::HasSubstr;
using testing::Not;

RunTable SmallTable() {
  return {
      .facts = {{"model", "mt5-small, fresh"}, {"mesh", "data 2 x tensor 1"}},
      .parameters = {{"embedding", 300}, {"encoder", 100}},
      .memory = {{"parameters", 1600}, {"gradients", 1600}},
      .mixture =
          {{.source = "corpus",
            .language = "fr",
            .examples = 1000,
            .share = 0.25,
            .epochs = 1.5,
            .truncated = 0.02},
           {.source = "corpus", .language = "sw", .examples = 3000, .share = 0.75, .epochs = 0.5}},
      .packing = {.planned = true,
                  .source_filled = 0.981,
                  .target_filled = 0.6,
                  .examples_per_row = 14.26}};
}

TEST(RunTableTest, WholeTable) {
  EXPECT_EQ(FormatRunTable(SmallTable()),
            "  model  mt5-small, fresh\n"
            "  mesh   data 2 x tensor 1\n"
            "\n"
            "  parameters  count  share\n"
            "  ----------  -----  -----\n"
            "  embedding     300  75.0%\n"
            "  encoder       100  25.0%\n"
            "  ----------  -----  -----\n"
            "  all           400    400\n"
            "\n"
            "  memory per rank      size\n"
            "  ---------------  --------\n"
            "  parameters       1.56 KiB\n"
            "  gradients        1.56 KiB\n"
            "  ---------------  --------\n"
            "  all              3.12 KiB\n"
            "\n"
            "  mixture  language  examples   share  epochs  truncated\n"
            "  -------  --------  --------  ------  ------  ---------\n"
            "  corpus   sw           3,000   75.0%    0.50       0.0%\n"
            "  corpus   fr           1,000   25.0%    1.50       2.0%\n"
            "  -------  --------  --------  ------  ------  ---------\n"
            "  all      2 leaves     4,000  100.0%    0.75       0.5%\n"
            "\n"
            "  packing: rows filled 98.1% (source) and 60.0% (target), 14.3 examples a row\n");
}

TEST(RunTableTest, ManyLeavesAreSummedUp) {
  RunTable table;
  table.max_leaves = 3;
  for (int i = 0; i < 10; ++i) {
    table.mixture.push_back({.source = "s",
                             .language = "lang" + std::to_string(i),
                             .examples = 10,
                             .share = 0.1,
                             .epochs = 1});
  }
  const std::string text = FormatRunTable(table);
  EXPECT_THAT(text, HasSubstr("lang2"));
  EXPECT_THAT(text, Not(HasSubstr("lang3")));
  EXPECT_THAT(text, HasSubstr("7 more                    70   70.0%    1.00       0.0%\n"));
  EXPECT_THAT(text, HasSubstr("all      10 leaves       100  100.0%    1.00       0.0%\n"));
}

TEST(RunTableTest, EmptyPartsAreLeftOut) {
  RunTable table = SmallTable();
  table.mixture.clear();
  table.packing.planned = false;
  EXPECT_THAT(FormatRunTable(table), Not(HasSubstr("mixture")));
  EXPECT_THAT(FormatRunTable(table), Not(HasSubstr("packing")));
}

}  // namespace
}  // namespace frond
