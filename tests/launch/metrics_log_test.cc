#include "launch/metrics_log.h"

#include <unistd.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

using testing::HasSubstr;

class MetricsLogTest : public testing::Test {
 protected:
  MetricsLogTest()
      : path_(
            JoinPath(testing::TempDir(), absl::StrCat("metrics_log_test_", ::getpid(), ".jsonl"))) {
    CHECK_OK(RemoveRecursively(path_));
  }

  void Write(int64_t last_step, int64_t end) {
    auto log = MetricsLog::Open(path_, last_step);
    ASSERT_TRUE(log.ok()) << log.status();
    for (int64_t step = last_step + 1; step <= end; ++step) {
      ASSERT_TRUE((*log)->Append(MetricsRecord(step).AddNumber("loss", 1.0 / step)).ok());
    }
    ASSERT_TRUE((*log)->Sync().ok());
  }

  std::string Content() { return *ReadFile(path_); }

  const std::string path_;
};

TEST(MetricsRecordTest, IsJsonInTheOrderOfItsFields) {
  MetricsRecord record(7);
  record.AddNumber("loss", 0.1)
      .AddInteger("tokens", 1234567890123)
      .BeginGroup("language")
      .BeginGroup("fr")
      .AddNumber("share", 1e-20)
      .EndGroup()
      .AddText("quoted \"name\"", "line\nfeed")
      .EndGroup()
      .AddNumber("nan", std::numeric_limits<double>::quiet_NaN())
      .AddNumber("inf", -std::numeric_limits<double>::infinity());
  EXPECT_EQ(
      record.ToLine(),
      "{\"step\":7,\"loss\":0.1,\"tokens\":1234567890123,\"language\":{\"fr\":{\"share\":1e-20},"
      "\"quoted \\\"name\\\"\":\"line\\nfeed\"},\"nan\":\"nan\",\"inf\":\"-inf\"}");
  EXPECT_FALSE(nlohmann::json::parse(record.ToLine(), nullptr, false).is_discarded());
}

TEST(MetricsRecordTest, NumbersReadBackToTheSameBits) {
  for (const double value : {1.0 / 3, 2.2250738585072014e-308, 1e300, -0.0, 123456789.125}) {
    const std::string line = MetricsRecord(0).AddNumber("x", value).ToLine();
    EXPECT_EQ(nlohmann::json::parse(line)["x"].get<double>(), value) << line;
  }
}

TEST_F(MetricsLogTest, DropsWhatFollowsTheLinesOfTheCheckpoint) {
  Write(0, 3);
  auto log = MetricsLog::Open(path_, 3, /*most_lines=*/3);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append(MetricsRecord(3).BeginGroup("eval").EndGroup()).ok());
  EXPECT_EQ((*log)->lines(), 4);
  log = MetricsLog::Open(path_, 3, /*most_lines=*/3);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->lines(), 3);
  EXPECT_THAT(Content(), testing::Not(HasSubstr("eval")));
}

TEST_F(MetricsLogTest, ResumedFileEqualsUnbrokenOne) {
  Write(0, 20);
  const std::string unbroken = Content();
  // Killed in step 14 after a checkpoint of step 9, while it wrote a line.
  for (const std::string& torn :
       {std::string(), std::string("{\"step\":15,\"lo"), std::string("{\"step\":15,\"loss\":1}"),
        std::string("\0\0\0\n", 4)}) {
    CHECK_OK(RemoveRecursively(path_));
    Write(0, 14);
    ASSERT_TRUE(WriteFileAtomically(path_, Content() + torn).ok());
    Write(9, 20);
    EXPECT_EQ(Content(), unbroken) << torn;
  }
}

TEST_F(MetricsLogTest, BrokenLineInTheMiddleIsNamed) {
  ASSERT_TRUE(WriteFileAtomically(path_, "{\"step\":1}\n{\"stop\":2}\n{\"step\":3}\n").ok());
  const auto log = MetricsLog::Open(path_, 3);
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(std::string(log.status().message()), HasSubstr(".jsonl:2: "));
}

TEST_F(MetricsLogTest, MissingFolderIsAnError) {
  const auto log = MetricsLog::Open("/nonexistent/metrics.jsonl", 0);
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("/nonexistent/metrics.jsonl"));
}

}  // namespace
}  // namespace frond
