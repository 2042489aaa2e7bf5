#include "launch/data_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "launch/run_checkpoint.h"
#include "mixtures/pruning/pruner.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::string RowsOf(const std::string& language, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, "{\"inputs\": \"", TinySentence(i), "\", \"targets\": \"",
                    TinySentence(i / 2), " ", language, "\", \"language\": \"", language, "\"}\n");
  }
  return text;
}

class DataManifestTest : public testing::Test {
 protected:
  DataManifestTest() {
    EXPECT_TRUE(CreateDirectories(folder_ + "/checkpoint/train_state").ok());
    Write("a.jsonl", RowsOf("fi", 30) + RowsOf("sw", 90));
    Write("b.jsonl", RowsOf("en", 60));
  }
  ~DataManifestTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  std::string Path(const std::string& name) {
    return absl::StrCat("path: \"", folder_, "/", name, "\"");
  }

  struct Opened {
    config::TrainConfig config;
    std::unique_ptr<TrainingData> data;
    std::string manifest;
    TrainState state;
  };

  // Of a tree with datasets a and b.
  Opened Open(const std::string& a, const std::string& root = "", const std::string& rest = "") {
    Opened opened;
    const std::string text =
        absl::StrCat("work_dir: \"", folder_, "/run\" ", rest, " data { window: 64 mixture { ",
                     root, " dataset { source { name: \"a\" ", a, " } } dataset { source { ",
                     Path("b.jsonl"), " } } } }");
    auto config = ParseConfig(text, "test", {});
    EXPECT_TRUE(config.ok()) << config.status();
    opened.config = *config;
    ResolveDefaults(opened.config);
    auto data = TrainingData::Open(opened.config, *tokenizer_, 1);
    EXPECT_TRUE(data.ok()) << data.status();
    if (!data.ok()) return opened;
    opened.data = *std::move(data);
    opened.manifest = MakeDataManifest(opened.config, *tokenizer_, *opened.data);
    opened.state.manifest_hash = HashToHex(opened.data->mixture().manifest_hash());
    opened.state.config_hash = HashToHex(DataOrderHash(opened.config));
    return opened;
  }

  // Whether a run with `now` may go on from a checkpoint of `saved`.
  absl::Status Check(const Opened& saved, const Opened& now) {
    Write("checkpoint/train_state/manifest.json", saved.manifest);
    return CheckSameData(folder_ + "/checkpoint", saved.state, now.state, now.manifest);
  }

  std::string Refusal(const Opened& saved, const Opened& now) {
    const absl::Status status = Check(saved, now);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(status.message());
  }

  static std::string Pruned(const std::string& rule) {
    return absl::StrCat("prune { rule { name: \"repeats\" exact_duplicates { side: TARGETS } } ",
                        rule, " }");
  }

  const std::string folder_ = testing::TempDir() + "/data_manifest_" + std::to_string(getpid());
  const std::shared_ptr<const Tokenizer> tokenizer_ = TinyTokenizer();
};

TEST_F(DataManifestTest, TheSameDataGoesOn) {
  const Opened saved = Open(Path("a.jsonl"), Pruned(""));
  EXPECT_TRUE(Check(saved, saved).ok());
  EXPECT_TRUE(Check(saved, Open(Path("a.jsonl"), Pruned(""))).ok());
  // What does not touch the order of the data.
  EXPECT_TRUE(Check(saved, Open(Path("a.jsonl"), Pruned(""), "steps: 7 threads: 2")).ok());
  EXPECT_THAT(saved.manifest, Not(HasSubstr(folder_)));
}

