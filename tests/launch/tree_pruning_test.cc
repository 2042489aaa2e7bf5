#include "launch/tree_pruning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "configs/config_reader.h"
#include "configs/mixture_sources.h"
#include "configs/train_defaults.h"
#include "core/base/file.h"
#include "launch/mixture_builder.h"
#include "mixtures/pruning/pruner.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string RowOf(const std::string& language, const std::string& inputs,
                  const std::string& targets) {
  return absl::StrCat("{\"inputs\": \"", inputs, "\", \"targets\": \"", targets,
                      "\", \"language\": \"", language, "\", \"template_id\": \"",
                      inputs.size() % 2 == 0 ? "even" : "odd", "\"}\n");
}

class TreePruningTest : public testing::Test {
 protected:
  TreePruningTest() { EXPECT_TRUE(CreateDirectories(folder_).ok()); }
  ~TreePruningTest() override { std::filesystem::remove_all(folder_); }

  // "source { ... }" of a new file.
  std::string Source(const std::string& name, const std::string& rows) {
    const std::string path = absl::StrCat(folder_, "/", name, ".jsonl");
    EXPECT_TRUE(WriteFileAtomically(path, rows).ok());
    return absl::StrCat("source { path: \"", path, "\" }");
  }

  config::TrainConfig Config(const std::string& mixture, const std::string& cache = "cache") {
    auto config =
        ParseConfig(absl::StrCat("work_dir: \"", folder_, "/run\" data { cache_dir: \"", folder_,
                                 "/", cache, "\" window: 64 mixture { ", mixture, " } }"),
                    "test", {});
    EXPECT_TRUE(config.ok()) << config.status();
    ResolveDefaults(*config);
    return *config;
  }

  absl::StatusOr<BuiltMixture> Try(const std::string& mixture, int threads = 1) {
    return BuildMixture(Config(mixture), *tokenizer_, threads);
  }

  BuiltMixture Build(const std::string& mixture, int threads = 1) {
    auto built = Try(mixture, threads);
    EXPECT_TRUE(built.ok()) << built.status();
    return built.ok() ? *std::move(built) : BuiltMixture{};
  }

  // The inputs of the rows of a leaf.
  std::vector<std::string> Inputs(const BuiltMixture& built, const std::string& source,
                                  const std::string& language) {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < built.leaves.size(); ++i) {
      const LeafInfo& leaf = built.mixture->leaves()[i];
      if (leaf.source != source || leaf.language != language) continue;
      EXPECT_EQ(leaf.num_examples, built.leaves[i].examples.size());
      for (const uint32_t example : built.leaves[i].examples) {
        inputs.push_back(*tokenizer_->Decode(built.leaves[i].cache->source(example)));
      }
    }
    return inputs;
  }

  const std::string folder_ = testing::TempDir() + "/tree_pruning_" + std::to_string(getpid());
  const std::shared_ptr<const Tokenizer> tokenizer_ = TinyTokenizer();
};

// Rows of which every fourth comes again and every fifth has no target.
std::string ManyRows(int count, int salt) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    const int number = i % 4 == 3 ? i - 1 : i;
    text +=
        RowOf(i % 3 == 0 ? "fi" : "sw", TinySentence(number) + " " + TinySentence(salt + number),
              number % 5 == 0 ? "" : TinySentence(number + 1));
  }
  return text;
}

constexpr char kRules[] =
    "prune { seed: 5 rule { target {} } rule { exact_duplicates { side: INPUTS } } rule { cap { "
    "rows: 20 per: SOURCE } } } ";

