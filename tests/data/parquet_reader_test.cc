// Parquet files written by Arrow's own writer; only in builds with Arrow.
#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/example_reader.h"
#include "data/token_cache.h"
#include "nlohmann/json.hpp"
#include "tests/data/test_files.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

class ParquetReaderTest : public DataTest {
 protected:
  struct Column {
    std::string name;
    std::shared_ptr<arrow::Array> values;
  };

  static std::shared_ptr<arrow::Array> Strings(const std::vector<std::string>& values) {
    arrow::StringBuilder builder;
    EXPECT_TRUE(builder.AppendValues(values).ok());
    return *builder.Finish();
  }

  template <class Builder, class T>
  static std::shared_ptr<arrow::Array> Numbers(const std::vector<T>& values) {
    Builder builder;
    for (const T value : values) EXPECT_TRUE(builder.Append(value).ok());
    return *builder.Finish();
  }

  std::string WriteParquet(const std::string& name, const std::vector<Column>& columns,
                           int64_t rows_per_group = 1 << 20) {
    std::vector<std::shared_ptr<arrow::Field>> fields;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (const Column& column : columns) {
      fields.push_back(arrow::field(column.name, column.values->type()));
      arrays.push_back(column.values);
    }
    const std::string path = JoinPath(folder_, name);
    const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
    auto file = *arrow::io::FileOutputStream::Open(path);
    // With Arrow's schema in the file, so that dictionaries and large strings come back as such.
    const auto kept = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file,
                                           rows_per_group, parquet::default_writer_properties(),
                                           kept)
                    .ok());
    EXPECT_TRUE(file->Close().ok());
    return path;
  }

  static std::string Error(const std::string& path, const RowLayout& layout = {}) {
    ExampleReader reader({{.path = path}}, layout);
    Example example;
    while (true) {
      const auto more = reader.Next(&example);
      if (more.ok() && *more) continue;
      EXPECT_FALSE(more.ok());
      EXPECT_EQ(more.status().message().find('\n'), absl::string_view::npos);
      return std::string(more.status().message());
    }
  }
};

TEST_F(ParquetReaderTest, GivesTheExamplesThatJsonlGives) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::vector<std::string> inputs, targets, languages;
  std::vector<int64_t> templates;
  std::string jsonl;
  for (int i = 0; i < 5000; ++i) {
    inputs.push_back(TinySentence(random() % 1000) + (random() % 3 == 0 ? "\n\"é\"" : ""));
    targets.push_back(TinySentence(random() % 1000));
    languages.push_back(random() % 3 == 0 ? "sw" : "fi");
    templates.push_back(static_cast<int64_t>(random() % 5) - 2);
    jsonl += nlohmann::json{{"inputs", inputs.back()},
                            {"targets", targets.back()},
                            {"language", languages.back()},
                            {"template_id", templates.back()}}
                 .dump() +
             "\n";
  }
  arrow::StringDictionaryBuilder dictionary;
  for (const std::string& language : languages) EXPECT_TRUE(dictionary.Append(language).ok());
  arrow::LargeStringBuilder large;
  EXPECT_TRUE(large.AppendValues(targets).ok());
  const std::string path =
      WriteParquet("a.parquet",
                   {{"targets", *large.Finish()},
                    {"language", *dictionary.Finish()},
                    {"inputs", Strings(inputs)},
                    {"template_id", Numbers<arrow::Int64Builder>(templates)}},
                   /*rows_per_group=*/1 + static_cast<int64_t>(random() % 3000));
  const auto tokenizer = TinyTokenizer();
  const auto open = [&](const std::string& file) {
    const auto cache = TokenCache::OpenOrBuild(
        {.name = "x", .paths = {file}, .cache_dir = folder_ + "/cache", .threads = 2}, *tokenizer);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *cache;
  };
  EXPECT_EQ(open(path)->content_hash(), open(Write("a.jsonl", jsonl))->content_hash());
}

TEST_F(ParquetReaderTest, ScalarsBecomeText) {
  const std::string path = WriteParquet(
      "a.parquet", {{"inputs", Numbers<arrow::FloatBuilder, float>({0.1f, 2, -1e30f})},
                    {"targets", Numbers<arrow::BooleanBuilder, bool>({true, false, true})},
                    {"language", Strings({"sw", "fi", "sw"})},
                    {"script", Numbers<arrow::UInt64Builder, uint64_t>({~uint64_t{0}, 0, 1})},
                    {"task_type", Numbers<arrow::Int8Builder, int8_t>({-128, 0, 127})}});
  ExampleReader reader({{.path = path}}, {});
  Example example;
  ASSERT_TRUE(reader.Next(&example).ok());
  EXPECT_EQ(example.inputs, "0.1");
  EXPECT_EQ(example.targets, "true");
  EXPECT_EQ(example.script, "18446744073709551615");
  EXPECT_EQ(example.task_type, "-128");
  ASSERT_TRUE(reader.Next(&example).ok());
  EXPECT_EQ(example.inputs, "2.0");
}

