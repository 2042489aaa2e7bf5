#include "core/base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/hash.h"

namespace frond {
namespace {

using ::testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  FileTest() : folder_(testing::TempDir() + "/frond_file_test") {
    EXPECT_TRUE(RemoveRecursively(folder_).ok());
    EXPECT_TRUE(CreateDirectories(folder_).ok());
  }
  ~FileTest() override { EXPECT_TRUE(RemoveRecursively(folder_).ok()); }
  std::string folder_;
};

TEST_F(FileTest, RoundTripAndChecksum) {
  const std::string path = JoinPath(folder_, "a");
  auto writer = FileWriter::Create(path);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append("hello ").ok());
  ASSERT_TRUE((*writer)->Append("world").ok());
  ASSERT_TRUE((*writer)->Close().ok());
  EXPECT_EQ((*writer)->size(), 11u);
  EXPECT_EQ((*writer)->checksum(), Hash64("hello world"));
  EXPECT_EQ(*ReadFile(path), "hello world");
  EXPECT_EQ((*MappedFile::Open(path))->bytes(), "hello world");
}

TEST_F(FileTest, DigestReadsAllPieces) {
  const std::string path = JoinPath(folder_, "a");
  std::string bytes(3'000'001, 'x');
  for (size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>(i);
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  const auto digest = DigestFile(path);
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(digest->size, bytes.size());
  EXPECT_EQ(digest->checksum, Hash64(bytes));
  EXPECT_FALSE(DigestFile(folder_).ok());
}

TEST_F(FileTest, AtomicWriteReplaces) {
  const std::string path = JoinPath(folder_, "a");
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ(ListDirectory(folder_)->size(), 1u);
}

TEST_F(FileTest, AtomicWriteKeepsLinksAndPipes) {
  const std::string file = folder_ + "/target", link = folder_ + "/link", pipe = folder_ + "/pipe";
  ASSERT_EQ(::symlink("target", link.c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(link, "through").ok());  // also where there is no target yet
  ASSERT_TRUE(WriteFileAtomically(link, "again").ok());
  EXPECT_EQ(*ReadFile(file), "again");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_TRUE(WriteFileAtomically(pipe, "into").ok());
  char text[8] = {};
  EXPECT_EQ(::read(reader, text, sizeof(text)), 4);
  EXPECT_STREQ(text, "into");
  ::close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST_F(FileTest, PlacesThatCannotHoldAFileAreKnownBefore) {
  const std::string folder = folder_ + "/folder";
  ASSERT_TRUE(CreateDirectories(folder).ok());
  EXPECT_THAT(std::string(CheckFilePlace(folder).message()), HasSubstr("is a folder"));
  EXPECT_THAT(std::string(CheckFilePlace(folder_ + "/none/file").message()),
              HasSubstr("there is no folder"));
  EXPECT_TRUE(CheckFilePlace(JoinPath(folder, "file")).ok());
  EXPECT_TRUE(CheckFilePlace("file").ok());
  EXPECT_FALSE(WriteFileAtomically(folder, "text").ok());
  EXPECT_FALSE(PathExists(folder + ".tmp"));
}

TEST_F(FileTest, ErrorsNameTheFile) {
  const auto missing = ReadFile(JoinPath(folder_, "missing"));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("missing"), std::string::npos);
  EXPECT_FALSE(MappedFile::Open(folder_).ok());
}

TEST(BaseNameTest, IsWhatStandsBehindTheLastSlash) {
  EXPECT_EQ(BaseName("a/b.jsonl"), "b.jsonl");
  EXPECT_EQ(BaseName("/b"), "b");
  EXPECT_EQ(BaseName("b"), "b");
  EXPECT_EQ(BaseName("a/"), "");
}

}  // namespace
}  // namespace frond