TEST_F(TreePruningTest, KeepsTheRowsThatFrondPruneKeeps) {
  const std::string a = Source("a", ManyRows(70, 0)), b = Source("b", ManyRows(90, 3));
  const BuiltMixture built = Build(absl::StrCat(
      kRules, "dataset { ", a, " templates { proportional {} } } dataset { ", b, " }"));
  const std::vector<RuleOptions> rules = {
      {.name = "target", .kind = "target", .how = TargetOptions{}},
      {.name = "exact_duplicates",
       .kind = "exact_duplicates",
       .how = ExactDuplicateOptions{.side = Side::kInputs}},
      {.name = "cap",
       .kind = "cap",
       .how = CapOptions{.rows = 20, .per = CapOptions::Per::kSource}}};
  PruneOptions options = {.rules = rules, .seed = 5, .out_dir = folder_ + "/out", .zstd = false};
  for (const char* name : {"a", "b"}) {
    options.sources.push_back({.name = name,
                               .files = {{absl::StrCat(folder_, "/", name, ".jsonl")}},
                               .layout = {.allow_empty_targets = true}});
  }
  const auto report = Prune(options);
  ASSERT_TRUE(report.ok()) << report.status();
  const BuiltMixture written = Build(
      absl::StrCat("dataset { source { path: \"", folder_,
                   "/out/a.jsonl\" } templates { proportional {} } } dataset { source { path: \"",
                   folder_, "/out/b.jsonl\" } }"));
  for (const char* source : {"a", "b"}) {
    for (const char* language : {"fi", "sw"}) {
      const auto inputs = Inputs(built, source, language);
      EXPECT_THAT(inputs, Not(IsEmpty()));
      EXPECT_EQ(inputs, Inputs(written, source, language)) << source << " " << language;
    }
  }
  ASSERT_EQ(built.leaves.size(), written.leaves.size());
  uint64_t dropped = 0;
  for (size_t i = 0; i < built.leaves.size(); ++i) {
    EXPECT_EQ(built.mixture->leaves()[i].probability, written.mixture->leaves()[i].probability);
    dropped += built.leaves[i].dropped;
  }
  EXPECT_EQ(dropped, static_cast<uint64_t>(report->rows - report->kept));
  ASSERT_EQ(built.pruning.nodes().size(), 1u);
  const auto ledger = nlohmann::json::parse(*ReadFile(built.pruning.nodes()[0]->ledger_path()));
  const auto theirs = nlohmann::json::parse(*ReadFile(folder_ + "/out/ledger.json"));
  EXPECT_EQ(ledger["entries"], theirs["entries"]);
  EXPECT_EQ(ledger["leaves"], theirs["leaves"]);
  EXPECT_EQ(ledger["hash"], built.pruning.nodes()[0]->ledger_hash());
}

TEST_F(TreePruningTest, DuplicatesAreSoughtInTheScopeOfTheRule) {
  const std::string rows = RowOf("fi", "one", "x") + RowOf("fi", "two", "x");
  const std::string more = rows + RowOf("fi", "three", "x");
  const BuiltMixture built = Build(absl::StrCat(
      "group { name: \"g\" prune { rule { exact_duplicates {} } } dataset { ", Source("a", rows),
      " } dataset { ", Source("b", more), " } } dataset { ", Source("c", rows), " }"));
  EXPECT_THAT(Inputs(built, "a", "fi"), ElementsAre("one", "two"));
  EXPECT_THAT(Inputs(built, "b", "fi"), ElementsAre("three"));
  EXPECT_THAT(Inputs(built, "c", "fi"), ElementsAre("one", "two"));
  EXPECT_TRUE(built.pruning.IsPruned(1));
  EXPECT_FALSE(built.pruning.IsPruned(2));
}

TEST_F(TreePruningTest, RulesBelowComeFirst) {
  // "one" of a goes by a's own rule, so b's stays; "two" of b repeats a's.
  const std::string a = RowOf("fi", "one", "") + RowOf("fi", "two", "x");
  const std::string b = RowOf("fi", "one", "y") + RowOf("fi", "two", "x");
  const BuiltMixture built = Build(absl::StrCat(
      "prune { rule { exact_duplicates { side: INPUTS } } } dataset { ", Source("a", a),
      " prune { rule { target {} } } } dataset { ", Source("b", b), " }"));
  EXPECT_THAT(Inputs(built, "a", "fi"), ElementsAre("two"));
  EXPECT_THAT(Inputs(built, "b", "fi"), ElementsAre("one"));
  ASSERT_EQ(built.pruning.nodes().size(), 2u);
  EXPECT_EQ(built.pruning.nodes()[0]->name(), "a");
  const KeptRows::SourceSummary& outer = built.pruning.nodes()[1]->sources()[0];
  EXPECT_EQ(outer.gone_before, 1);
  EXPECT_EQ(outer.rows, 1);
  EXPECT_THAT(built.pruning.Lines(),
              ElementsAre(HasSubstr("'a': pruning left 1 of 2 rows; dropped by target 1; ledger"),
                          HasSubstr("'b': pruning left 1 of 2 rows; dropped by exact")));
}

TEST_F(TreePruningTest, ThresholdsAndSeedsNameTheOrder) {
  const std::string a = Source("a", ManyRows(80, 0));
  const auto hash = [&](const std::string& prune) {
    return Build(absl::StrCat("prune { rule { target {} } ", prune, " } dataset { ", a, " }"))
        .mixture->manifest_hash();
  };
  const std::string cap = "rule { cap { rows: 10 per: SOURCE } }";
  EXPECT_EQ(hash(cap), hash(cap));
  EXPECT_NE(hash(cap), hash(cap + " seed: 1"));
  EXPECT_NE(hash(cap), hash(""));
}

