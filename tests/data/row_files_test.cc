#include "data/row_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/example_reader.h"
#include "nlohmann/json.hpp"
#include "tests/data/test_files.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

class RowFilesTest : public DataTest {
 protected:
  // name=language of what a pattern in the folder finds, or the error.
  std::vector<std::string> Find(const std::string& pattern, const std::string& targets = "") {
    std::vector<std::string> target_patterns;
    if (!targets.empty()) target_patterns.push_back(JoinPath(folder_, targets));
    const auto files = FindRowFiles(std::vector{JoinPath(folder_, pattern)}, target_patterns);
    if (!files.ok()) {
      EXPECT_EQ(files.status().message().find('\n'), absl::string_view::npos);
      return {std::string(files.status().message())};
    }
    std::vector<std::string> found;
    const auto base = [&](const std::string& path) {
      return path.empty() ? "" : path.substr(folder_.size() + 1);
    };
    for (const RowFile& file : *files) {
      found.push_back(base(file.path) + "=" + file.language);
      if (!file.target_path.empty()) found.back() += "/" + base(file.target_path);
    }
    return found;
  }

  static absl::StatusOr<std::vector<Example>> ReadPair(const std::string& inputs,
                                                       const std::string& targets,
                                                       const RowLayout& layout) {
    return ReadAll({{.path = inputs, .target_path = targets}}, layout);
  }
};

TEST_F(RowFilesTest, LanguagesOfPaths) {
  for (const char* name : {"t-eng-swa.tsv", "t-eng-zh-Hans.tsv", "en_aa.tsv.gz", "en_ace.tsv.gz",
                           "afr_Latn.txt", "train.jsonl", "x.d-de.e"}) {
    Write(name, "");
  }
  EXPECT_THAT(Find("t-eng-{language}.tsv"),
              ElementsAre("t-eng-swa.tsv=swa", "t-eng-zh-Hans.tsv=zh-Hans"));
  EXPECT_THAT(Find("en_{language}.tsv.gz"), ElementsAre("en_aa.tsv.gz=aa", "en_ace.tsv.gz=ace"));
  EXPECT_THAT(Find("{language}.txt"), ElementsAre("afr_Latn.txt=afr_Latn"));
  EXPECT_THAT(Find("t-*-{language}.tsv")[0], "t-eng-swa.tsv=swa") << "* takes as much as it can";
  EXPECT_THAT(Find("*.d-{language}.?"), ElementsAre("x.d-de.e=de"));
  EXPECT_THAT(Find("{language}.jsonl")[0],
              AllOf(HasSubstr("train.jsonl' matches"), HasSubstr("stands no code such as")));
  EXPECT_THAT(Find("q-{language}.jsonl")[0], HasSubstr("no file matches"));
  EXPECT_THAT(Find("train.jsonl"), ElementsAre("train.jsonl="));
  Write("{language}.csv", "");
  EXPECT_THAT(Find("{language}.csv"), ElementsAre("{language}.csv=")) << "the name of a file";
}

TEST_F(RowFilesTest, PairsOfFiles) {
  for (const char* name :
       {"a-eng.eng", "a-eng.a", "sw-eng.eng", "sw-eng.sw", "de-eng.eng", "de-eng.de"}) {
    Write(name, "");
  }
  EXPECT_THAT(Find("{language}-eng.{language}"), ElementsAre("de-eng.de=de", "sw-eng.sw=sw"))
      << "where both are the same";
  EXPECT_THAT(Find("{language}-eng.{language}g")[0], HasSubstr("no file matches"));
  EXPECT_THAT(Find("[a-z][a-z]-eng.eng", "{language}-eng.{language}"),
              ElementsAre("de-eng.eng=de/de-eng.de", "sw-eng.eng=sw/sw-eng.sw"));
  EXPECT_THAT(Find("[a-z][a-z]-eng.*", "{language}-eng.??")[0],
              HasSubstr("gives 4 files and target_path"));
  EXPECT_THAT(Find("{language}-eng.eng", "{language}-eng.de")[0],
              AllOf(HasSubstr("a-eng.eng' matches"), HasSubstr("stands no code")));
  Write("fr-eng.fr", "");
  EXPECT_THAT(Find("[a-z][a-z]-eng.eng", "{language}-eng.??")[0],
              HasSubstr("gives 2 files and target_path"));
  ASSERT_TRUE(RemoveRecursively(JoinPath(folder_, "de-eng.de")).ok());
  EXPECT_THAT(Find("[a-z][a-z]-eng.eng", "{language}-eng.??"),
              ElementsAre("de-eng.eng=fr/fr-eng.fr", "sw-eng.eng=sw/sw-eng.sw"));
  ASSERT_TRUE(RemoveRecursively(JoinPath(folder_, "a-eng.eng")).ok());
  EXPECT_THAT(Find("{language}-???.eng", "{language}-eng.??")[0],
              HasSubstr("fr-eng.fr' would belong together, but their languages differ"));
}

