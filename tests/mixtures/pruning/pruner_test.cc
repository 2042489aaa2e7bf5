#include "mixtures/pruning/pruner.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "core/base/hash.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PrunerTest : public PruneTest {
 protected:
  static nlohmann::json ReadLedger(const PruneOptions& options) {
    return nlohmann::json::parse(*ReadFile(JoinPath(options.out_dir, "ledger.json")));
  }

  // Two sources of many languages, with some of everything that the rules drop.
  PruneOptions ManyRules(size_t rows) {
    Babbler babbler(7);
    std::vector<TestRow> first, second;
    for (size_t i = 0; i < rows; ++i) {
      TestRow row = babbler.Row();
      row.language = absl::StrCat("l", babbler.Draw(5));
      row.template_id = absl::StrCat("t", babbler.Draw(3));
      if (babbler.Draw(4) == 0 && !first.empty()) row = first[babbler.Draw(first.size())];
      if (babbler.Draw(9) == 0) row.targets = "";
      (babbler.Draw(3) == 0 ? second : first).push_back(row);
    }
    const LengthOptions short_inputs = {.input_words = {.high = 13}};
    return {.sources = {Source("first", first), Source("second", second)},
            .rules = {Rule("target", TargetOptions{}),
                      Rule("long", CapOptions{.rows = static_cast<int64_t>(rows / 8),
                                              .choice = CapOptions::Choice::kLongest}),
                      Rule("exact", ExactDuplicateOptions{}), Rule("length", short_inputs),
                      Rule("random", CapOptions{.rows = static_cast<int64_t>(rows / 20)})},
            .seed = 3};
  }

  // Prunes rows that come through a pipe; `meanwhile` happens when all outputs are open.
  absl::Status RunMeanwhile(PruneOptions& options, const std::function<void()>& meanwhile) {
    const std::string pipe = JoinPath(folder_, "pipe.jsonl");
    EXPECT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    std::thread writer([&] {
      std::ofstream stream(pipe);  // waits for the reader
      meanwhile();
      stream << ToLine({"x", "y"}, 0) << ToLine({"z", ""}, 1);
    });
    options.sources = {{.name = "pipe", .files = {{.path = pipe}}}};
    options.sources[0].layout.allow_empty_targets = true;
    options.rules = {Rule("target", TargetOptions{})};
    const absl::Status status = Prune(options).status();
    // Where nobody read, the writer still waits.
    const int release = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    writer.join();
    ::close(release);
    EXPECT_TRUE(RemoveRecursively(pipe).ok());
    return status;
  }

  absl::Status Fail(PruneOptions options) {
    const absl::Status status = Run(options).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
    EXPECT_FALSE(PathExists(options.out_dir + ".partial"));
    EXPECT_FALSE(PathExists(options.dropped_path));
    EXPECT_FALSE(PathExists(options.dropped_path + ".partial"));
    return status;
  }
};

