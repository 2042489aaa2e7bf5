#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "data/csv_records.h"
#include "data/example_reader.h"
#include "nlohmann/json.hpp"
#include "tests/data/test_files.h"

namespace frond {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using Rows = std::vector<std::vector<std::string>>;

class CsvReaderTest : public DataTest {
 protected:
  std::string Error(const std::string& name, absl::string_view text, const RowLayout& layout = {}) {
    const auto examples = ReadAll({{.path = Write(name, text)}}, layout);
    EXPECT_FALSE(examples.ok()) << text;
    EXPECT_EQ(examples.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(examples.status().message().find('\n'), absl::string_view::npos);
    return std::string(examples.status().message());
  }

  // All rows of a file as JSON, read in blocks of about `bytes`.
  static std::vector<nlohmann::json> ReadRaw(const std::string& path, size_t bytes,
                                             const RowLayout& layout = {}) {
    std::vector<nlohmann::json> rows;
    auto reader = RowReader::Open({.path = path}, layout);
    EXPECT_TRUE(reader.ok()) << reader.status();
    while (reader.ok()) {
      auto block = (*reader)->Next(bytes);
      EXPECT_TRUE(block.ok()) << block.status();
      if (!block.ok() || *block == nullptr) break;
      for (size_t i = 0; i < (*block)->num_rows(); ++i) {
        EXPECT_TRUE((*block)->ReadRaw(i, &rows.emplace_back()).ok());
      }
    }
    return rows;
  }
};

TEST_F(CsvReaderTest, QuotesSeparatorsAndLineEnds) {
  const std::string path = Write("a.csv",
                                 "\xEF\xBB\xBFinputs,id,targets,language,script\r\n"
                                 "\"a, \"\"b\"\"\",1,\"two\r\nlines\n\",sw,Latn\r\n"
                                 "\n  \r\n"
                                 "5\" wide,2, spaced ,fr,\"\"\n"
                                 "\"\",3,\"\"\"\",de,");
  const auto examples = ReadAll({{.path = path}});
  ASSERT_TRUE(examples.ok()) << examples.status();
  ASSERT_EQ(examples->size(), 3u);
  EXPECT_EQ((*examples)[0].inputs, "a, \"b\"");
  EXPECT_EQ((*examples)[0].targets, "two\r\nlines\n");
  EXPECT_EQ((*examples)[0].language, "sw");
  EXPECT_EQ((*examples)[0].script, "Latn");
  EXPECT_EQ((*examples)[1].inputs, "5\" wide");
  EXPECT_EQ((*examples)[1].targets, " spaced ");
  EXPECT_EQ((*examples)[1].script, "");
  EXPECT_EQ((*examples)[2].inputs, "");
  EXPECT_EQ((*examples)[2].targets, "\"");
  EXPECT_EQ((*examples)[2].script, "");
}

TEST_F(CsvReaderTest, ColumnsOfFilesWithoutNames) {
  RowLayout layout{.fields = {.inputs = "en", .targets = "sw"},
                   .default_language = "sw",
                   .columns = {"en", "sw"}};
  const auto examples =
      ReadAll({{.path = Write("a.tsv", "a, \"b\"\tc\n\"quoted\ttab\"\td\n")}}, layout);
  ASSERT_TRUE(examples.ok()) << examples.status();
  ASSERT_EQ(examples->size(), 2u);
  EXPECT_EQ((*examples)[0].inputs, "a, \"b\"");
  EXPECT_EQ((*examples)[1].inputs, "quoted\ttab");

  layout.quoting = false;
  const auto plain =
      ReadAll({{.path = Write("b.tsv.gz", Gzip("\"Hello,\" he said\t\"x\"\n"))}}, layout);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ((*plain)[0].inputs, "\"Hello,\" he said");
  EXPECT_EQ((*plain)[0].targets, "\"x\"");

  EXPECT_THAT(Error("c.tsv", "en\tsw\na\tb\n", layout),
              EndsWith("c.tsv:1: the first row holds the names that 'column' gives; take 'column' "
                       "away"));
}

TEST_F(CsvReaderTest, BadFilesSayWhereAndWhat) {
  const std::string head = "inputs,targets,language\n";
  EXPECT_THAT(Error("a.csv", head + "a,b,c\n\n\"x\ny\",b\n"),
              EndsWith("a.csv:4: the row has 2 columns; the first row names 3 (inputs, targets, "
                       "language)"));
  EXPECT_THAT(Error("b.csv", head + "a,b,c\na,\"b\nc,d\ne"),
              EndsWith("b.csv:3: the quote that opens column 2 is never closed"));
  EXPECT_THAT(Error("c.csv", head + "a,\"b\"c,d\n"),
              HasSubstr("c.csv:2: text follows the closing quote of column 2; write"));
  EXPECT_THAT(Error("d.csv", head + "a,b,c\nx,\xFFy,c\n"),
              EndsWith("d.csv:3: invalid UTF-8 at byte 3 (0xFF)"));
  EXPECT_THAT(
      Error("e.csv", "in,targets\na,b\n"),
      EndsWith("e.csv:2: field 'inputs' is missing (the row has in, targets); name the right "
               "one under 'fields'"));
  EXPECT_THAT(
      Error("f.csv", "inputs,targets\na,b\n"),
      EndsWith("f.csv:2: field 'language' is missing (the row has inputs, targets); name it "
               "under 'fields' or set the source's 'language'"));
  EXPECT_THAT(Error("g.csv", head + "a,b,\n"), HasSubstr("g.csv:2: field 'language' is missing"));
  EXPECT_THAT(Error("h.csv", head + "a, ,sw\n"),
              EndsWith("h.csv:2: field 'targets' is empty; expected the text to learn"));
  EXPECT_THAT(Error("i.csv", "inputs,targets,inputs\n"),
              EndsWith("i.csv:1: two columns are called 'inputs'"));
  EXPECT_THAT(Error("j.csv", "\xFE,targets\n"), HasSubstr("j.csv:1: invalid UTF-8 at byte 1"));
  EXPECT_THAT(Error("k.csv", head + "a,\"" + std::string(70 << 20, 'x')),
              HasSubstr("k.csv:2: the row is longer than 67108864 bytes; a quote"));
}

TEST_F(CsvReaderTest, RowsBeforeABadOneComeFirst) {
  const std::string path = Write("a.csv", "inputs,targets,language\na,b,sw\nc,d,sw\nx\n");
  auto reader = RowReader::Open({.path = path}, {});
  ASSERT_TRUE(reader.ok());
  const auto block = (*reader)->Next(1 << 20);
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_EQ((*block)->num_rows(), 2u);
  EXPECT_EQ((*block)->number(1), 3);
  EXPECT_FALSE((*reader)->Next(1 << 20).ok());
  EXPECT_FALSE((*reader)->Next(1 << 20).ok());
}

TEST_F(CsvReaderTest, LinesOfJsonKeepColumnsAndGainTheLanguage) {
  const std::string path = Write("a.csv", "z,targets,a\n1,\"\"\"é\"\"\n\",x\n");
  auto reader = RowReader::Open({.path = path, .language = "sw"}, {});
  ASSERT_TRUE(reader.ok());
  const auto block = (*reader)->Next(1);
  ASSERT_TRUE(block.ok());
  std::string storage;
  EXPECT_EQ(*(*block)->ReadLine(0, &storage),
            "{\"z\":\"1\",\"targets\":\"\\\"é\\\"\\n\",\"a\":\"x\",\"language\":\"sw\"}");
}

TEST_F(CsvReaderTest, EmptyFilesHoldNoRows) {
  for (const absl::string_view text : {"", "\n\n", "\xEF\xBB\xBF", "inputs,targets\n"}) {
    const auto examples = ReadAll({{.path = Write("a.csv", text)}});
    ASSERT_TRUE(examples.ok()) << examples.status();
    EXPECT_TRUE(examples->empty());
  }
}

// Writes random tables by the RFC's rules, with quotes where needed and where not, and reads them
// back in blocks of all sizes.
TEST_F(CsvReaderTest, ReadsBackWhatIsWritten) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const auto draw = [&](size_t below) { return random() % below; };
  const std::vector<std::string> pieces = {"a",  "bc", "é",    "日本", "\"", "\"\"", ",",
                                           "\t", "\n", "\r\n", "\r",   " ",  "x\"y", ""};
  for (int round = 0; round < 300; ++round) {
    const bool tsv = draw(2) == 0;
    const std::string separator = tsv ? "\t" : ",";
    const std::string line_end = draw(2) == 0 ? "\n" : "\r\n";
    const size_t columns = 1 + draw(5);
    std::vector<std::string> names;
    for (size_t c = 0; c < columns; ++c) names.push_back(absl::StrCat("c", c));
    std::string text = absl::StrJoin(names, separator) + line_end;
    Rows rows(draw(40));
    for (std::vector<std::string>& row : rows) {
      std::vector<std::string> written;
      for (size_t c = 0; c < columns; ++c) {
        std::string value;
        for (size_t k = draw(6); k > 0; --k) value += pieces[draw(pieces.size())];
        row.push_back(value);
        const bool must = value.find_first_of(separator + "\r\n") != value.npos ||
                          (!value.empty() && value[0] == '"') ||
                          (columns == 1 && value.find_first_not_of(" \t") == value.npos);
        written.push_back(
            must || draw(3) == 0
                ? absl::StrCat("\"", absl::StrReplaceAll(value, {{"\"", "\"\""}}), "\"")
                : value);
      }
      absl::StrAppend(&text, absl::StrJoin(written, separator), line_end);
    }
    if (draw(3) == 0) text.resize(text.size() - line_end.size());  // a file may end without
    const std::string name = absl::StrCat("t", round, tsv ? ".tsv" : ".csv");
    const std::string path = draw(2) == 0 ? Write(name, text) : Write(name + ".zst", Zstd(text));
    const std::vector<nlohmann::json> read = ReadRaw(path, 1 + draw(200));
    ASSERT_EQ(read.size(), rows.size()) << text;
    for (size_t r = 0; r < rows.size(); ++r) {
      for (size_t c = 0; c < columns; ++c) ASSERT_EQ(read[r][names[c]], rows[r][c]) << text;
    }
  }
}

// A record is cut the same wherever the bytes that are at hand end.
TEST_F(CsvReaderTest, CutsTheSameFromEveryPrefix) {
  const std::string record = "a\"b,\"c\"\"d\r\n,\",\"\",e\r\n";
  const std::string text = record + "\"next";
  std::vector<CsvField> fields;
  for (size_t size = 1; size < text.size(); ++size) {
    const auto cut =
        CutCsvRecord(absl::string_view(text).substr(0, size), false, ',', true, &fields);
    ASSERT_TRUE(cut.ok()) << cut.status();
    ASSERT_EQ(*cut, size < record.size() ? 0 : record.size()) << size;
    if (size < record.size()) continue;
    ASSERT_EQ(fields.size(), 4u);
    EXPECT_EQ(CsvText(text, fields[1]), "c\"d\r\n,");
    EXPECT_EQ(CsvText(text, fields[3]), "e");
  }
}

}  // namespace
}  // namespace frond