TEST_F(RowFilesTest, ParallelTextReadsLineByLine) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::string inputs, targets;
  std::vector<std::pair<std::string, std::string>> wanted;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 50 == 0) {
      inputs += "\n";
      targets += " \n";
      continue;
    }
    wanted.emplace_back(std::string(random() % 40, 'x') + "é \"", absl::StrCat("t", i, "\t"));
    inputs += wanted.back().first + "\n";
    targets += wanted.back().second + "\r\n";
  }
  const auto examples =
      ReadPair(Write("a.en", inputs), Write("a.sw.zst", Zstd(targets)), {.default_language = "sw"});
  ASSERT_TRUE(examples.ok()) << examples.status();
  ASSERT_EQ(examples->size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ((*examples)[i].inputs, wanted[i].first);
    ASSERT_EQ((*examples)[i].targets, wanted[i].second);
    ASSERT_EQ((*examples)[i].language, "sw");
  }
}

TEST_F(RowFilesTest, ParallelTextThatIsBad) {
  const auto error = [&](absl::string_view inputs, absl::string_view targets,
                         const RowLayout& layout) {
    const auto read = ReadPair(Write("a.en", inputs), Write("a.sw", targets), layout);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(read.status().message());
  };
  const RowLayout layout{.default_language = "sw"};
  EXPECT_THAT(error("1\n2\n3\n4\n", "1\n2", layout),
              AllOf(HasSubstr("a.en' has 4 lines, but '"), HasSubstr("a.sw' has 2;")));
  EXPECT_THAT(error("1\n", "1\n2\n\n", layout),
              AllOf(HasSubstr("a.en' has 1 lines, but '"), HasSubstr("a.sw' has 3;")));
  EXPECT_THAT(error("1\n2\n", "1\n \n", layout), EndsWith("a.sw:2: the line is empty; expected a "
                                                          "target"));
  EXPECT_THAT(error("1\n2\n", "1\nx\xFF\n", layout),
              EndsWith("a.sw:2: invalid UTF-8 at byte 2 (0xFF)"));
  EXPECT_THAT(error("1\n\xFF\n", "1\n2\n", layout),
              EndsWith("a.en:2: invalid UTF-8 at byte 1 (0xFF)"));
  EXPECT_THAT(error("1\n", "1\n", {}), HasSubstr("a.en: the language is missing; set"));
}

TEST_F(RowFilesTest, OneFileForAllOthers) {
  for (const char* name : {"src.eng", "ref.de", "ref.sw"}) Write(name, "");
  EXPECT_THAT(Find("src.eng", "ref.{language}"),
              ElementsAre("src.eng=de/ref.de", "src.eng=sw/ref.sw"));
  EXPECT_THAT(Find("ref.{language}", "src.eng"),
              ElementsAre("ref.de=de/src.eng", "ref.sw=sw/src.eng"));
}

TEST_F(RowFilesTest, TheRowsOwnLanguageGoesFirst) {
  const std::string path = Write("x-sw.jsonl",
                                 "{\"inputs\": \"a\", \"targets\": 1.50}\n"
                                 "{\"inputs\": \"a\", \"targets\": \"b\", \"language\": \"fr\"}\n");
  const auto files =
      FindRowFiles(std::vector<std::string>{JoinPath(folder_, "x-{language}.jsonl")});
  ASSERT_TRUE(files.ok()) << files.status();
  auto reader = RowReader::Open(files->front(), {});
  ASSERT_TRUE(reader.ok());
  const auto block = (*reader)->Next(1 << 20);
  Example example;
  ASSERT_TRUE((*block)->ReadExample(0, &example).ok());
  EXPECT_EQ(example.language, "sw");
  ASSERT_TRUE((*block)->ReadExample(1, &example).ok());
  EXPECT_EQ(example.language, "fr");
  std::string storage;
  EXPECT_EQ(*(*block)->ReadLine(0, &storage), R"({"inputs":"a","targets":1.5,"language":"sw"})");
  // The source's word goes before the path's, and pruning then leaves the line as it is.
  reader = RowReader::Open(files->front(), {.default_language = "de"});
  ASSERT_TRUE(reader.ok());
  const auto again = (*reader)->Next(1 << 20);
  ASSERT_TRUE((*again)->ReadExample(0, &example).ok());
  EXPECT_EQ(example.language, "de");
  EXPECT_EQ(*(*again)->ReadLine(0, &storage), R"({"inputs": "a", "targets": 1.50})");
}

}  // namespace
}  // namespace frond