TEST_F(PrunerTest, SameBytesForAnyNumberOfThreads) {
  PruneOptions options = ManyRules(20'000);  // several rounds
  std::set<std::string> results;
  for (const int threads : {1, 2, 4}) {
    options.threads = threads;
    const auto report = Run(options);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_GT(report->kept, 0);
    results.insert(AllBytes(options) + report->table);
  }
  EXPECT_EQ(results.size(), 1u);
}

TEST_F(PrunerTest, LedgerAddsUp) {
  PruneOptions options = ManyRules(2000);
  options.list_hashes = true;
  const auto report = Run(options);
  ASSERT_TRUE(report.ok()) << report.status();
  const nlohmann::json ledger = ReadLedger(options);
  EXPECT_EQ(ledger["hash"], report->ledger_hash);
  std::map<std::string, int64_t> reaching;  // leaf -> rows that reach the next rule
  const auto leaf_of = [](const nlohmann::json& entry) {
    return absl::StrCat(entry["source"].get<std::string>(), " ",
                        entry["language"].get<std::string>(), " ",
                        entry["template"].get<std::string>());
  };
  for (const nlohmann::json& leaf : ledger["leaves"]) reaching[leaf_of(leaf)] = leaf["rows"];
  std::map<std::string, int64_t> dropped_by;
  for (const nlohmann::json& entry : ledger["entries"]) {
    int64_t& rows = reaching[leaf_of(entry)];
    EXPECT_EQ(entry["seen"], rows) << entry;
    EXPECT_EQ(entry["kept"].get<int64_t>() + entry["dropped"].get<int64_t>(), rows);
    EXPECT_EQ(entry.contains("rows") ? entry["rows"].size() : 0u, entry["dropped"]);
    rows = entry["kept"];
    dropped_by[entry["rule"]] += entry["dropped"].get<int64_t>();
  }
  int64_t kept = 0;
  for (const nlohmann::json& leaf : ledger["leaves"]) {
    EXPECT_EQ(leaf["kept"], reaching[leaf_of(leaf)]);
    kept += leaf["kept"].get<int64_t>();
  }
  EXPECT_EQ(kept, report->kept);
  EXPECT_EQ(kept, Kept(options, "first").size() + Kept(options, "second").size());
  for (const auto& [row, rule] : Dropped(options)) --dropped_by[rule];
  for (const auto& [rule, left] : dropped_by) EXPECT_EQ(left, 0) << rule;
}

TEST_F(PrunerTest, LedgerHashKnowsContentAndNotPlaces) {
  PruneOptions options = ManyRules(500);
  const std::string hash = Run(options)->ledger_hash;
  options.list_hashes = true;
  EXPECT_EQ(Run(options)->ledger_hash, hash);
  options.seed = 4;
  EXPECT_NE(Run(options)->ledger_hash, hash);
  options.seed = 3;
  const std::string moved = JoinPath(folder_, "elsewhere");
  ASSERT_TRUE(CreateDirectories(moved).ok());
  for (PruneSource& source : options.sources) {
    const std::string to = JoinPath(moved, source.name + ".jsonl");
    ASSERT_TRUE(RenamePath(source.files[0].path, to).ok());
    source.files[0].path = to;
  }
  EXPECT_EQ(Run(options)->ledger_hash, hash);
}

TEST_F(PrunerTest, RowsAreWrittenAsTheyStood) {
  const std::string line = "{\"targets\": \"\\u00e9\", \"extra\": [1, {}],  \"inputs\":\"b\"}";
  PruneOptions options = {
      .sources = {{.name = "a",
                   .files = {{.path = Write("a.jsonl.gz", Gzip(line + "\r\n\n" + line))}},
                   .layout = {.default_language = "fr"}}},
      .rules = {Rule("cap", CapOptions{.rows = 1, .choice = CapOptions::Choice::kFirst})},
      .zstd = false};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(*ReadFile(JoinPath(options.out_dir, "a.jsonl")), line + "\n");
  EXPECT_THAT(*ReadFile(options.dropped_path),
              testing::StartsWith("{\"rule\":\"cap\",\"reason\":\"above the cap of 1 rows\","
                                  "\"source\":\"a\",\"file\":\"a.jsonl.gz\",\"line\":3,\"row\":" +
                                  line));
}

TEST_F(PrunerTest, FirstRuleThatMatchesDrops) {
  PruneOptions options = {
      .sources = {Source("a", {{"x y", ""}, {"x", "long enough"}, {"q", "no"}})},
      .rules = {Rule("short", LengthOptions{.target_characters = {.low = 3}}),
                Rule("target", TargetOptions{})}};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(Dropped(options)[std::make_pair("a", 0)], "short");
  EXPECT_THAT(Kept(options, "a"), ElementsAre(1));
}

TEST_F(PrunerTest, LimitsLetOtherRowsPass) {
  const std::vector<TestRow> rows = {
      {"x", "", "sw"}, {"x", "", "en"}, {"x", "", "en", "", "wiki"}, {"y", "z", "fr"}};
  PruneOptions options = {.sources = {Source("a", rows), Source("b", rows)},
                          .rules = {Rule("en", TargetOptions{}), Rule("b", TargetOptions{})}};
  options.rules[0].languages = {"en"};
  options.rules[0].datasets = {"wiki"};
  options.rules[1].datasets = {"b"};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "a"), ElementsAre(0, 1, 3));
  EXPECT_THAT(Kept(options, "b"), ElementsAre(3));
  EXPECT_EQ(Dropped(options)[std::make_pair("b", 2)], "en");
}

