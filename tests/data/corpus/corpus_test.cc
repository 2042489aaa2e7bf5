// The built-in corpus: same bytes again, its promises about counts and splits, and facts known by
// heart.
#include "data/corpus/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "core/base/hash.h"

namespace frond {
namespace {

struct Row {
  std::string split;
  std::string inputs;
  std::string targets;
  std::string language;
  std::string script;
  std::string task;
  std::string template_id;
  int64_t id;
};

std::string TempDir(const std::string& name) {
  const std::string dir = (std::filesystem::path(testing::TempDir()) / ("corpus_" + name)).string();
  std::filesystem::remove_all(dir);
  return dir;
}

std::string ReadAll(const std::string& dir) {
  std::string text;
  for (const char* name : {"train.jsonl", "validation.jsonl", "test.jsonl", "README.md"}) {
    absl::StatusOr<std::string> file = ReadFile(JoinPath(dir, name));
    EXPECT_TRUE(file.ok()) << file.status();
    if (file.ok()) text += *file;
  }
  return text;
}

void ReadRows(const std::string& dir, const std::string& split, std::vector<Row>& rows) {
  absl::StatusOr<std::string> file = ReadFile(JoinPath(dir, split + ".jsonl"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::istringstream lines(*file);
  for (std::string line; std::getline(lines, line);) {
    // The parser also refuses invalid UTF-8.
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    ASSERT_FALSE(json.is_discarded()) << line;
    ASSERT_EQ(json.at("dataset_name"), "cldr");
    rows.push_back({split, json.at("inputs"), json.at("targets"), json.at("language"),
                    json.at("script"), json.at("task_type"), json.at("template_id"),
                    json.at("id")});
  }
}

// The whole corpus, written once for all tests.
class CorpusTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new std::string(TempDir("default"));
    auto report = WriteCorpus({.out_dir = *dir_, .seed = 7});
    ASSERT_TRUE(report.ok()) << report.status();
    report_ = new CorpusReport(*std::move(report));
    rows_ = new std::vector<Row>();
    for (const char* split : {"train", "validation", "test"}) ReadRows(*dir_, split, *rows_);
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(*dir_);
    delete dir_;
    delete report_;
    delete rows_;
  }
  static const CorpusReport& report() { return *report_; }
  static const std::vector<Row>& rows() { return *rows_; }

 private:
  static inline std::string* dir_ = nullptr;
  static inline CorpusReport* report_ = nullptr;
  static inline std::vector<Row>* rows_ = nullptr;
};

TEST_F(CorpusTest, ReportCountsTheRowsInTheFiles) {
  std::map<std::string, int64_t> languages, tasks, splits;
  for (const Row& row : rows()) {
    ++languages[row.language];
    ++tasks[row.task];
    ++splits[row.split];
  }
  EXPECT_EQ(report().rows.train, splits["train"]);
  EXPECT_EQ(report().rows.validation, splits["validation"]);
  EXPECT_EQ(report().rows.test, splits["test"]);
  ASSERT_EQ(report().rows_by_language.size(), languages.size());
  for (const auto& [code, count] : languages) {
    EXPECT_EQ(report().rows_by_language.at(code).total(), count) << code;
  }
  for (const auto& [task, count] : tasks) {
    EXPECT_EQ(report().rows_by_task.at(task).total(), count) << task;
  }
  EXPECT_THAT(FormatCorpusReport(report()), testing::HasSubstr("unit_phrase"));
}

TEST_F(CorpusTest, KeepsItsPromisesAboutBalance) {
  EXPECT_GE(report().rows_by_language.size(), 90u);
  EXPECT_GE(report().rows_by_task.size(), 15u);
  const double all = static_cast<double>(report().rows.total());
  EXPECT_GE(all, 150000);
  EXPECT_LE(all, 250000);
  EXPECT_LT(report().bytes, 60'000'000);
  const int64_t english = report().rows_by_language.at("en").total();
  EXPECT_LE(english + report().english_target_rows, 0.10 * all);
  EXPECT_NEAR(report().rows.train / all, 0.90, 0.01);
  EXPECT_NEAR(report().rows.validation / all, 0.05, 0.01);
  EXPECT_NEAR(report().rows.test / all, 0.05, 0.01);

  std::map<std::string, int64_t> territories;
  std::map<std::string, std::set<std::string>> tasks;
  for (const Row& row : rows()) {
    if (row.task == "territory_name") ++territories[row.language];
    tasks[row.language].insert(row.task);
  }
  for (const auto& [code, counts] : report().rows_by_language) {
    EXPECT_LE(territories[code] * 3, counts.total()) << code;
    EXPECT_GE(tasks[code].size(), 12u) << code;
    EXPECT_GE(counts.total(), 1000) << code;
    EXPECT_GT(counts.validation, 20) << code;
    EXPECT_GT(counts.test, 20) << code;
  }
}

TEST_F(CorpusTest, RowsAreWholeAndNoQuestionIsAskedTwice) {
  std::set<std::string> inputs;
  std::set<int64_t> ids;
  for (const Row& row : rows()) {
    EXPECT_FALSE(row.inputs.empty());
    EXPECT_FALSE(row.targets.empty()) << row.inputs;
    EXPECT_NE(row.inputs, row.targets);
    EXPECT_EQ(row.script.size(), 4u) << row.language;
    EXPECT_EQ(row.targets.find('\n'), std::string::npos) << row.inputs;
    EXPECT_EQ(row.targets.find("\u00A0"), std::string::npos) << row.inputs;
    EXPECT_TRUE(inputs.insert(row.inputs).second) << row.inputs;
    EXPECT_TRUE(ids.insert(row.id).second) << row.id;
  }
}

// Both directions of a fact: "Territory in German: FR" and "Translate German to English:
// Frankreich" meet through the name, dates through the ISO form.
TEST_F(CorpusTest, DirectionsAndTemplatesOfAFactShareASplit) {
  std::map<std::pair<std::string, std::string>, std::string> split_of;
  int64_t met = 0;
  const auto meet = [&](const Row& row, const std::string& key) {
    const auto [it, is_new] = split_of.try_emplace({row.language, key}, row.split);
    EXPECT_EQ(it->second, row.split) << row.inputs << " -> " << row.targets;
    if (!is_new) ++met;
  };
  const auto tail = [](const std::string& text) { return text.substr(text.find(": ") + 2); };
  for (const Row& row : rows()) {
    if (row.template_id == "date_to_words" || row.template_id == "native_date_to_words") {
      meet(row, tail(row.inputs));
    } else if (row.template_id == "words_to_date") {
      meet(row, row.targets);
    } else if (row.template_id == "number_to_words") {
      meet(row, "number " + tail(row.inputs));
    } else if (row.template_id == "words_to_number") {
      meet(row, "number " + row.targets);
    } else if (row.template_id == "unit" || row.template_id == "native_unit") {
      meet(row, "unit " + tail(row.inputs));
    } else if (row.template_id == "territory_from_english") {
      meet(row, "territory " + tail(row.inputs));
    } else if (row.template_id == "territory_to_english") {
      meet(row, "territory " + row.targets);
    }
  }
  EXPECT_GT(met, 1000);
}

TEST_F(CorpusTest, AnswersOfTheLanguagesAreTheirOwn) {
  std::map<std::string, std::set<std::string>> answers;
  for (const Row& row : rows()) answers[row.language + "/" + row.task].insert(row.targets);
  EXPECT_TRUE(answers["de/month_order"].contains("März"));
  EXPECT_TRUE(answers["ja/weekday_order"].contains("水曜日"));
  EXPECT_THAT(answers["ar/percent_format"], testing::Contains(testing::EndsWith("٪")));
  // No language of the corpus inherits root's placeholders.
  for (const auto& [key, texts] : answers) {
    EXPECT_FALSE(texts.contains("M01")) << key;
    EXPECT_FALSE(texts.contains("???")) << key;
  }
}

TEST(CorpusFactsTest, KnowsFactsByHeart) {
  const std::string dir = TempDir("facts");
  // So many rows that every candidate is written.
  auto report = WriteCorpus({.out_dir = dir,
                             .max_rows_per_language = 100000,
                             .languages = {"de", "fr", "tr", "ar", "ja", "en", "hi"}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->rows_by_language.size(), 7u);
  std::vector<Row> rows;
  for (const char* split : {"train", "validation", "test"}) ReadRows(dir, split, rows);
  std::map<std::string, std::string> answers;
  for (const Row& row : rows) answers[row.inputs] = row.targets;
  const std::vector<std::pair<std::string, std::string>> known = {
      {"Territory in German: FR", "Frankreich"},
      {"Deutsch, Region: FR", "Frankreich"},
      {"Translate to German: 3 kilometers", "3 Kilometer"},
      {"Spell in French: 42", "quarante-deux"},
      {"Number from French: quarante-deux", "42"},
      {"Upper case in Turkish: i", "İ"},
      {"Lower case in Turkish: I", "ı"},
      {"Percent in Arabic: 42", "٤٢٪"},
      {"Next in Japanese: 月曜日", "火曜日"},
      {"Previous in German: März", "Februar"},
      {"When in German: +3 day", "in 3 Tagen"},
      {"When in French: -1 day", "hier"},
      {"Currency in Japanese: EUR", "ユーロ"},
      {"Letter after in French: c", "ç"},
      {"Plural class in Arabic: 2", "two"},
      {"Spell in English: 99", "ninety-nine"},
  };
  for (const auto& [question, answer] : known) {
    ASSERT_TRUE(answers.contains(question)) << question;
    EXPECT_EQ(answers.at(question), answer) << question;
  }
  std::filesystem::remove_all(dir);
}

// Neither the process's locale nor its time zone nor another run may show in the bytes.
TEST(CorpusBytesTest, DependOnTheSeedAlone) {
  CorpusOptions options = {
      .seed = 3, .max_rows_per_language = 400, .languages = {"ar", "de", "fa", "ja", "haw", "zu"}};
  const auto write = [&](const std::string& name) {
    options.out_dir = TempDir(name);
    auto report = WriteCorpus(options);
    EXPECT_TRUE(report.ok()) << report.status();
    const std::string text = ReadAll(options.out_dir);
    std::filesystem::remove_all(options.out_dir);
    return text;
  };
  const std::string first = write("first");
  EXPECT_GT(first.size(), 100000u);
  setenv("TZ", "Pacific/Kiritimati", 1);
  setenv("LC_ALL", "tr_TR.UTF-8", 1);
  EXPECT_EQ(Hash64(first), Hash64(write("second")));
  options.seed = 4;
  EXPECT_NE(Hash64(first), Hash64(write("third")));
}

TEST(CorpusOptionsTest, RefusesWhatCannotBeWritten) {
  EXPECT_EQ(WriteCorpus({}).status().code(), absl::StatusCode::kInvalidArgument);
  const auto few = WriteCorpus({.out_dir = TempDir("few"), .max_rows_per_language = -1});
  EXPECT_THAT(few.status().message(), testing::HasSubstr("max_rows_per_language is -1"));
  const auto unknown = WriteCorpus({.out_dir = TempDir("unknown"), .languages = {"dee"}});
  EXPECT_THAT(unknown.status().message(), testing::HasSubstr("did you mean \"de"));
  EXPECT_FALSE(WriteCorpus({.out_dir = "/proc/no/such/folder", .languages = {"de"}}).ok());
}

}  // namespace
}  // namespace frond