TEST_F(TreePruningTest, IsWorkedOutOnceAndAgainWhereDamaged) {
  const std::string mixture =
      absl::StrCat(kRules, "dataset { ", Source("a", ManyRows(60, 0)), " }");
  const BuiltMixture first = Build(mixture);
  const std::string ledger = first.pruning.nodes()[0]->ledger_path();
  const std::string kept = ledger.substr(0, ledger.find(".ledger.json")) + ".kept";
  const std::string bytes = *ReadFile(kept), ledger_bytes = *ReadFile(ledger);
  const auto changed = std::filesystem::last_write_time(kept);
  EXPECT_EQ(Build(mixture, /*threads=*/3).mixture->manifest_hash(), first.mixture->manifest_hash());
  EXPECT_EQ(std::filesystem::last_write_time(kept), changed);
  for (const std::string& broken : {bytes.substr(0, bytes.size() - 1), std::string("?"),
                                    bytes.substr(0, 60) + "?" + bytes.substr(61)}) {
    ASSERT_TRUE(WriteFileAtomically(kept, broken).ok());
    EXPECT_EQ(Build(mixture, 2).mixture->manifest_hash(), first.mixture->manifest_hash());
    EXPECT_EQ(*ReadFile(kept), bytes);
  }
  ASSERT_TRUE(RemoveRecursively(ledger).ok());
  Build(mixture, 4);
  EXPECT_EQ(*ReadFile(ledger), ledger_bytes);
}

TEST_F(TreePruningTest, OneOfManyPrunes) {
  const std::string mixture =
      absl::StrCat(kRules, "dataset { ", Source("a", ManyRows(600, 0)), " }");
  std::vector<uint64_t> hashes(4);
  std::vector<std::thread> threads;
  for (uint64_t& hash : hashes) {
    threads.emplace_back([&] { hash = Build(mixture).mixture->manifest_hash(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(hashes, testing::Each(hashes[0]));
}

TEST_F(TreePruningTest, ALeafThatLosesAllRowsIsNamedWhereItMustBeDrawnFrom) {
  const std::string a = Source("a", RowOf("fi", "one", "") + RowOf("sw", "two", "x"));
  const std::string rules = "prune { rule { target {} } } ";
  const BuiltMixture built = Build(absl::StrCat(rules, "dataset { ", a, " }"));
  ASSERT_EQ(built.leaves.size(), 2u);
  EXPECT_EQ(built.mixture->leaves()[0].probability, 0);
  EXPECT_EQ(built.leaves[0].dropped, 1u);
  const absl::Status status =
      Try(absl::StrCat(rules, "dataset { ", a, " languages { literal {} } }")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"fi\" has weight 1 but no examples"),
                    HasSubstr("(pruning dropped all rows of a/fi)"), Not(HasSubstr("\n"))));
}

TEST_F(TreePruningTest, EvaluationSetsArePrunedAgainst) {
  const std::string a = Source("a", RowOf("fi", "one", "x") + RowOf("fi", "two", "x"));
  const std::string set = Source("set", RowOf("fi", "Two", "X"));
  const BuiltMixture built = Build(absl::StrCat("prune { rule { exact_duplicates {} } evaluation ",
                                                set.substr(7), " } dataset { ", a, " }"));
  EXPECT_THAT(Inputs(built, "a", "fi"), ElementsAre("one"));
}

TEST_F(TreePruningTest, ErrorsNameTheNode) {
  const std::string a = Source("a", RowOf("fi", "one", "x") + RowOf("fi", "two", ""));
  const auto message = [&](const std::string& prune) {
    const absl::Status status =
        Try(absl::StrCat("prune { ", prune, " } dataset { ", a, " }")).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
    return std::string(status.message());
  };
  EXPECT_THAT(message("rule { length { max_ratio: 50 } }"),
              AllOf(HasSubstr("prune of mixture: "), HasSubstr("a.jsonl:2: the target is empty")));
  EXPECT_THAT(message("rule { pattern { pattern: \"(\" } }"),
              HasSubstr("prune of mixture: rule 'pattern': '(' is no regular"));
  EXPECT_THAT(message("rule { target {} } rule { urls {} language: \"fo\" }"),
              HasSubstr("limited to language 'fo', which no source has"));
  EXPECT_THAT(message("rule { target {} } evaluation { path: \"/none/x.jsonl\" }"),
              HasSubstr("/none/x.jsonl"));
  const auto form = [&](const std::string& prune) {
    return std::string(
        ValidateMixture(
            Config(absl::StrCat("prune { ", prune, " } dataset { ", a, " }")).data().mixture())
            .message());
  };
  EXPECT_THAT(form(""), HasSubstr("data.mixture.prune.rule is missing"));
  EXPECT_THAT(form("rule { target {} } evaluation { name: \"x\" }"),
              HasSubstr("data.mixture.prune.evaluation[0].path is missing"));
}

}  // namespace
}  // namespace frond
