#include "data/token_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/data/test_files.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Row(int i, const std::string& language) {
  return absl::StrCat(R"({"inputs": ")", TinySentence(i), R"(", "targets": ")", TinySentence(i + 3),
                      " ", i, R"(", "language": ")", language, R"(", "template_id": )", i % 3,
                      R"(, "task_type": "task)", i % 2, R"(", "dataset_name": "set"})", "\n");
}

class TokenCacheTest : public DataTest {
 protected:
  TokenCacheTest() : tokenizer_(TinyTokenizer()) {}

  TokenCacheOptions Options(std::vector<std::string> paths, int threads = 2) const {
    return {.name = "so me/source",
            .paths = std::move(paths),
            .cache_dir = JoinPath(folder_, "cache"),
            .threads = threads};
  }

  std::shared_ptr<const TokenCache> Open(const TokenCacheOptions& options) const {
    auto cache = TokenCache::OpenOrBuild(options, *tokenizer_);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return cache.value_or(nullptr);
  }

  // The cache files, which is the only thing that may be there beside locks.
  std::vector<std::string> CacheFiles() const {
    std::vector<std::string> files;
    const auto names = ListDirectory(JoinPath(folder_, "cache"));
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      if (absl::EndsWith(name, ".lock")) continue;
      EXPECT_TRUE(absl::EndsWith(name, ".tokens")) << name;
      files.push_back(JoinPath(JoinPath(folder_, "cache"), name));
    }
    return files;
  }

  // Changes when the file is built anew.
  static ino_t Inode(const std::string& path) {
    struct stat info;
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_ino;
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_F(TokenCacheTest, HoldsWhatTheFilesHold) {
  std::string first, second;
  const char* languages[] = {"zz", "sw", "en"};
  const int count = 6000;  // several chunks a file
  for (int i = 0; i < count; ++i) {
    (i < count / 2 ? first : second) += Row(i, languages[i % 3]);
  }
  const auto cache = Open(Options({Write("a.jsonl.gz", Gzip(first)), Write("b.jsonl", second)}));
  ASSERT_EQ(cache->num_examples(), count);
  EXPECT_THAT(cache->languages(), ElementsAre("en", "sw", "zz"));
  int64_t tokens = 0;
  for (int i = 0; i < count; ++i) {
    std::vector<int32_t> source = tokenizer_->Encode(TinySentence(i));
    std::vector<int32_t> target = tokenizer_->Encode(absl::StrCat(TinySentence(i + 3), " ", i));
    source.push_back(tokenizer_->eos_id());
    target.push_back(tokenizer_->eos_id());
    tokens += static_cast<int64_t>(source.size() + target.size());
    ASSERT_THAT(cache->source(i), testing::ElementsAreArray(source)) << i;
    ASSERT_THAT(cache->target(i), testing::ElementsAreArray(target)) << i;
    ASSERT_EQ(cache->source_length(i), static_cast<int32_t>(source.size()));
    ASSERT_EQ(cache->target_length(i), static_cast<int32_t>(target.size()));
    ASSERT_EQ(cache->language(i), 2 - i % 3);
    ASSERT_EQ(cache->template_id(i), absl::StrCat(i % 3));
    ASSERT_EQ(cache->task_type(i), absl::StrCat("task", i % 2));
    ASSERT_EQ(cache->dataset_name(i), "set");
  }
  EXPECT_EQ(cache->num_tokens(), tokens);
  for (int language = 0; language < 3; ++language) {
    const auto examples = cache->examples_of_language(language);
    ASSERT_EQ(examples.size(), static_cast<size_t>(count / 3));
    for (size_t k = 0; k < examples.size(); ++k) {
      ASSERT_EQ(examples[k], 3 * k + (2 - language));
    }
  }
}

TEST_F(TokenCacheTest, BytesDoNotDependOnThreads) {
  std::string rows;
  for (int i = 0; i < 9000; ++i) rows += Row(i, "en");
  const std::string path = Write("a.jsonl", rows);
  Open(Options({path}, 1));
  ASSERT_EQ(CacheFiles().size(), 1u);
  const std::string one = *ReadFile(CacheFiles()[0]);
  ASSERT_TRUE(RemoveRecursively(JoinPath(folder_, "cache")).ok());
  Open(Options({path}, 4));
  EXPECT_TRUE(one == *ReadFile(CacheFiles()[0]));
}

TEST_F(TokenCacheTest, BuiltOnceAndAgainWhenSomethingChanged) {
  const std::string path = Write("a.jsonl", Row(1, "en") + Row(2, "fr"));
  TokenCacheOptions options = Options({path});
  const uint64_t key = Open(options)->key();
  ASSERT_EQ(CacheFiles().size(), 1u);
  const std::string file = CacheFiles()[0];
  const ino_t inode = Inode(file);
  EXPECT_EQ(Open(options)->key(), key);
  EXPECT_EQ(Inode(file), inode) << "nothing changed";

  // Same size, same names: only the time of change tells.
  Write("a.jsonl", Row(1, "en") + Row(2, "de"));
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_THAT(Open(options)->languages(), ElementsAre("de", "en"));
  EXPECT_EQ(CacheFiles().size(), 1u) << "the old copy was replaced";

  options.layout.fields.language = "task_type";
  EXPECT_THAT(Open(options)->languages(), ElementsAre("task0", "task1"));
  options.layout.fields = {};

  const auto other = TinyTokenizer(350);
  const auto cache = TokenCache::OpenOrBuild(options, *other);
  ASSERT_TRUE(cache.ok());
  std::vector<int32_t> ids = other->Encode(TinySentence(1));
  ids.push_back(1);
  EXPECT_THAT((*cache)->source(0), testing::ElementsAreArray(ids));
}

TEST_F(TokenCacheTest, DamageIsFoundAndRepaired) {
  std::string rows;
  for (int i = 0; i < 50; ++i) rows += Row(i, "en");
  TokenCacheOptions options = Options({Write("a.jsonl", rows)});
  options.verify = true;
  Open(options);
  const std::string file = CacheFiles()[0];
  const std::string good = *ReadFile(file);
  for (size_t at = 0; at < good.size(); at += 397) {
    std::string bad = good;
    bad[at] ^= 0x10;
    ASSERT_TRUE(WriteFileAtomically(file, bad).ok());
    ASSERT_NE(Open(options), nullptr);
    // Bytes between sections are padding that nothing reads.
    const std::string after = *ReadFile(file);
    ASSERT_TRUE(after == good || good[at] == '\0') << "byte " << at;
  }
  options.verify = false;
  for (const size_t size : {size_t{0}, size_t{100}, good.size() / 2, good.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomically(file, good.substr(0, size)).ok());
    ASSERT_NE(Open(options), nullptr);
    EXPECT_TRUE(*ReadFile(file) == good);
  }
}

TEST_F(TokenCacheTest, BadRowsAreNamedAndNothingStays) {
  std::string rows;
  for (int i = 0; i < 9000; ++i) rows += i == 7000 ? "{\"inputs\": 3}\n" : Row(i, "en");
  const std::string path = Write("a.jsonl", rows + "not JSON either\n");
  for (const int threads : {1, 3}) {
    const auto cache = TokenCache::OpenOrBuild(Options({path}, threads), *tokenizer_);
    EXPECT_THAT(std::string(cache.status().message()),
                HasSubstr("a.jsonl:7001: field 'targets' is missing"));
    EXPECT_EQ(CacheFiles().size(), 0u);
  }
}

TEST_F(TokenCacheTest, EmptyTargetsAreForThoseWhoAllowThem) {
  TokenCacheOptions strict = Options({Write("a.jsonl", Row(0, "sw"))});
  TokenCacheOptions loose = strict;
  loose.layout.allow_empty_targets = true;
  const uint64_t key = Open(strict)->key();
  const ino_t built = Inode(CacheFiles()[0]);
  EXPECT_EQ(Open(loose)->key(), key);
  EXPECT_EQ(Inode(CacheFiles()[0]), built) << "a file without empty targets serves both";

  Write("a.jsonl", Row(0, "sw") + R"({"inputs": "x", "targets": " ", "language": "sw"})" + "\n");
  EXPECT_EQ(Open(loose)->num_examples(), 2);
  const ino_t with_empty = Inode(CacheFiles()[0]);
  EXPECT_EQ(Open(loose)->target_length(1), 1);
  EXPECT_EQ(Inode(CacheFiles()[0]), with_empty);
  const absl::Status status = TokenCache::OpenOrBuild(strict, *tokenizer_).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("a.jsonl:2: "));
}