TEST_F(PrunerTest, CapsChooseByTheirRule) {
  std::vector<TestRow> rows;
  for (int i = 0; i < 40; ++i) {
    rows.push_back({absl::StrCat("question ", i), std::string(1 + (i * 7) % 40, 'a'),
                    i % 2 == 0 ? "en" : "sw"});
  }
  PruneOptions options = {.sources = {Source("a", rows)}};
  options.rules = {Rule("cap", CapOptions{.rows = 3, .choice = CapOptions::Choice::kFirst})};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "a"), ElementsAre(0, 1, 2, 3, 4, 5));

  options.rules = {Rule("cap", CapOptions{.rows = 2,
                                          .choice = CapOptions::Choice::kLongest,
                                          .per = CapOptions::Per::kSource})};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "a"), ElementsAre(17, 34));  // 40 and 39 characters

  for (size_t i = 0; i < rows.size(); ++i) rows[i].dataset_name = i < 30 ? "d" : "e";
  PruneOptions sets = {.sources = {Source("a", rows), Source("b", rows)}};
  sets.rules = {Rule("cap", CapOptions{.rows = 3,
                                       .choice = CapOptions::Choice::kFirst,
                                       .per = CapOptions::Per::kDataset})};
  ASSERT_TRUE(Run(sets).ok());
  EXPECT_THAT(Kept(sets, "a"), ElementsAre(0, 1, 2, 30, 31, 32));
  EXPECT_THAT(Kept(sets, "b"), IsEmpty());
  std::get<CapOptions>(sets.rules[0].how).per = CapOptions::Per::kDatasetAndLanguage;
  ASSERT_TRUE(Run(sets).ok());
  EXPECT_THAT(Kept(sets, "a"), ElementsAre(0, 1, 2, 3, 4, 5, 30, 31, 32, 33, 34, 35));

  options.rules = {Rule("cap", CapOptions{.rows = 10})};
  ASSERT_TRUE(Run(options).ok());
  const std::vector<int64_t> chosen = Kept(options, "a");
  EXPECT_EQ(chosen.size(), 20u);
  options.seed = 99;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_NE(Kept(options, "a"), chosen);
}

TEST_F(PrunerTest, RandomChoiceIsFairAndDoesNotDependOnTheOrder) {
  Babbler babbler(11);
  std::vector<TestRow> rows;
  for (int i = 0; i < 4000; ++i) rows.push_back(babbler.Row());
  PruneOptions options = {.sources = {Source("a", rows)},
                          .rules = {Rule("cap", CapOptions{.rows = 1000})}};
  ASSERT_TRUE(Run(options).ok());
  const std::vector<int64_t> chosen = Kept(options, "a");
  const auto early = std::count_if(chosen.begin(), chosen.end(), [](auto id) { return id < 2000; });
  EXPECT_NEAR(static_cast<double>(early), 500, 70);  // 5 standard deviations

  std::string reversed;
  for (int64_t i = 3999; i >= 0; --i) reversed += ToLine(rows[static_cast<size_t>(i)], i);
  options.sources[0].files = {{.path = Write("reversed.jsonl", reversed)}};
  ASSERT_TRUE(Run(options).ok());
  std::vector<int64_t> again = Kept(options, "a");
  std::reverse(again.begin(), again.end());
  EXPECT_EQ(again, chosen);
}

TEST_F(PrunerTest, DuplicatesNameTheFirstAndCanStayWithinASource) {
  const std::vector<TestRow> rows = {{"A b", "c"}, {"a  B", "C"}, {"other", "c"}};
  PruneOptions options = {.sources = {Source("one", rows), Source("two", rows)},
                          .rules = {Rule("exact", ExactDuplicateOptions{})}};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "one"), ElementsAre(0, 2));
  EXPECT_THAT(Kept(options, "two"), IsEmpty());
  EXPECT_EQ(Lines(options.dropped_path)[1]["reason"], "repeats row 1 of one");
  options.rules = {Rule("exact", ExactDuplicateOptions{.within_source = true})};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "two"), ElementsAre(0, 2));
}

