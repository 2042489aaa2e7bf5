// Each rule finds the defects that were planted for it: stated precision and recall.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "absl/strings/ascii.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

constexpr size_t kRows = 3000;
constexpr size_t kEvery = 15;  // one row of so many is planted

class PlantedDefects : public PruneTest {
 protected:
  PlantedDefects() : seed_(std::random_device{}()), babbler_(seed_) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }

  // `plant` makes a good row bad; `rows` are those before it.
  using Plant = std::function<void(TestRow& row, const std::vector<TestRow>& rows)>;

  Found Find(decltype(RuleOptions::how) how, const Plant& plant) {
    std::vector<TestRow> rows;
    std::set<int64_t> planted;
    for (size_t i = 0; i < kRows; ++i) {
      TestRow row = babbler_.Row();
      if (i % kEvery == kEvery - 1) {
        plant(row, rows);
        planted.insert(static_cast<int64_t>(i));
      }
      rows.push_back(row);
    }
    PruneOptions options = {.sources = {Source("rows", rows)},
                            .evaluation = evaluation_,
                            .rules = {Rule("rule", std::move(how))},
                            .threads = 2};
    const auto report = Run(options);
    EXPECT_TRUE(report.ok()) << report.status();
    return Compare(options, "rows", "rule", planted);
  }

  void ExpectAll(const Found& found) {
    EXPECT_EQ(found.precision, 1);
    EXPECT_EQ(found.recall, 1);
  }

  uint64_t seed_;
  Babbler babbler_;
  std::vector<PruneSource> evaluation_;
};

TEST_F(PlantedDefects, Templates) {
  ExpectAll(Find(TemplateOptions{.drop = {"bad", "worse"}},
                 [&](TestRow& row, const auto&) { row.template_id = "worse"; }));
}

TEST_F(PlantedDefects, Lengths) {
  const LengthOptions::Range at_least_two = {.low = 2};
  ExpectAll(Find(LengthOptions{.target_words = at_least_two},
                 [&](TestRow& row, const auto&) { row.targets = babbler_.Word() + "!"; }));
  ExpectAll(Find(LengthOptions{.ratio = {.low = 0.01, .high = 20}},
                 [&](TestRow& row, const auto&) { row.inputs = "a"; }));
  ExpectAll(Find(LengthOptions{.input_characters = {.high = 500}},
                 [&](TestRow& row, const auto&) { row.inputs = babbler_.Sentence(150); }));
}

TEST_F(PlantedDefects, Targets) {
  ExpectAll(Find(TargetOptions{}, [&](TestRow& row, const auto&) {
    row.targets = babbler_.Draw(2) == 0 ? " \t" : "  " + absl::AsciiStrToUpper(row.inputs);
  }));
}

TEST_F(PlantedDefects, Script) {
  ExpectAll(Find(ScriptOptions{}, [&](TestRow& row, const auto&) {
    static constexpr const char* kForeign[] = {"Это предложение по-русски.", "これは日本語です。",
                                               "هذه جملة عربية.", "นี่คือประโยคภาษาไทย"};
    row.targets = kForeign[babbler_.Draw(4)];
  }));
}

TEST_F(PlantedDefects, Urls) {
  ExpectAll(Find(ShareOptions{.of = ShareOptions::Of::kUrls}, [&](TestRow& row, const auto&) {
    for (int i = 0; i < 12; ++i) {
      absl::StrAppend(&row.targets, " https://", babbler_.Word(), ".org/", babbler_.Word(), "?q=1");
    }
  }));
}

TEST_F(PlantedDefects, Code) {
  const Found found =
      Find(ShareOptions{.of = ShareOptions::Of::kCode, .max_share = 0.4},
           [&](TestRow& row, const auto&) {
             static constexpr const char* kCode[] = {
                 "#include <vector>\nint main() {\n  return f(3);\n}",
                 "def f(x):\n    y = g(x) + h[x]\n    return y\nprint(f(2))\n",
                 "SELECT a, b FROM t WHERE (a = 1);", "<div class=\"a\"><p>{{ x }}</p></div>"};
             row.inputs = "Andika programu:";
             row.targets = kCode[babbler_.Draw(4)];
           });
  EXPECT_EQ(found.precision, 1);
  EXPECT_GE(found.recall, 0.99);
}

TEST_F(PlantedDefects, Repetition) {
  ExpectAll(Find(RepetitionOptions{}, [&](TestRow& row, const auto&) {
    const std::string part = babbler_.Sentence(3);
    row.targets = part;
    for (int i = 0; i < 6; ++i) absl::StrAppend(&row.targets, " ", part);
  }));
}

TEST_F(PlantedDefects, Patterns) {
  ExpectAll(Find(PatternOptions{.pattern = "(?i)as an ai (language )?model"},
                 [&](TestRow& row, const auto&) {
                   absl::StrAppend(&row.targets, " As an AI model, ", babbler_.Word());
                 }));
}

TEST_F(PlantedDefects, ExactDuplicates) {
  ExpectAll(Find(ExactDuplicateOptions{}, [&](TestRow& row, const auto& rows) {
    row = rows[babbler_.Draw(rows.size())];
    if (babbler_.Draw(2) == 0) row.inputs = "\n " + absl::AsciiStrToUpper(row.inputs);
    if (babbler_.Draw(2) == 0) {
      row.targets.insert(row.targets.find(' '), "\xC2\xA0 ");  // no-break space
    }
  }));
}

TEST_F(PlantedDefects, Contamination) {
  std::vector<TestRow> held;
  for (int i = 0; i < 300; ++i) held.push_back(babbler_.Row());
  evaluation_ = {Source("held", held)};
  ExpectAll(Find(ExactDuplicateOptions{.side = Side::kInputs, .rows = false},
                 [&](TestRow& row, const auto&) { row.inputs = held[babbler_.Draw(300)].inputs; }));
}

}  // namespace
}  // namespace frond
