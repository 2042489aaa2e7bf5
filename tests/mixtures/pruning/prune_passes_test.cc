// Files that change while they are pruned end the passes before any table is read beyond its end.
#include "mixtures/pruning/prune_passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/base/hash.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Lt;

// Notes which rows come; at the first one that is dropped, something happens to the files.
class Observer : public PruneSink {
 public:
  explicit Observer(std::function<void()> at_first_drop)
      : at_first_drop_(std::move(at_first_drop)) {}

  absl::Status Keep(const RowPlace& place, const LookedRow&) override {
    ordinals.push_back(place.ordinal);
    return absl::OkStatus();
  }
  absl::Status Drop(const RowPlace& place, const LookedRow&, int) override {
    if (at_first_drop_) std::exchange(at_first_drop_, nullptr)();
    ordinals.push_back(place.ordinal);
    return absl::OkStatus();
  }

  std::vector<int64_t> ordinals;

 private:
  std::function<void()> at_first_drop_;
};

class PrunePassesTest : public PruneTest {
 protected:
  // `rows` of which the first has no target.
  static std::vector<TestRow> Rows(size_t rows, const std::string& salt) {
    std::vector<TestRow> made;
    for (size_t i = 0; i < rows; ++i) made.push_back({"x", absl::StrCat(salt, i)});
    made[0].targets = "";
    return made;
  }

  // Both rules, of which the second begins another pass.
  static std::vector<RuleOptions> TargetAndCap() {
    return {Rule("target", TargetOptions{}), Rule("cap", CapOptions{.rows = 5})};
  }
};

TEST_F(PrunePassesTest, AFileThatGrowsBetweenPassesIsNamedBeforeTheNewRowsCount) {
  const std::vector<PruneSource> sources = {Source("first", Rows(30, "a")),
                                            Source("second", Rows(20, "b"))};
  const std::vector<RuleOptions> rules = TargetAndCap();
  Observer observer([this] { Source("first", Rows(20'000, "a")); });
  const PruneTask task = {.sources = sources, .evaluation = {}, .rules = rules};
  const absl::Status status = PrunePasses(task, observer).Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("source 'first' changed while it was pruned: it had 30 rows"));
  EXPECT_THAT(observer.ordinals, Each(Lt(50)));
}

TEST_F(PrunePassesTest, AFileThatShrinksBetweenPassesIsNamed) {
  const std::vector<PruneSource> sources = {Source("first", Rows(30, "a")),
                                            Source("second", Rows(20, "b"))};
  const std::vector<RuleOptions> rules = TargetAndCap();
  Observer observer([this] { Source("second", Rows(19, "b")); });
  const PruneTask task = {.sources = sources, .evaluation = {}, .rules = rules};
  const absl::Status status = PrunePasses(task, observer).Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("source 'second' changed while it was pruned: it had 20 rows and has 19"));
}

TEST_F(PrunePassesTest, OtherRowsThanWereKnownAreAnErrorThatNamesTheSource) {
  const std::vector<PruneSource> sources = {Source("first", Rows(3000, "a")),
                                            Source("second", Rows(20, "b"))};
  const std::vector<RuleOptions> rules = {Rule("short", LengthOptions{.target_words = {.low = 5}})};
  const auto run = [&](std::vector<int64_t> known, Observer* observer) {
    const std::vector<bool> gone(static_cast<size_t>(known[0] + known[1]));
    const PruneTask task = {
        .sources = sources, .evaluation = {}, .rules = rules, .known_rows = known, .gone = &gone};
    return PrunePasses(task, *observer).Run();
  };
  Observer observer(nullptr);
  const absl::Status more = run({10, 20}, &observer);
  EXPECT_EQ(more.code(), absl::StatusCode::kFailedPrecondition) << more;
  EXPECT_THAT(std::string(more.message()), HasSubstr("source 'first' changed"));
  EXPECT_THAT(observer.ordinals, Each(Lt(30)));
  const absl::Status fewer = run({3000, 21}, &observer);
  EXPECT_EQ(fewer.code(), absl::StatusCode::kFailedPrecondition) << fewer;
  EXPECT_THAT(std::string(fewer.message()), HasSubstr("it had 21 rows and has 20"));
  EXPECT_TRUE(run({3000, 20}, &observer).ok());
}

// As many rows as before, of which the last comes to a rule that did not see it.
TEST_F(PrunePassesTest, ARowThatTheScoresWereNotChosenForIsAnError) {
  std::vector<TestRow> rows = Rows(300, "a");
  for (size_t i = 10; i < rows.size(); ++i) rows[i].language = "fi";
  std::vector<TestRow> changed = rows;
  changed.back().language = "sw";
  std::string scores;
  for (const auto& list : {rows, changed}) {
    for (size_t i = 0; i < list.size(); ++i) {
      std::string line = ToLine(list[i], static_cast<int64_t>(i));
      line.pop_back();
      absl::StrAppend(&scores, "{\"hash\": \"", HashToHex(Hash64(line)), "\", \"loss\": 1}\n");
    }
  }
  const std::vector<PruneSource> sources = {Source("first", rows)};
  const ScoreOptions how = {.scores = {.path = Write("scores.jsonl", scores), .field = "loss"}};
  std::vector<RuleOptions> rules = {Rule("target", TargetOptions{}), Rule("score", how)};
  rules[1].languages = {"sw"};
  Observer observer([this, &changed] { Source("first", changed); });
  const PruneTask task = {.sources = sources, .evaluation = {}, .rules = rules};
  const absl::Status status = PrunePasses(task, observer).Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("source 'first' changed"));
}

}  // namespace
}  // namespace frond
