// Folders, packed files and the shared real data for the tests of data/.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "data/byte_source.h"
#include "data/example_reader.h"
#include "data/tokenizer_trainer.h"

namespace frond {

// A fresh folder for one test, removed at its end.
class DataTest : public testing::Test {
 protected:
  DataTest() {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = testing::TempDir() + "/frond_data_" + info->test_suite_name() + "_" + info->name();
    EXPECT_TRUE(RemoveRecursively(folder_).ok());
    EXPECT_TRUE(CreateDirectories(folder_).ok());
  }
  ~DataTest() override { EXPECT_TRUE(RemoveRecursively(folder_).ok()); }

  // The path of a new file with these bytes.
  std::string Write(const std::string& name, absl::string_view bytes) const {
    const std::string path = JoinPath(folder_, name);
    EXPECT_TRUE(WriteFileAtomically(path, bytes).ok());
    return path;
  }

  std::string folder_;
};

// All examples of the files, or the first error.
inline absl::StatusOr<std::vector<Example>> ReadAll(std::vector<RowFile> files,
                                                    const RowLayout& layout = {}) {
  ExampleReader reader(std::move(files), layout);
  std::vector<Example> examples;
  while (true) {
    Example example;
    const auto more = reader.Next(&example);
    if (!more.ok()) return more.status();
    if (!*more) return examples;
    examples.push_back(example);
  }
}

inline std::string Gzip(const std::string& text) {
  std::string packed(compressBound(text.size()) + 64, '\0');
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

inline std::string Zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

inline std::string ReadUnpacked(const std::string& path) {
  auto source = ByteSource::Open(path);
  EXPECT_TRUE(source.ok()) << source.status();
  std::string bytes;
  std::string chunk(1 << 16, '\0');
  while (source.ok()) {
    const auto got = (*source)->Read(chunk.data(), chunk.size());
    EXPECT_TRUE(got.ok()) << got.status();
    if (!got.ok() || *got == 0) break;
    bytes.append(chunk, 0, *got);
  }
  return bytes;
}

// The shared data folder, or empty where there is none. Tests run in the source folder tests/.
inline std::string SharedData() {
  const char* folder = std::getenv("FROND_SHARED_DATA");
  const std::string path = folder != nullptr ? folder : "../../shared/data";
  return IsDirectory(path) ? path : "";
}

#define SKIP_WITHOUT_SHARED_DATA()                                                   \
  if (SharedData().empty()) {                                                        \
    GTEST_SKIP() << "real data is absent: set FROND_SHARED_DATA to its data folder"; \
  }

}  // namespace frond
