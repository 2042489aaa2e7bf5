#include "configs/ablation_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/file.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kBase[] = R"(
  config {
    steps: 10
    model { preset: "mt5-small" }
    data { tokenizer: "x.model" source { path: "rows.jsonl" } }
    batch { rows: 4 }
    eval { source { path: "test.jsonl" } max_examples_per_language: 5 }
  }
)";

std::string Text(const std::string& rest) {
  return std::string("out_dir: \"out\"\n") + kBase + rest;
}

AblationGrid Grid(const std::string& rest) {
  absl::StatusOr<AblationGrid> grid = ParseAblation(Text(rest), "grid.textproto");
  EXPECT_TRUE(grid.ok()) << grid.status();
  return grid.ok() ? *std::move(grid) : AblationGrid{};
}

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<AblationGrid> grid = ParseAblation(text, "grid.textproto");
  EXPECT_FALSE(grid.ok());
  const std::string error(grid.status().message());
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  return error;
}

std::vector<std::string> Names(const AblationGrid& grid) {
  std::vector<std::string> names;
  for (const AblationRun& run : grid.runs) names.push_back(run.name);
  return names;
}

constexpr char kTwoAxes[] = R"(
  mixture { name: "a" source { path: "a.jsonl" } }
  mixture { name: "b" mixture { dataset { source { path: "b.jsonl" } } } }
  axis {
    name: "rate"
    variant { name: "low" override: "schedule.learning_rate=1e-4" }
    variant { name: "high" override: "schedule.learning_rate=1e-2" override: "steps=20" }
  }
  seed: 3 seed: 1
)";

TEST(AblationGridTest, IsTheProductOfAxesAndSeeds) {
  const AblationGrid grid = Grid(kTwoAxes);
  EXPECT_THAT(Names(grid),
              ElementsAre("a+low.seed3", "a+high.seed3", "b+low.seed3", "b+high.seed3",
                          "a+low.seed1", "a+high.seed1", "b+low.seed1", "b+high.seed1"));
  const AblationRun& run = grid.runs[7];
  EXPECT_EQ(run.arm, 3u);
  EXPECT_EQ(run.folder, "out/b+high.seed1");
  EXPECT_EQ(run.train.work_dir(), "out/b+high.seed1/run");
  EXPECT_EQ(run.train.data().cache_dir(), "out/cache");
  EXPECT_EQ(run.train.seed(), 1u);
  EXPECT_EQ(run.train.steps(), 20);
  EXPECT_EQ(run.train.schedule().learning_rate(), 1e-2);
  EXPECT_EQ(run.train.data().source_size(), 0);
  EXPECT_EQ(run.train.data().mixture().dataset(0).source().path(0), "b.jsonl");
  EXPECT_EQ(grid.runs[0].train.data().source(0).path(0), "a.jsonl");
  EXPECT_EQ(grid.runs[0].train.data().source_size(), 1);
  EXPECT_EQ(grid.runs[0].train.steps(), 10);
  EXPECT_THAT(grid.arms[3].changes,
              ElementsAre(HasSubstr("b.jsonl"), "schedule.learning_rate=1e-2", "steps=20"));
}

// Else seeds would be judged on different rows, and differences not paired.
TEST(AblationGridTest, AllCellsDrawTheSameEvaluationRows) {
  for (const AblationRun& run : Grid(kTwoAxes).runs) {
    EXPECT_EQ(run.train.eval().sample_seed(), 3u);
    EXPECT_EQ(run.judged.eval().sample_seed(), 3u);
  }
  const AblationGrid grid = Grid("override: \"eval.sample_seed=8\" seed: 4 seed: 5");
  for (const AblationRun& run : grid.runs) EXPECT_EQ(run.judged.eval().sample_seed(), 8u);
}

TEST(AblationGridTest, EvaluationReplacesThatOfTheBaseForFinishedCells) {
  const AblationGrid grid = Grid(R"(override: "eval.every_steps=5"
    evaluation { source { path: "other.jsonl" } max_new_tokens: 7 })");
  ASSERT_EQ(grid.runs.size(), 1u);
  EXPECT_EQ(grid.runs[0].name, "base.seed42");
  EXPECT_EQ(grid.runs[0].train.eval().source(0).path(0), "test.jsonl");
  EXPECT_EQ(grid.runs[0].train.eval().every_steps(), 5);
  EXPECT_EQ(grid.runs[0].judged.eval().source(0).path(0), "other.jsonl");
  EXPECT_EQ(grid.runs[0].judged.eval().max_new_tokens(), 7);
  EXPECT_EQ(grid.runs[0].judged.eval().every_steps(), 0);
}