TEST_F(ParquetReaderTest, RawRowsKeepNestedValues) {
  // answers: struct<text: list<string>, start: list<int32>>, as in SQuAD.
  const auto text = std::make_shared<arrow::StringBuilder>();
  const auto start = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder texts(arrow::default_memory_pool(), text);
  arrow::ListBuilder starts(arrow::default_memory_pool(), start);
  for (int row = 0; row < 3; ++row) {
    EXPECT_TRUE(texts.Append().ok() && starts.Append().ok());
    for (int k = 0; k < row; ++k) {
      EXPECT_TRUE(text->Append(absl::StrCat("t", row, k)).ok() && start->Append(10 * k).ok());
    }
  }
  const auto answers = *arrow::StructArray::Make({*texts.Finish(), *starts.Finish()},
                                                 std::vector<std::string>{"text", "start"});
  arrow::StringBuilder missing;
  EXPECT_TRUE(missing.AppendNull().ok() && missing.Append("x").ok() && missing.AppendNull().ok());
  const std::string path = WriteParquet(
      "a.parquet", {{"z", Strings({"a", "b", "c"})},
                    {"answers", answers},
                    {"maybe", *missing.Finish()},
                    {"image", Numbers<arrow::BinaryBuilder, const char*>({"\xFF", "b", "c"})}});
  auto reader = RowReader::Open({.path = path, .language = "sw"}, {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<nlohmann::json> rows;
  std::string storage, line;
  while (true) {
    const auto block = (*reader)->Next(1);
    ASSERT_TRUE(block.ok()) << block.status();
    if (*block == nullptr) break;
    EXPECT_EQ((*block)->num_rows(), 1u);
    EXPECT_EQ((*block)->number(0), static_cast<int64_t>(rows.size()) + 1);
    ASSERT_TRUE((*block)->ReadRaw(0, &rows.emplace_back()).ok());
    line = std::string(*(*block)->ReadLine(0, &storage));
  }
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], nlohmann::json::parse(
                         R"({"z": "a", "answers": {"text": [], "start": []}, "maybe": null})"));
  EXPECT_EQ(rows[2], nlohmann::json::parse(
                         R"({"z": "c", "answers": {"text": ["t20", "t21"], "start": [0, 10]},
                             "maybe": null})"))
      << "bytes are no JSON";
  EXPECT_EQ(line, R"({"z":"c","answers":{"text":["t20","t21"],"start":[0,10]},"maybe":null,)"
                  R"("language":"sw"})");
}

TEST_F(ParquetReaderTest, BadFilesSayWhereAndWhat) {
  const auto texts = Strings({"a", "b"});
  const auto nested = *arrow::StructArray::Make({texts}, std::vector<std::string>{"text"});
  EXPECT_THAT(
      Error(
          WriteParquet("a.parquet", {{"inputs", nested}, {"targets", texts}, {"language", texts}})),
      EndsWith("a.parquet: column 'inputs' is struct<text: string>; expected text, a number "
               "or a boolean"));
  EXPECT_THAT(Error(WriteParquet("b.parquet", {{"in", texts}, {"targets", texts}})),
              EndsWith("b.parquet: field 'inputs' is missing (the row has in, targets); name the "
                       "right one under 'fields'"));
  EXPECT_THAT(Error(WriteParquet("c.parquet", {{"inputs", texts}, {"targets", texts}})),
              HasSubstr("c.parquet: field 'language' is missing"));
  EXPECT_THAT(
      Error(WriteParquet("d.parquet", {{"inputs", texts}, {"targets", Strings({"a", " "})}}),
            {.default_language = "sw"}),
      EndsWith("d.parquet: row 2: field 'targets' is empty; expected the text to learn"));
  EXPECT_THAT(
      Error(WriteParquet("e.parquet", {{"inputs", Strings({"a", "x\xFF"})}, {"targets", texts}}),
            {.default_language = "sw"}),
      EndsWith("e.parquet: row 2: column 'inputs': invalid UTF-8 at byte 2 (0xFF)"));
  EXPECT_THAT(Error(Write("f.parquet", "PAR1 is no Parquet")),
              AllOf(HasSubstr("cannot read '"), HasSubstr("f.parquet' as Parquet: ")));
  EXPECT_THAT(Error(JoinPath(folder_, "absent.parquet")), HasSubstr("absent.parquet"));
  // Damage anywhere is an error or has no effect; it never ends the process.
  const std::string good = WriteParquet("g.parquet", {{"inputs", texts}, {"targets", texts}});
  const std::string bytes = *ReadFile(good);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    ExampleReader reader({{.path = Write("h.parquet", damaged)}}, {.default_language = "sw"});
    Example example;
    for (auto more = reader.Next(&example); more.ok() && *more; more = reader.Next(&example)) {
    }
  }
}

}  // namespace
}  // namespace frond
