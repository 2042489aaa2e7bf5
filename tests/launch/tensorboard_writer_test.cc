#include "launch/tensorboard_writer.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

std::string FreshFolder(const std::string& name) {
  const std::string folder = JoinPath(testing::TempDir(), name);
  CHECK_OK(RemoveRecursively(folder));
  return folder;
}

// The standard output of a command.
std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  CHECK(pipe != nullptr);
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, n);
  pclose(pipe);
  return output;
}

std::string Python() {
  const char* python = getenv("FROND_PYTHON");
  return python != nullptr ? python : "/opt/frond-venv/bin/python";
}

TEST(TensorboardWriterTest, FramesCarryLengthAndChecksums) {
  auto writer = TensorboardWriter::Open(FreshFolder("tensorboard_frames"), 0);
  ASSERT_TRUE(writer.ok()) << writer.status();
  const std::string bytes = *ReadFile((*writer)->path());
  // wall_time (9 bytes), step 0 (2), file_version "brain.Event:2" (15).
  ASSERT_GT(bytes.size(), 12u + 26 + 4);
  // The length and, computed by another program, the masked CRC-32C of its eight bytes.
  EXPECT_EQ(bytes.substr(0, 12), std::string("\x1A\0\0\0\0\0\0\0\x12\x9B\xD8\x2D", 12));
  EXPECT_EQ(bytes.substr(12 + 9, 17), std::string("\x10\0\x1A\x0D"
                                                  "brain.Event:2",
                                                  17));
}

TEST(TensorboardWriterTest, TensorboardReadsAResumedRun) {
  if (!PathExists(Python())) {
    GTEST_SKIP() << "no " << Python() << " (set FROND_PYTHON): nothing was checked";
  }
  const std::string folder = FreshFolder("tensorboard_resumed");
  const auto write = [&](int64_t last_step, int64_t end, double value) {
    auto writer = TensorboardWriter::Open(folder, last_step);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int64_t step = last_step + 1; step <= end; ++step) {
      (*writer)->AddScalar("train/loss", step, value);
      (*writer)->AddScalar(std::string("language/\xE4\xB8\xAD"), step, step);
    }
    ASSERT_TRUE((*writer)->Flush().ok());
  };
  write(0, 4, 0.25);
  write(3, 6, 0.5);   // killed after step 4, resumed from step 3
  write(2, 4, 0.75);  // the checkpoint of step 3 was damaged
  const std::string read = OutputOf(absl::StrCat(Python(), " reference/read_tensorboard.py ",
                                                 folder, " 2>/dev/null || echo unreadable"));
  if (read.find("unreadable") != std::string::npos) {
    GTEST_SKIP() << Python() << " has no tensorboard package: nothing was checked";
  }
  EXPECT_EQ(read,
            "language/\xE4\xB8\xAD 1 1\nlanguage/\xE4\xB8\xAD 2 2\nlanguage/\xE4\xB8\xAD 3 3\n"
            "language/\xE4\xB8\xAD 4 4\n"
            "train/loss 1 0.25\ntrain/loss 2 0.25\ntrain/loss 3 0.75\ntrain/loss 4 0.75\n");
}

}  // namespace
}  // namespace frond