TEST_F(PrunerTest, ScriptsComeFromTheRowOrItsLanguage) {
  const std::string russian = "Это длинное предложение";
  const std::vector<TestRow> rows = {{"x", russian, "ru"},           {"x", russian, "sr"},
                                     {"x", "Ovo je rečenica", "sr"}, {"x", "漢字かなカナ", "ja"},
                                     {"x", "한국어 문장", "ko"},     {"x", russian, "qqq"},
                                     {"x", "中文的句子很长", "zh"},  {"x", "12345 -- 67", "ru"}};
  PruneOptions options = {.sources = {Source("a", rows)},
                          .rules = {Rule("script", ScriptOptions{})}};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "a"), ElementsAre(0, 1, 3, 4, 5, 6, 7));
  options.rules = {Rule("script", ScriptOptions{.accept = {{"sr", "Latn"}}})};
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Kept(options, "a"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(PrunerTest, BadInputIsOneLineAndLeavesNothing) {
  const std::vector<TestRow> rows = {{"x", "y", "sw"}, {"z", "w", "en"}};
  const PruneOptions good = {.sources = {Source("a", rows)},
                             .rules = {Rule("target", TargetOptions{})}};
  PruneOptions bad = good;
  bad.sources[0].files = {
      {.path = Write("bad.jsonl",
                     ToLine(rows[0], 0) + "\n" + ToLine(rows[1], 1) + "{\"inputs\": 3}\n")}};
  EXPECT_THAT(std::string(Fail(bad).message()),
              AllOf(HasSubstr("bad.jsonl:4: "), HasSubstr("targets")));

  bad = good;
  bad.rules[0].languages = {"swa"};
  EXPECT_THAT(std::string(Fail(bad).message()),
              AllOf(HasSubstr("rule 'target' is limited to language 'swa'"), HasSubstr("'sw'")));
  bad = good;
  bad.rules[0].datasets = {"b"};
  EXPECT_THAT(std::string(Fail(bad).message()), HasSubstr("did you mean 'a'?"));
  bad.rules = {Rule("odd", PatternOptions{.pattern = "a(b"})};
  EXPECT_THAT(std::string(Fail(bad).message()), HasSubstr("rule 'odd': 'a(b' is no regular"));
  bad.rules = {Rule("odd", PatternOptions{.pattern = "(a+)+$"})};
  bad.sources = {Source("slow", {{std::string(60, 'a') + "b", "y"}})};
  EXPECT_THAT(std::string(Fail(bad).message()), HasSubstr("slow.jsonl:1: the pattern"));
  bad = good;
  bad.sources[0].files = {{.path = Write("empty.jsonl", "\n\n")}};
  EXPECT_THAT(std::string(Fail(bad).message()), HasSubstr("has no rows"));
}

TEST_F(PrunerTest, NeverWritesIntoAFolderThatHoldsSomething) {
  PruneOptions options = {.sources = {Source("a", {{"x", "y"}})},
                          .rules = {Rule("target", TargetOptions{})},
                          .out_dir = JoinPath(folder_, "full")};
  ASSERT_TRUE(CreateDirectories(options.out_dir).ok());
  ASSERT_TRUE(Prune(options).ok()) << "an empty folder is taken";
  const absl::Status status = Prune(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not empty"));
  options.dropped_path = options.out_dir + "/dropped.jsonl";
  ASSERT_TRUE(RemoveRecursively(options.out_dir).ok());
  EXPECT_THAT(std::string(Prune(options).status().message()), HasSubstr("written as a whole"));
}

TEST_F(PrunerTest, SlashesAtTheEndOfTheFolderMeanNothing) {
  PruneOptions options = {.sources = {Source("a", {{"x", "y"}})},
                          .rules = {Rule("target", TargetOptions{})},
                          .out_dir = JoinPath(folder_, "out//")};
  ASSERT_TRUE(CreateDirectories(options.out_dir).ok());
  for (int existed = 1; existed >= 0; --existed) {
    const auto report = Prune(options);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(*ListDirectory(options.out_dir), ElementsAre("a.jsonl.zst", "ledger.json"));
    EXPECT_THAT(*ListDirectory(folder_), ElementsAre("a.jsonl", "out"));
    ASSERT_TRUE(RemoveRecursively(JoinPath(folder_, "out")).ok());
  }
}

TEST_F(PrunerTest, PlacesThatNothingCanBeRenamedToAreRefused) {
  const std::string target = JoinPath(folder_, "target"), link = JoinPath(folder_, "link");
  ASSERT_TRUE(CreateDirectories(target).ok());
  std::filesystem::create_directory_symlink(target, link);
  std::filesystem::create_directory_symlink(folder_ + "/nowhere", folder_ + "/dangling");
  const PruneOptions good = {.sources = {Source("a", {{"x", "y"}, {"z", ""}})},
                             .rules = {Rule("target", TargetOptions{})},
                             .out_dir = JoinPath(folder_, "out"),
                             .dropped_path = JoinPath(folder_, "dropped.jsonl")};
  const std::vector<std::string> before = *ListDirectory(folder_);
  const auto error = [&](const PruneOptions& options) {
    const absl::Status status = Prune(options).status();
    EXPECT_FALSE(status.ok()) << options.out_dir << " " << options.dropped_path;
    EXPECT_EQ(*ListDirectory(folder_), before);
    EXPECT_THAT(*ListDirectory(target), IsEmpty());
    return std::string(status.message());
  };
  PruneOptions bad = good;
  for (const char* name : {"link", "link/", "dangling"}) {
    bad.out_dir = JoinPath(folder_, name);
    EXPECT_THAT(error(bad), HasSubstr("is a symbolic link; expected a new or empty folder"));
  }
  for (const std::string& name : {std::string(), target + "/.", target + "/.."}) {
    bad.out_dir = name;
    EXPECT_THAT(error(bad), HasSubstr("is no name of a folder"));
  }
  bad = good;
  bad.dropped_path = target;
  EXPECT_THAT(error(bad), HasSubstr("is a folder; expected a file for the dropped rows"));
  bad.out_dir = target;
  for (const char* name : {"/target", "/link/rows.jsonl", "/./target/rows.jsonl"}) {
    bad.dropped_path = folder_ + name;
    EXPECT_THAT(error(bad), HasSubstr("written as a whole"));
  }
  bad.dropped_path = target + ".partial/rows.jsonl";
  EXPECT_THAT(error(bad), HasSubstr("written as a whole"));
  EXPECT_TRUE(Prune(good).ok());
}

TEST_F(PrunerTest, OutputsAppearTogetherOrNotAtAll) {
  PruneOptions options = {.out_dir = JoinPath(folder_, "out"),
                          .dropped_path = JoinPath(folder_, "dropped.jsonl")};
  EXPECT_FALSE(RunMeanwhile(options, [this] {
                 EXPECT_TRUE(CreateDirectories(folder_ + "/out").ok());
                 Write("out/other", "");
               }).ok());
  EXPECT_THAT(*ListDirectory(folder_), ElementsAre("out"));
  EXPECT_THAT(*ListDirectory(options.out_dir), ElementsAre("other"));
  ASSERT_TRUE(RemoveRecursively(options.out_dir).ok());
  EXPECT_FALSE(RunMeanwhile(options, [&] {
                 EXPECT_TRUE(CreateDirectories(options.dropped_path).ok());
               }).ok());
  EXPECT_THAT(*ListDirectory(folder_), ElementsAre("dropped.jsonl"));
  ASSERT_TRUE(RemoveRecursively(options.dropped_path).ok());
  EXPECT_TRUE(RunMeanwhile(options, [] {}).ok());
  EXPECT_THAT(*ListDirectory(folder_), ElementsAre("dropped.jsonl", "out"));
}

}  // namespace
}  // namespace frond
