#include "launch/source_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "mixtures/pruning/pruner.h"

namespace frond {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class SourceLedgerTest : public testing::Test {
 protected:
  SourceLedgerTest() {
    EXPECT_TRUE(CreateDirectories(folder_).ok());
    Write("rows.jsonl", Row("x,\\\"rows\\\":[\\\"") + Row("") + Row("y"));
  }
  ~SourceLedgerTest() override { std::filesystem::remove_all(folder_); }

  static std::string Row(const std::string& target) {
    return absl::StrCat("{\"inputs\": \"a\", \"targets\": \"", target,
                        "\", \"template_id\": \"t,\\\"rows\\\":[\\\"\", \"language\": \"fi\"}\n");
  }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  // Prunes into `out`; two of the three rows stay.
  std::string PruneInto(const std::string& out, bool list_hashes) {
    const auto report =
        Prune({.sources = {{.name = "p",
                            .files = {{folder_ + "/rows.jsonl"}},
                            .layout = {.allow_empty_targets = true}}},
               .rules = {{.name = "target", .kind = "target", .how = TargetOptions{}}},
               .out_dir = folder_ + "/" + out,
               .zstd = false,
               .list_hashes = list_hashes});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->ledger_hash : "";
  }

  absl::StatusOr<std::vector<SourceLedger>> Find(const std::string& file,
                                                 std::optional<int64_t> rows) {
    const std::vector<std::string> files = {folder_ + "/" + file};
    return FindSourceLedgers(source_, files, rows);
  }

  const std::string folder_ = testing::TempDir() + "/source_ledger_" + std::to_string(getpid());
  config::Source source_;
};

TEST_F(SourceLedgerTest, IsFoundBesideTheFilesThatItNames) {
  for (const bool list_hashes : {false, true}) {
    const std::string hash = PruneInto(list_hashes ? "listed" : "plain", list_hashes);
    const auto ledgers = Find(list_hashes ? "listed/p.jsonl" : "plain/p.jsonl", 2);
    ASSERT_TRUE(ledgers.ok()) << ledgers.status();
    ASSERT_THAT(*ledgers, SizeIs(1));
    EXPECT_EQ((*ledgers)[0].hash, hash);
  }
  Write("plain/other.jsonl", Row("z"));
  EXPECT_THAT(*Find("plain/other.jsonl", 1), IsEmpty());
  EXPECT_THAT(*Find("rows.jsonl", 3), IsEmpty());
}

TEST_F(SourceLedgerTest, AnotherProgramsLedgerIsNone) {
  Write("ledger.json", "{\"accounts\": []}");
  EXPECT_THAT(*Find("rows.jsonl", 3), IsEmpty());
  source_.set_ledger(folder_ + "/ledger.json");
  EXPECT_THAT(std::string(Find("rows.jsonl", 3).status().message()), HasSubstr("is no ledger"));
  source_.set_ledger(folder_ + "/none.json");
  EXPECT_THAT(std::string(Find("rows.jsonl", 3).status().message()), HasSubstr("none.json"));
}

TEST_F(SourceLedgerTest, RefusesOtherRowsAndDamagedLedgers) {
  PruneInto("out", true);
  EXPECT_TRUE(Find("out/p.jsonl", std::nullopt).ok()) << "where templates hide how many there are";
  const absl::Status status = Find("out/p.jsonl", 3).status();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("has 3 rows"), HasSubstr("2 were kept"), Not(HasSubstr("\n"))));
  std::string text = *ReadFile(folder_ + "/out/ledger.json");
  text.replace(text.find("\"kept\":2"), 8, "\"kept\":3");
  Write("out/ledger.json", text);
  EXPECT_EQ(Find("out/p.jsonl", 3).status().code(), absl::StatusCode::kDataLoss);
  Write("out/ledger.json", text.substr(0, text.size() / 2));
  EXPECT_EQ(Find("out/p.jsonl", 3).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace frond
