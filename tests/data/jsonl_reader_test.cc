#include "data/jsonl_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/example_reader.h"
#include "data/row_files.h"
#include "nlohmann/json.hpp"
#include "tests/data/test_files.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

class JsonlReaderTest : public DataTest {
 protected:
  static std::string Error(absl::string_view line, const RowLayout& layout = {}) {
    Example example;
    const absl::Status status = ParseExample(line, layout, &example);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
    return std::string(status.message());
  }
};

std::string Rows(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, R"({"inputs": "question )", i, R"(", "targets": "answer )", i,
                    R"(", "language": "en"})", "\n");
  }
  return text;
}

TEST_F(JsonlReaderTest, ReadsTheAyaFields) {
  Example e;
  ASSERT_TRUE(ParseExample(R"({"id": 7, "inputs": "a \"b\" \u00e9\ud83c\udf3f", "targets": "t",
      "language": "sw", "script": "Latn", "dataset_name": "d", "template_id": 3, "task_type": "q",
      "nested": {"inputs": ["x", {"targets": null}]}, "ratio": 0.5})",
                           {}, &e)
                  .ok());
  EXPECT_EQ(e.inputs, "a \"b\" \u00e9\U0001F33F");
  EXPECT_EQ(e.targets, "t");
  EXPECT_EQ(e.language, "sw");
  EXPECT_EQ(e.script, "Latn");
  EXPECT_EQ(e.dataset_name, "d");
  EXPECT_EQ(e.template_id, "3");
  EXPECT_EQ(e.task_type, "q");
}

TEST_F(JsonlReaderTest, OtherNamesScalarsAndDefaultLanguage) {
  RowLayout layout;
  layout.fields.inputs = "prompt";
  layout.fields.targets = "response";
  layout.default_language = "en";
  Example e;
  ASSERT_TRUE(
      ParseExample(R"({"prompt": -5, "response": 1.50, "script": true, "template_id": null})",
                   layout, &e)
          .ok());
  EXPECT_EQ(e.inputs, "-5");
  EXPECT_EQ(e.targets, "1.50");
  EXPECT_EQ(e.script, "true");
  EXPECT_EQ(e.template_id, "");
  EXPECT_EQ(e.language, "en");
  ASSERT_TRUE(
      ParseExample(R"({"prompt": "", "response": "r", "language": "fr"})", layout, &e).ok());
  EXPECT_EQ(e.language, "fr");
}

TEST_F(JsonlReaderTest, BadLinesSayWhatIsWrong) {
  EXPECT_THAT(Error(R"({"inputs": "a", "targets": )"), HasSubstr("malformed JSON at byte"));
  EXPECT_THAT(Error(R"({"inputs": "a"} trailing)"), HasSubstr("malformed JSON"));
  EXPECT_THAT(Error(R"({"inputs": "\ud800", "targets": "b"})"), HasSubstr("malformed JSON"));
  EXPECT_THAT(Error("[1, 2]"), HasSubstr("the line is an array"));
  EXPECT_THAT(Error("\"text\""), HasSubstr("no JSON object"));
  EXPECT_THAT(Error("{}"), HasSubstr("field 'inputs' is missing (the row has no fields)"));
  EXPECT_THAT(Error(R"({"prompt": "a", "response": "b"})"),
              HasSubstr("field 'inputs' is missing (the row has prompt, response)"));
  EXPECT_THAT(Error(R"({"inputs": "a", "language": "en"})"), HasSubstr("'targets' is missing"));
  EXPECT_THAT(Error(R"({"inputs": "a", "targets": null})"), HasSubstr("'targets' is missing"));
  EXPECT_THAT(Error(R"({"inputs": "a", "targets": "b"})"), HasSubstr("'language' is missing"));
  EXPECT_THAT(Error(R"({"inputs": ["a"], "targets": "b"})"), HasSubstr("'inputs' is an array"));
  EXPECT_THAT(Error(R"({"inputs": {"a": 1}})"), HasSubstr("'inputs' is an object; expected text"));
  EXPECT_THAT(Error("{\"inputs\": \"a\", \"targets\": \" \\n\", \"language\": \"en\"}"),
              HasSubstr("field 'targets' is empty"));
  EXPECT_THAT(Error(absl::StrCat(R"({"a\nb": 1, ")", std::string(5000, 'n'), R"(": 2})")),
              HasSubstr("(the row has a b, nnnn"));
  EXPECT_LT(Error(absl::StrCat("{\"", std::string(5000, 'n'))).size(), 300u);
  EXPECT_EQ(Error("{\"inputs\": \"\xC3(\"}"), "invalid UTF-8 at byte 13 (0xC3)");
}

TEST_F(JsonlReaderTest, DeepNestingIsNoDanger) {
  const std::string deep = absl::StrCat(R"({"inputs": "a", "targets": "b", "language": "c", "x": )",
                                        std::string(200000, '['), std::string(200000, ']'), "}");
  Example e;
  EXPECT_TRUE(ParseExample(deep, {}, &e).ok());
  EXPECT_THAT(Error(std::string(200000, '[')), HasSubstr("the line is an array"));
}

