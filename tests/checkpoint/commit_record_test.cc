#include "checkpoint/commit_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/base/hash.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// A folder of four files, committed.
class CommitRecordTest : public testing::Test {
 protected:
  CommitRecordTest() : random_(FreshSeed()) {
    EXPECT_TRUE(CreateDirectories(folder_ / "train_state").ok());
    for (const auto& [name, size] : std::vector<std::pair<std::string, size_t>>{
             {"config.json", 300}, {"empty", 0}, {"train_state/state.json", 77}}) {
      std::string bytes(size, ' ');
      for (char& c : bytes) c = static_cast<char>(random_());
      records_.push_back(*WriteRecordedFile(folder_.path(), name, bytes));
    }
    // This one's checksum is left to the record's writer.
    EXPECT_TRUE(WriteFileAtomically(folder_ / "model.safetensors", std::string(5000, 'w')).ok());
    EXPECT_TRUE(WriteCommitRecord(folder_.path(), records_).ok());
  }
  absl::Status Verify() { return VerifyCommitRecord(folder_.path()); }
  // Not durable, hence fast; removed first, since some file systems flush what is truncated.
  void Overwrite(const std::string& name, const std::string& bytes) {
    std::filesystem::remove(folder_ / name);
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }

  TempFolder folder_;
  std::mt19937_64 random_;
  std::vector<FileRecord> records_;
};

TEST_F(CommitRecordTest, HoldsEveryFile) {
  EXPECT_TRUE(Verify().ok()) << Verify();
  const auto files = ReadCommitRecord(folder_.path());
  ASSERT_TRUE(files.ok());
  ASSERT_EQ(files->size(), 4u);
  EXPECT_EQ((*files)[2], (FileRecord{"model.safetensors", 5000, Hash64(std::string(5000, 'w'))}));
  EXPECT_EQ((*files)[3], records_[2]);
}

TEST_F(CommitRecordTest, EveryFlippedBitIsFoundAndNamed) {
  std::vector<std::string> names = {"config.json", "model.safetensors", "train_state/state.json",
                                    kCommitRecordName};
  for (int trial = 0; trial < 300; ++trial) {
    const std::string& name = names[random_() % names.size()];
    const std::string right = *ReadFile(folder_ / name);
    std::string damaged = right;
    const size_t at = random_() % damaged.size();
    damaged[at] ^= static_cast<char>(1 << (random_() % 8));
    Overwrite(name, damaged);
    const absl::Status status = Verify();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name << " byte " << at;
    EXPECT_THAT(Message(status), HasSubstr("/" + name)) << "byte " << at;
    Overwrite(name, right);
  }
  EXPECT_TRUE(Verify().ok());
}

TEST_F(CommitRecordTest, EveryTruncationAndExtensionIsFoundAndNamed) {
  for (const std::string name : {"config.json", "train_state/state.json", "commit.json"}) {
    const std::string right = *ReadFile(folder_ / name);
    for (size_t size = 0; size < right.size(); ++size) {
      Overwrite(name, right.substr(0, size));
      EXPECT_THAT(Message(Verify()), HasSubstr("/" + name)) << size;
    }
    Overwrite(name, right + "\n");
    EXPECT_THAT(Message(Verify()), HasSubstr("/" + name));
    Overwrite(name, right);
  }
  Overwrite("empty", "x");
  EXPECT_THAT(Message(Verify()), HasSubstr("/empty': has 1 bytes, but 0 were written"));
}

TEST_F(CommitRecordTest, MissingFilesAreNamed) {
  ASSERT_TRUE(RemoveRecursively(folder_ / "model.safetensors").ok());
  EXPECT_THAT(Message(Verify()), HasSubstr("model.safetensors' is missing"));
  ASSERT_TRUE(RemoveRecursively(folder_ / "commit.json").ok());
  EXPECT_THAT(Message(Verify()), HasSubstr("never finished"));
}

TEST_F(CommitRecordTest, OtherFilesAreIgnored) {
  Overwrite("notes.txt", "mine");
  EXPECT_TRUE(Verify().ok());
}

TEST_F(CommitRecordTest, AKnownFileMustBeThere) {
  EXPECT_THAT(Message(WriteCommitRecord(folder_.path(), {{"model-2", 5, 1}})),
              HasSubstr("model-2' is missing"));
  EXPECT_THAT(Message(WriteCommitRecord(folder_.path(), {{"config.json", 5, 1}})),
              HasSubstr("has 300 bytes"));
}

}  // namespace
}  // namespace frond