TEST_F(TokenCacheTest, WrongUseIsRefused) {
  const auto error = [&](const TokenCacheOptions& options) {
    return std::string(TokenCache::OpenOrBuild(options, *tokenizer_).status().message());
  };
  EXPECT_THAT(error(Options({})), HasSubstr("source 'so me/source' names no files"));
  EXPECT_THAT(error(Options({"missing.jsonl"})), HasSubstr("no file matches 'missing.jsonl'"));
  EXPECT_THAT(error(Options({Write("empty.jsonl", "\n")})), HasSubstr("has no examples"));
  TokenCacheOptions options = Options({Write("a.jsonl", Row(1, "en"))});
  options.cache_dir = Write("file", "");
  EXPECT_THAT(error(options), HasSubstr("file"));
}

TEST_F(TokenCacheTest, OneBuildsAndTheOthersWait) {
  std::string rows;
  for (int i = 0; i < 4000; ++i) rows += Row(i, "en");
  const TokenCacheOptions options = Options({Write("a.jsonl", rows)}, 1);
  std::vector<std::shared_ptr<const TokenCache>> caches(4);
  std::vector<std::thread> threads;
  for (auto& cache : caches) {
    threads.emplace_back([&] { cache = Open(options); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& cache : caches) {
    ASSERT_NE(cache, nullptr);
    EXPECT_EQ(cache->num_examples(), 4000);
  }
  EXPECT_EQ(CacheFiles().size(), 1u);
}

}  // namespace
}  // namespace frond