TEST_F(DataManifestTest, MovedFilesGoOn) {
  const Opened saved = Open(Path("a.jsonl"), Pruned(""));
  ASSERT_TRUE(CreateDirectories(folder_ + "/moved").ok());
  ASSERT_TRUE(RenamePath(folder_ + "/a.jsonl", folder_ + "/moved/a.jsonl").ok());
  const absl::Status status = Check(saved, Open(Path("moved/a.jsonl"), Pruned("")));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(DataManifestTest, NamesTheSourceAndTheLeafThatDiffer) {
  const Opened saved = Open(Path("a.jsonl"));
  Write("a.jsonl", RowsOf("fi", 31) + RowsOf("sw", 90) + RowsOf("de", 1));
  const std::string text = Refusal(saved, Open(Path("a.jsonl")));
  EXPECT_THAT(text, AllOf(HasSubstr("another mixture"), HasSubstr("another work_dir"),
                          HasSubstr("\n  source a: examples 120 -> 122, content "),
                          HasSubstr("\n  leaf a/fi: examples 30 -> 31, share 12.5% -> 12.7049%"),
                          HasSubstr("\n  leaf a/de is new")));
  EXPECT_THAT(text, Not(HasSubstr("leaf b/en")));
}

TEST_F(DataManifestTest, NamesSettingsAndWeights) {
  const Opened saved = Open(Path("a.jsonl"));
  EXPECT_THAT(Refusal(saved, Open(Path("a.jsonl"), "", "seed: 7")), HasSubstr("\n  seed: 42 -> 7"));
  EXPECT_THAT(Refusal(saved, Open(Path("a.jsonl") + " weight: 3")),
              AllOf(HasSubstr("leaf b/en: share 50% -> 25%"), Not(HasSubstr("\n  source"))));
  EXPECT_THAT(Refusal(saved, Open(Path("a.jsonl") + " language: \"fo\"")),
              HasSubstr("\n  source a: reading "));
}

TEST_F(DataManifestTest, NamesTheRuleThatDiffers) {
  const Opened saved = Open(Path("a.jsonl"), Pruned("rule { cap { rows: 9 } }"));
  const std::string text =
      Refusal(saved, Open(Path("a.jsonl"), Pruned("rule { cap { rows: 8 } } rule { urls {} }")));
  EXPECT_THAT(text, AllOf(HasSubstr("\n  pruning of mixture: ledger "),
                          HasSubstr("cap: settings cap { rows: 9 } -> cap { rows: 8 }"),
                          HasSubstr(", urls is new"), Not(HasSubstr("repeats"))));
  EXPECT_THAT(Refusal(saved, Open(Path("a.jsonl"))), HasSubstr("pruning of mixture is gone"));
}

TEST_F(DataManifestTest, AnotherLedgerOfTheSameRowsIsRefused) {
  PruneOptions options = {.sources = {{.name = "p", .files = {{folder_ + "/a.jsonl"}}}},
                          .rules = {{.name = "target",
                                     .kind = "target",
                                     .settings = "target { }",
                                     .how = TargetOptions{}}},
                          .out_dir = folder_ + "/one",
                          .zstd = false};
  const auto one = Prune(options);
  ASSERT_TRUE(one.ok()) << one.status();
  options.out_dir = folder_ + "/two";
  options.rules[0].name = "blank";
  const auto two = Prune(options);
  ASSERT_TRUE(two.ok()) << two.status();
  const Opened saved = Open(Path("one/p.jsonl")), now = Open(Path("two/p.jsonl"));
  EXPECT_THAT(saved.manifest, HasSubstr(one->ledger_hash));
  EXPECT_EQ(saved.state.manifest_hash, now.state.manifest_hash);
  EXPECT_THAT(Refusal(saved, now),
              AllOf(HasSubstr("another ledger"),
                    HasSubstr(absl::StrCat("source a: ledgers ", one->ledger_hash, " -> ",
                                           two->ledger_hash))));
  // Rows elsewhere whose ledger is named are the same run's.
  ASSERT_TRUE(RenamePath(folder_ + "/one/p.jsonl", folder_ + "/q.jsonl").ok());
  EXPECT_THAT(Refusal(saved, Open(Path("q.jsonl"))), HasSubstr(one->ledger_hash + " -> none"));
  EXPECT_TRUE(Check(saved, Open(absl::StrCat(Path("q.jsonl"), " ledger: \"", folder_,
                                             "/one/ledger.json\"")))
                  .ok());
  ASSERT_TRUE(SaveLedgers(*now.data, folder_ + "/run").ok());
  const std::string copy = absl::StrCat(folder_, "/run/ledgers/a-", two->ledger_hash, ".json");
  EXPECT_EQ(*ReadFile(copy), *ReadFile(folder_ + "/two/ledger.json"));
}

TEST_F(DataManifestTest, LongListsAreCutShort) {
  std::string rows;
  for (int i = 0; i < 30; ++i) rows += RowsOf(absl::StrCat("l", i), 2);
  const Opened saved = Open(Path("a.jsonl"));
  Write("a.jsonl", rows);
  const auto difference = CompareManifests(saved.manifest, Open(Path("a.jsonl")).manifest);
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_THAT(difference->lines, SizeIs(testing::Le(12u)));
  EXPECT_THAT(difference->lines, Contains(StartsWith("and 28 more differences of this kind")));
}

TEST_F(DataManifestTest, CheckpointsWithoutAManifestAreJudgedByHashes) {
  const Opened saved = Open(Path("a.jsonl"));
  Opened other = Open(Path("a.jsonl"));
  const std::string none = folder_ + "/none";
  EXPECT_TRUE(CheckSameData(none, saved.state, other.state, other.manifest).ok());
  other.state.manifest_hash = "0";
  const absl::Status status = CheckSameData(none, saved.state, other.state, other.manifest);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("another mixture"), Not(HasSubstr("\n"))));
}

TEST_F(DataManifestTest, RefusesWhatIsNoManifest) {
  const Opened now = Open(Path("a.jsonl"));
  for (const std::string text :
       {"", "[]", "{\"format\": 3}", "{\"format\": \"frond data manifest\"}"}) {
    EXPECT_FALSE(CompareManifests(text, now.manifest).ok()) << text;
  }
  EXPECT_THAT(CompareManifests(now.manifest, now.manifest)->lines, IsEmpty());
  // A field that came later than the checkpoint.
  std::string older = now.manifest;
  const std::string field = "\"examples\":120,";
  older.erase(older.find(field), field.size());
  EXPECT_THAT(CompareManifests(older, now.manifest)->lines, IsEmpty());
}

}  // namespace
}  // namespace frond
