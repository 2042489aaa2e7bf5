#include "launch/progress.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

using testing::EndsWith;

const ProgressState kState = {.step = 1240,
                              .total_steps = 20000,
                              .loss = 2.34117,
                              .learning_rate = 3e-4,
                              .examples_per_second = 812.3,
                              .tokens_per_second = 41234,
                              .mfu = 0.634,
                              .seconds_left = 4325};

TEST(ProgressTest, PlainLineNamesEverything) {
  EXPECT_EQ(FormatProgress(kState),
            "step  1,240/20,000  loss 2.3412  lr 3.00e-04    812 ex/s  41.2k tok/s  MFU 63%  "
            "ETA 1h 12m");
}

TEST(ProgressTest, UnknownRatesAreLeftOut) {
  ProgressState state = kState;
  state.mfu = -1;
  state.seconds_left = -1;
  EXPECT_EQ(FormatProgress(state).find("MFU"), std::string::npos);
  EXPECT_EQ(FormatProgress(state).find("comm"), std::string::npos);
  state.communication = 0.042;
  EXPECT_NE(FormatProgress(state).find("  comm  4%"), std::string::npos);
  EXPECT_EQ(FormatProgress(state).find("ETA"), std::string::npos);
}

size_t CodePoints(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (c & 0xC0) != 0x80;
  return count;
}

TEST(ProgressTest, BarFitsEveryWidth) {
  for (int columns = 1; columns < 160; ++columns) {
    EXPECT_LE(CodePoints(FormatProgressBar(kState, columns)), static_cast<size_t>(columns));
  }
  EXPECT_EQ(FormatProgressBar(kState, 14), "");
  EXPECT_THAT(FormatProgressBar(kState, 80),
              EndsWith("   6%  step  1,240/20,000  loss 2.3412  41.2k tok/s  ETA 1h 12m"));
  EXPECT_THAT(FormatProgressBar(kState, 159), EndsWith("   6%  " + FormatProgress(kState)));
}

TEST(ProgressTest, TerminalLineIsRedrawnAndKeptBelowMessages) {
  std::ostringstream out;
  {
    Progress progress(out, Progress::Style::kTerminal, 45);
    progress.PrintLine("before");
    progress.Update(kState);
    progress.PrintLine("saved");
  }
  const std::string bar = FormatProgressBar(kState, 44);
  EXPECT_EQ(out.str(), "before\n\r" + bar + "\x1b[K\rsaved\x1b[K\n" + bar + "\n");
}

TEST(ProgressTest, PlainStyleHasNoControlCharacters) {
  std::ostringstream out;
  Progress progress(out, Progress::Style::kPlain);
  progress.Update(kState);
  progress.PrintLine("saved");
  EXPECT_EQ(out.str(), FormatProgress(kState) + "\nsaved\n");
}

TEST(ProgressTest, SilentStyleWritesNothing) {
  std::ostringstream out;
  {
    Progress progress(out, Progress::Style::kSilent);
    progress.Update(kState);
    progress.PrintLine("saved");
  }
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace frond
