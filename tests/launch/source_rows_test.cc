#include "launch/source_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "core/base/file.h"
#include "launch/mixture_builder.h"
#include "launch/prune_config.h"
#include "mixtures/pruning/pruner.h"
#include "nlohmann/json.hpp"
#include "tests/data/test_files.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

struct Row {
  std::string inputs, targets, language, template_id;
};

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

class SourceRows : public testing::Test {
 protected:
  SourceRows() {
    EXPECT_TRUE(CreateDirectories(folder_).ok());
    const auto seed = std::random_device()();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    const char* extras[] = {"", "\"", ", ", "é", " \"\" ", "日本"};
    for (int i = 0; i < 300; ++i) {
      rows_.push_back({absl::StrCat(TinySentence(i), extras[random() % 6]),
                       absl::StrCat(TinySentence(random() % 1000), extras[random() % 6], "."),
                       i < 200 ? "fi" : "sw", i % 3 == 0 ? "a" : "b"});
    }
  }
  ~SourceRows() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
    return folder_ + "/" + name;
  }

  void WriteAll() {
    std::string jsonl, csv = "prompt,answer,lang,template\r\n", tsv, texts_only;
    std::map<std::string, std::pair<std::string, std::string>> pair_of;
    for (const Row& row : rows_) {
      jsonl += nlohmann::json{{"inputs", row.inputs},
                              {"targets", row.targets},
                              {"language", row.language},
                              {"template_id", row.template_id}}
                   .dump() +
               "\n";
      texts_only +=
          nlohmann::json{
              {"inputs", row.inputs}, {"targets", row.targets}, {"language", row.language}}
              .dump() +
          "\n";
      absl::StrAppend(&csv, Quoted(row.inputs), ",", Quoted(row.targets), ",", row.language, ",",
                      row.template_id, "\r\n");
      absl::StrAppend(&tsv, row.template_id, "\t", Quoted(row.inputs), "\t", row.language, "\t",
                      Quoted(row.targets), "\n");
      auto& [inputs, targets] = pair_of[row.language];
      inputs += row.inputs + "\n";
      targets += row.targets + "\n";
    }
    Write("rows.jsonl", jsonl);
    Write("texts.jsonl", texts_only);
    Write("rows.csv.gz", Gzip(csv));
    Write("rows.tsv", tsv);
    for (const auto& [language, pair] : pair_of) {
      Write("mt.en-" + language + ".en", pair.first);
      Write("mt.en-" + language + "." + language + ".zst", Zstd(pair.second));
      // The same as TSV, a language a file and quotes as they are.
      std::string plain;
      std::istringstream inputs(pair.first), targets(pair.second);
      for (std::string input, target;
           std::getline(inputs, input) && std::getline(targets, target);) {
        absl::StrAppend(&plain, input, "\t", target, "\n");
      }
      Write("plain-" + language + ".tsv", plain);
    }
  }

  config::TrainConfig Config(const std::string& data) {
    Write("run.textproto", "work_dir: '" + folder_ + "' data { " +
                               absl::StrReplaceAll(data, {{"$", folder_ + "/"}}) + " }");
    auto config = ReadConfig(folder_ + "/run.textproto", {});
    EXPECT_TRUE(config.ok()) << config.status();
    ResolveDefaults(*config);
    return *config;
  }

  const std::string folder_ = testing::TempDir() + "/source_rows_" + std::to_string(getpid());
  std::vector<Row> rows_;
};

constexpr char kSources[] = R"(
    source { name: "a" path: "$rows.jsonl" }
    source { name: "b" path: "$rows.csv.gz"
      fields { inputs: "prompt" targets: "answer" language: "lang" template_id: "template" } }
    source { name: "c" path: "$rows.tsv" schema: "headless" }
    source { name: "d" path: "$texts.jsonl" }
    source { name: "e" path: "$mt.en-{language}.en" target_path: "$mt.en-{language}.{language}.zst" }
    source { name: "f" path: "$plain-{language}.tsv"
      column: "inputs" column: "targets" quoting: false })";
