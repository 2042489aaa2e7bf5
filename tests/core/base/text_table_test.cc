#include "core/base/text_table.h"

#include <limits>

#include "core/base/human_numbers.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

TEST(TextTableTest, AlignsColumnsByCodePoints) {
  TextTable table({{.title = "name", .align = TextTable::Align::kLeft}, {.title = "share"}});
  table.AddRow({"na\xC3\xAFve", "12.5%"});
  table.AddRule();
  table.AddRow({"all", "100.0%"});
  EXPECT_EQ(table.ToString("  "),
            "  name    share\n"
            "  -----  ------\n"
            "  na\xC3\xAFve   12.5%\n"
            "  -----  ------\n"
            "  all    100.0%\n");
}

TEST(HumanNumbersTest, ReadsWell) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(-1234567), "-1,234,567");
  EXPECT_EQ(WithThousands(300176768), "300,176,768");
  EXPECT_EQ(ShortNumber(0), "0.00");
  EXPECT_EQ(ShortNumber(0.4123), "0.412");
  EXPECT_EQ(ShortNumber(99.99), "100");
  EXPECT_EQ(ShortNumber(999.6), "1.00k");
  EXPECT_EQ(ShortNumber(41234), "41.2k");
  EXPECT_EQ(ShortNumber(12.9e9), "12.9B");
  EXPECT_EQ(HumanBytes(512), "512 B");
  EXPECT_EQ(HumanBytes(1234567890), "1.15 GiB");
  EXPECT_EQ(HumanDuration(12.4), "12s");
  EXPECT_EQ(HumanDuration(245), "4m 05s");
  EXPECT_EQ(HumanDuration(3600 + 12 * 60), "1h 12m");
  EXPECT_EQ(HumanDuration(86400 * 3 + 3600 * 7), "3d 07h");
  EXPECT_EQ(HumanDuration(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(Percent(0.1234), "12.3%");
}

}  // namespace
}  // namespace frond