TEST(AblationGridTest, ArmsAndBaselineAreChosenByName) {
  const AblationGrid grid =
      Grid(std::string(kTwoAxes) + "arm: \"b+high\" arm: \"a+low\" baseline: \"b+high\"");
  ASSERT_EQ(grid.arms.size(), 2u);
  EXPECT_EQ(grid.arms[0].name, "a+low");
  EXPECT_EQ(grid.baseline, 1u);
  EXPECT_EQ(grid.runs.size(), 4u);
  EXPECT_THAT(ErrorOf(Text(std::string(kTwoAxes) + "baseline: \"b+hihg\"")),
              HasSubstr("did you mean \"b+high\"?"));
  EXPECT_THAT(ErrorOf(Text(std::string(kTwoAxes) + "arm: \"low\"")),
              HasSubstr("\"low\" is not in the grid"));
}

TEST(AblationGridTest, BaseIsReadBesideTheFile) {
  const std::string folder = testing::TempDir() + "/ablation_grid";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(WriteFileAtomically(folder + "/run.textproto", R"(
    steps: 7 model { preset: "mt5-small" } data { tokenizer: "x" source { path: "rows.jsonl" } }
    batch { rows: 4 })")
                  .ok());
  ASSERT_TRUE(
      WriteFileAtomically(folder + "/tree.textproto", "dataset { source { path: \"t.jsonl\" } }")
          .ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/grid.textproto", R"(
    out_dir: "out" base: "run.textproto" evaluation { source { path: "test.jsonl" } }
    mixture { name: "tree" mixture { import: "tree.textproto" } })")
                  .ok());
  const auto grid = ReadAblation(folder + "/grid.textproto");
  ASSERT_TRUE(grid.ok()) << grid.status();
  EXPECT_EQ(grid->runs[0].train.steps(), 7);
  EXPECT_EQ(grid->runs[0].train.data().mixture().dataset(0).source().path(0), "t.jsonl");
}

TEST(AblationGridTest, RefusesWhatIsWrongInOneLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {kBase, "out_dir is missing"},
      {"out_dir: \"out\"", "give either `base`, a file, or `config`"},
      {Text("base: \"x\""), "give either `base`, a file, or `config`"},
      {Text("seed: 1 seed: 1"), "a seed is named twice"},
      {Text("override: \"work_dir=x\""), "work folders follow from `out_dir`"},
      {Text("override: \"seed=3\""), "seeds are named by `seed`"},
      {Text("override: \"stpes=3\""), "did you mean \"steps\"?"},
      {Text("mixture { name: \"a/b\" }"), "is called \"a/b\""},
      {Text("mixture { name: \"a\" } mixture { name: \"a\" }"), "is called \"a\""},
      {Text("axis { name: \"x\" }"), "the axis \"x\" has no variant"},
      {Text("axis { name: \"mixture\" variant { name: \"b\" } } mixture { name: \"a\" }"),
       "an axis is called \"mixture\""},
      {Text("mixture { name: \"a\" source {} mixture {} }"), "give one of them"},
      {Text("mixture { name: \"a\" override: \"steps=0\" }"), "cell a.seed42: "},
      {Text("mixtur { name: \"a\" }"), "did you mean \"mixture\"?"},
      {Text("bootstrap { draws: 0 }"), "bootstrap.draws is 0"},
      {Text("bootstrap { confidence: 95 }"), "bootstrap.confidence is 95"},
      {Text("ranks_per_cell: 0"), "ranks_per_cell is 0"},
      {Text("evaluation {}"), "nothing to evaluate on"},
  };
  for (const auto& [text, words] : cases) EXPECT_THAT(ErrorOf(text), HasSubstr(words)) << text;
}

TEST(AblationGridTest, IdentityIsWhatResultsDependOn) {
  const auto identity = [](const std::string& rest) { return IdentityOf(Grid(rest).runs[0]); };
  const config::AblationCell plain = identity("");
  for (const char* same :
       {"threads=3", "report.every_steps=7", "checkpoint.every_steps=3", "mesh.zero_stage=2"}) {
    EXPECT_EQ(FirstDifference(plain, identity("override: \"" + std::string(same) + "\"")), "");
  }
  EXPECT_THAT(FirstDifference(plain, identity("override: \"steps=20\"")),
              HasSubstr("train.steps: 10 -> 20"));
  EXPECT_THAT(FirstDifference(plain, identity("override: \"model.dropout=0.5\"")),
              HasSubstr("train.model.dropout: 0.1 -> 0.5"));
  EXPECT_THAT(FirstDifference(plain, identity("evaluation { source { path: \"t.jsonl\" } }")),
              HasSubstr("evaluation."));
}

}  // namespace
}  // namespace frond
