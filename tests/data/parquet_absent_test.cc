// What a build without Apache Arrow says of Parquet files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/row_reader.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ParquetReader, SaysHowToBuildIt) {
  const auto reader = RowReader::Open({.path = "a.parquet"}, {});
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(reader.status().message()),
              AllOf(HasSubstr("'a.parquet' is Parquet"), HasSubstr("-DFROND_PARQUET=ON")));
}

TEST(ParquetReader, ReadsWhatArrowWrites) {
  GTEST_SKIP() << "this build has no Apache Arrow: configure with -DFROND_ARROW=<its folder>";
}

}  // namespace
}  // namespace frond