TEST_F(JsonlReaderTest, RawRowsKeepNestedValues) {
  const std::string path =
      Write("squad.jsonl", R"({"question": "q", "answers": {"text": ["a", "b"]},)"
                           R"( "id": 7, "ok": true, "ratio": 0.5, "none": null})"
                           "\n\n{\"lang\": 3}\n[]\n");
  RowLayout layout;
  layout.fields.language = "id";
  auto reader = RowReader::Open({.path = path}, layout);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto block = (*reader)->Next(1 << 20);
  ASSERT_TRUE(block.ok()) << block.status();
  ASSERT_EQ((*block)->num_rows(), 3u);
  nlohmann::json raw;
  ASSERT_TRUE((*block)->ReadRaw(0, &raw).ok());
  EXPECT_EQ(raw, nlohmann::json::parse(R"({"question": "q", "answers": {"text": ["a", "b"]},
      "id": 7, "ok": true, "ratio": 0.5, "none": null})"));
  Example e;
  ASSERT_TRUE((*block)->ReadNames(0, raw, &e).ok());
  EXPECT_EQ(e.language, "7");
  ASSERT_TRUE((*block)->ReadRaw(1, &raw).ok());
  EXPECT_THAT(std::string((*block)->ReadNames(1, raw, &e).message()),
              EndsWith("squad.jsonl:3: field 'id' is missing; name it under 'fields' or set the "
                       "source's 'language'"));
  EXPECT_THAT(std::string((*block)->ReadRaw(2, &raw).message()),
              HasSubstr("squad.jsonl:4: the line is an array"));
  std::string storage;
  EXPECT_EQ(*(*block)->ReadLine(1, &storage), "{\"lang\": 3}");
  EXPECT_EQ(*(*reader)->Next(1 << 20), nullptr);
}

TEST_F(JsonlReaderTest, RawRowsThatNestTooDeepAreRefused) {
  nlohmann::json raw;
  const auto nested = [](size_t depth) {
    return "{\"a\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(ParseRaw(nested(400), &raw).ok());
  EXPECT_THAT(std::string(ParseRaw(nested(1000000), &raw).message()), HasSubstr("nests deeper"));
  EXPECT_TRUE(ParseRaw("{\"a\": \"" + std::string(1000, '[') + "\"}", &raw).ok());
}

TEST_F(JsonlReaderTest, PlainAndPackedGiveTheSame) {
  const int count = 20000;  // more than one read of the file
  const std::string text = Rows(count);
  const std::string half = text.substr(0, text.size() / 2);
  const std::string rest = text.substr(text.size() / 2);
  for (const std::string& path :
       {Write("a.jsonl", text), Write("a.jsonl.gz", Gzip(text)), Write("a.jsonl.zst", Zstd(text)),
        Write("members.gz", Gzip(half) + Gzip(rest)), Write("frames.zst", Zstd(half) + Zstd(rest)),
        Write("gzip without its ending", Gzip(text))}) {
    const auto examples = ReadAll({{.path = path}});
    ASSERT_TRUE(examples.ok()) << examples.status();
    ASSERT_EQ(examples->size(), static_cast<size_t>(count)) << path;
    for (int i = 0; i < count; i += 77) {
      EXPECT_EQ((*examples)[i].inputs, absl::StrCat("question ", i));
    }
    EXPECT_EQ(examples->back().targets, absl::StrCat("answer ", count - 1));
  }
}

TEST_F(JsonlReaderTest, DamagedPackedFiles) {
  const std::string text = Rows(5000);
  const std::string gz = Gzip(text), zst = Zstd(text);
  EXPECT_THAT(
      std::string(
          ReadAll({{.path = Write("cut.gz", gz.substr(0, gz.size() - 9))}}).status().message()),
      HasSubstr("cut.gz' ends in the middle of its gzip stream"));
  EXPECT_THAT(
      std::string(
          ReadAll({{.path = Write("cut.zst", zst.substr(0, zst.size() / 2))}}).status().message()),
      HasSubstr("cut.zst' ends in the middle of its Zstandard stream"));
  std::string flipped = gz;
  flipped[flipped.size() / 2] ^= 1;
  EXPECT_FALSE(ReadAll({{.path = Write("flipped.gz", flipped)}}).ok());
  EXPECT_THAT(std::string(ReadAll({{.path = Write("text.gz", text)}}).status().message()),
              HasSubstr("text.gz' ends in .gz but is neither"));
  EXPECT_FALSE(ReadAll({{.path = Write("empty.zst", "")}}).ok());
}

TEST_F(JsonlReaderTest, LinesAreCountedAndBlankOnesSkipped) {
  const std::string path = Write(
      "a.jsonl", absl::StrCat("\xEF\xBB\xBF", R"({"inputs":"1","targets":"x","language":"a"})",
                              "\r\n\n  \n", R"({"inputs":"2","targets":"","language":"a"})"));
  EXPECT_THAT(std::string(ReadAll({{.path = path}}).status().message()),
              EndsWith("a.jsonl:4: field 'targets' is empty; expected the text to learn"));
}

TEST_F(JsonlReaderTest, ExpandsGlobs) {
  const std::string b = Write("b.jsonl", ""), a = Write("a.jsonl", ""), c = Write("[c].txt", "");
  const std::string glob = JoinPath(folder_, "*.jsonl");
  EXPECT_THAT(*ExpandPaths(std::vector<std::string>{c, glob}), ElementsAre(c, a, b));
  const auto error = [](const std::vector<std::string>& patterns) {
    return std::string(ExpandPaths(patterns).status().message());
  };
  EXPECT_THAT(error({JoinPath(folder_, "*.gz")}), HasSubstr("no file matches '"));
  EXPECT_THAT(error({JoinPath(folder_, "missing.jsonl")}), HasSubstr("no file matches '"));
  EXPECT_THAT(error({folder_}), HasSubstr("is a folder"));
  EXPECT_THAT(error({a, glob}), HasSubstr("a.jsonl' is named twice"));
}

}  // namespace
}  // namespace frond
