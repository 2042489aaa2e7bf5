#include "checkpoint/commit_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "checkpoint/safetensors_writer.h"
#include "core/base/hash.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// A folder of five files, committed; one of them has ranges.
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
    TensorBag bag(FreshSeed());
    bag.Add("matrix", {20, 7}, DType::kF32);
    bag.Add("vector", {9}, DType::kF32);
    records_.push_back(*WritePlannedFile(
        folder_.path(), PlanSafetensors("tensors.safetensors", bag.tensors()), bag.tensors()));
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
  ASSERT_EQ(files->size(), 5u);
  EXPECT_EQ((*files)[2], (FileRecord{"model.safetensors", 5000, Hash64(std::string(5000, 'w'))}));
  EXPECT_EQ((*files)[3], records_[3]);
  EXPECT_EQ((*files)[3].ranges.size(), 3u);
  EXPECT_EQ((*files)[4], records_[2]);
}

TEST_F(CommitRecordTest, EveryFlippedBitIsFoundAndNamed) {
  std::vector<std::string> names = {"config.json", "model.safetensors", "tensors.safetensors",
                                    "train_state/state.json", kCommitRecordName};
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

TEST_F(CommitRecordTest, TheDamagedRangeIsNamed) {
  const std::string right = *ReadFile(folder_ / "tensors.safetensors");
  for (const FileRange& range : records_[3].ranges) {
    std::string damaged = right;
    damaged[range.offset + random_() % range.bytes] ^= 16;
    Overwrite("tensors.safetensors", damaged);
    const std::string what =
        range.name.empty() ? "its header" : absl::StrCat("tensor '", range.name, "'");
    EXPECT_THAT(Message(Verify()),
                HasSubstr(absl::StrCat("tensors.safetensors': checksum of ", what, " is ")));
  }
}

// Readers that share the work find what one finds alone, and no byte is read by two.
TEST_F(CommitRecordTest, ReadersShareTheWork) {
  for (const int readers : {1, 2, 3, 7, 40}) {
    for (const std::string name : {"config.json", "model.safetensors", "tensors.safetensors"}) {
      const std::string right = *ReadFile(folder_ / name);
      for (int trial = 0; trial < 10; ++trial) {
        std::string damaged = right;
        damaged[random_() % damaged.size()] ^= 2;
        Overwrite(name, damaged);
        int found = 0;
        for (int rank = 0; rank < readers; ++rank) {
          const absl::Status status =
              VerifyCommitRecord(folder_.path(), {.rank = rank, .size = readers});
          if (status.ok()) continue;
          EXPECT_EQ(status, Verify());
          ++found;
        }
        EXPECT_EQ(found, 1) << name << ", " << readers << " readers";
      }
      Overwrite(name, right);
    }
  }
}

// The record of one file, sealed with its own checksum.
std::string Sealed(absl::string_view format_number, absl::string_view entry) {
  const std::string text = absl::StrCat(
      "{\n \"format\": \"frond commit record\",\n \"format_number\": ", format_number,
      ",\n \"files\": [\n  {\n   \"path\": \"a\",\n   \"size\": 8,\n", entry, "\n  }\n ]");
  return absl::StrCat(text, ",\n \"checksum\": \"", HashToHex(Hash64(text + "\n}")), "\"\n}\n");
}

std::string RangeText(absl::string_view bytes, absl::string_view cell, absl::string_view sum) {
  return absl::StrCat("    {\n     \"name\": \"w\",\n     \"bytes\": ", bytes,
                      ",\n     \"cell\": ", cell, ",\n     \"sum\": \"", sum, "\"\n    }");
}

// Records of the first format, which knew whole files only, stay readable, and the text of both is
// what docs/checkpoint_format.md says.
TEST(CommitRecordFormatTest, BothFormatsAreRead) {
  TempFolder folder;
  ASSERT_TRUE(WriteFileAtomically(folder / "a", "8 bytes.").ok());
  const std::string hash = HashToHex(Hash64("8 bytes."));
  const std::string plain = Sealed("1", absl::StrCat("   \"xxh3\": \"", hash, "\""));
  const std::string ranges =
      Sealed("2", absl::StrCat("   \"ranges\": [\n", RangeText("8", "8", hash), "\n   ]"));
  for (const std::string& text : {plain, ranges}) {
    ASSERT_TRUE(WriteFileAtomically(folder / kCommitRecordName, text).ok());
    EXPECT_TRUE(VerifyCommitRecord(folder.path()).ok()) << VerifyCommitRecord(folder.path());
    const auto files = ReadCommitRecord(folder.path());
    ASSERT_TRUE(files.ok());
    ASSERT_TRUE(WriteCommitRecord(folder.path(), *files).ok());
    EXPECT_EQ(*ReadFile(folder / kCommitRecordName), text);
  }
}

TEST(CommitRecordFormatTest, RangesMustFillTheFileWithCells) {
  TempFolder folder;
  const std::string sum = HashToHex(1);
  const std::string half = RangeText("4", "4", sum);
  EXPECT_NE(half, "");
  for (const std::string& ranges :
       {std::string(), half, absl::StrCat(half, ",\n", half, ",\n", half), RangeText("8", "0", sum),
        RangeText("8", "3", sum), RangeText("8", "8", "1"), RangeText("-8", "8", sum),
        absl::StrCat(RangeText("18446744073709551615", "1", sum), ",\n", RangeText("9", "9", sum)),
        std::string("    7")}) {
    const std::string text = Sealed("2", absl::StrCat("   \"ranges\": [\n", ranges, "\n   ]"));
    ASSERT_TRUE(WriteFileAtomically(folder / kCommitRecordName, text).ok());
    EXPECT_THAT(Message(ReadCommitRecord(folder.path()).status()), HasSubstr("damaged entry 0"))
        << ranges;
  }
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