constexpr char kSchema[] = R"(
    schema { name: "headless" column: "t" column: "en" column: "language" column: "xx"
      fields { inputs: "en" targets: "xx" template_id: "t" } })";

TEST_F(SourceRows, EveryFormatGivesTheSameExamples) {
  WriteAll();
  const auto tokenizer = TinyTokenizer();
  const auto built = BuildMixture(Config(std::string(kSchema) + kSources), *tokenizer, 2);
  ASSERT_TRUE(built.ok()) << built.status();
  ASSERT_EQ(built->caches.size(), 6u);
  ASSERT_EQ(built->caches[0]->num_examples(), static_cast<int64_t>(rows_.size()));
  EXPECT_EQ(built->caches[1]->content_hash(), built->caches[0]->content_hash());
  EXPECT_EQ(built->caches[2]->content_hash(), built->caches[0]->content_hash());
  EXPECT_NE(built->caches[3]->content_hash(), built->caches[0]->content_hash());
  EXPECT_EQ(built->caches[4]->content_hash(), built->caches[3]->content_hash());
  EXPECT_EQ(built->caches[5]->content_hash(), built->caches[3]->content_hash());
}

TEST_F(SourceRows, PruningReadsTheSameFormats) {
  WriteAll();
  const std::string text = absl::StrReplaceAll(
      absl::StrCat(kSchema, kSources,
                   " rule { exact_duplicates { within_source: true } } packing: PLAIN threads: 2"),
      {{"$", folder_ + "/"}});
  auto options = ParsePruneConfig(text + " out_dir: '" + folder_ + "/out'", "prune");
  ASSERT_TRUE(options.ok()) << options.status();
  const auto report = Prune(*options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->rows, static_cast<int64_t>(6 * rows_.size()));
  // What is left reads as JSONL, with the languages that paths had.
  const auto tokenizer = TinyTokenizer();
  const auto built =
      BuildMixture(Config(R"(source { path: "$out/d.jsonl" } source { path: "$out/e.jsonl" }
                source { path: "$out/f.jsonl" } source { path: "$out/a.jsonl" }
                source { path: "$out/b.jsonl" fields {
                  inputs: "prompt" targets: "answer" language: "lang" template_id: "template" } })"),
                   *tokenizer, 1);
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_GT(built->caches[0]->num_examples(), 100);
  EXPECT_EQ(built->caches[1]->content_hash(), built->caches[0]->content_hash());
  EXPECT_EQ(built->caches[2]->content_hash(), built->caches[0]->content_hash());
  EXPECT_EQ(built->caches[4]->content_hash(), built->caches[3]->content_hash());
}

TEST_F(SourceRows, OptionsThatChangeRowsChangeTheCache) {
  Write("x.csv", "inputs,targets,other\n\"a\",\"b\",c\n");
  const auto tokenizer = TinyTokenizer();
  const auto key = [&](const std::string& source) {
    const auto cache =
        OpenSource(Config("source { name: 'x' path: '$x.csv' language: 'sw' " + source + " }")
                       .data()
                       .source(0),
                   folder_ + "/cache", *tokenizer, 1);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return cache.ok() ? (*cache)->content_hash() : 0;
  };
  const uint64_t plain = key("");
  EXPECT_EQ(plain, key("format: CSV"));
  EXPECT_NE(plain, key("quoting: false"));
  EXPECT_NE(plain, key("fields { targets: 'other' }"));
  EXPECT_NE(plain, key("column: 'inputs' column: 'targets' column: 'third'"));
  EXPECT_NE(plain, key("column: 'inputs' column: 'third' column: 'targets'"));
  EXPECT_EQ(plain, key(""));
}

TEST_F(SourceRows, WeightsAreNotForPruning) {
  const std::string path = Write("a.jsonl", "{}\n");
  const auto options = ParsePruneConfig(
      "source { path: '" + path + "' weight: 2 } rule { urls {} } out_dir: 'o'", "prune");
  EXPECT_THAT(std::string(options.status().message()), testing::HasSubstr("has a weight, which"));
}

}  // namespace
}  // namespace frond
