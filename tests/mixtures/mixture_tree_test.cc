#include "mixtures/mixture_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <span>

#include "core/base/hash.h"
#include "mixtures/languages.h"

namespace frond {
namespace {

using testing::HasSubstr;
using Kind = WeightRule::Kind;

constexpr double kTolerance = 1e-12;

MixtureNode Leaf(const std::string& language, double examples) {
  MixtureNode node = {.name = language, .level = TreeLevel::kLanguage};
  node.size = {.examples = examples, .tokens = 7 * examples, .characters = 31 * examples};
  return node;
}

MixtureNode Dataset(const std::string& name, std::vector<MixtureNode> languages,
                    const WeightRule& rule = {.kind = Kind::kProportional}) {
  MixtureNode node = {.name = name, .level = TreeLevel::kDataset};
  node.rule = rule;
  node.children = std::move(languages);
  return node;
}

MixtureNode Group(const std::string& name, std::vector<MixtureNode> children,
                  const WeightRule& rule = {}) {
  MixtureNode node = {.name = name};
  node.rule = rule;
  node.children = std::move(children);
  return node;
}

// aya: 100 Finnish, 300 Swahili; dolly: 600 English; 50 Finnish in news.
MixtureTree Small() {
  MixtureTree tree;
  tree.root = Group("", {Group("human", {Dataset("aya", {Leaf("fi", 100), Leaf("sw", 300)}),
                                         Dataset("dolly", {Leaf("en", 600)})}),
                         Dataset("news", {Leaf("fin", 50)})});
  tree.root.children[0].weight = 3;
  return tree;
}

std::string ErrorOf(const MixtureTree& tree) {
  const auto resolved = ResolveTree(tree);
  EXPECT_FALSE(resolved.ok());
  EXPECT_EQ(resolved.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(resolved.status().message().find('\n'), absl::string_view::npos);
  return std::string(resolved.status().message());
}

// ---- Random trees against the formulas, written once more

class RandomTree {
 public:
  explicit RandomTree(unsigned seed) : random_(seed) {}

  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }

  WeightRule Rule() {
    WeightRule rule;
    rule.kind = static_cast<Kind>(random_() % 5);
    rule.unit = static_cast<SizeUnit>(random_() % 3);
    rule.temperature = Uniform(0.5, 6);
    rule.examples_proportional = {.scale = Uniform(0.5, 2),
                                  .maximum = random_() % 2 == 0 ? 0 : std::pow(10, Uniform(1, 6)),
                                  .temperature = Uniform(0.5, 4)};
    rule.budget = std::pow(10, Uniform(2, 8));
    rule.max_epochs = Uniform(0.5, 5);
    return rule;
  }

  MixtureNode Node(int depth) {
    MixtureNode node = {.name = "n" + std::to_string(++count_)};
    node.weight = Uniform(0.1, 5);
    node.rule = Rule();
    node.level = depth == 0 ? TreeLevel::kDataset : TreeLevel::kGroup;
    const size_t children = 1 + random_() % 4;
    for (size_t c = 0; c < children; ++c) {
      if (depth > 0) {
        node.children.push_back(Node(depth - 1));
      } else {
        node.children.push_back(
            Leaf("l" + std::to_string(c), std::floor(std::pow(10, Uniform(0, 6)))));
        node.children.back().size.tokens *= Uniform(1, 3);
      }
    }
    return node;
  }

 private:
  std::mt19937_64 random_;
  int count_ = 0;
};

long double SumOf(const MixtureNode& node, SizeUnit unit) {
  if (node.children.empty()) {
    if (unit == SizeUnit::kExamples) return node.size.examples;
    return unit == SizeUnit::kTokens ? node.size.tokens : node.size.characters;
  }
  long double sum = 0;
  for (const MixtureNode& child : node.children) sum += SumOf(child, unit);
  return sum;
}

// Water-filling by halving the level.
long double UniMaxRate(const MixtureNode& node, long double size) {
  const WeightRule& rule = node.rule;
  long double low = 0, high = rule.budget;
  for (int k = 0; k < 200; ++k) {
    const long double level = (low + high) / 2;
    long double used = 0;
    for (const MixtureNode& child : node.children) {
      used += std::min(level, rule.max_epochs * SumOf(child, rule.unit));
    }
    (used < rule.budget ? low : high) = level;
  }
  return std::min(high, rule.max_epochs * size);
}

long double RateOf(const MixtureNode& node, const MixtureNode& child) {
  const WeightRule& rule = node.rule;
  const long double n = SumOf(child, rule.unit);
  switch (rule.kind) {
    case Kind::kLiteral:
      return child.weight.value_or(1);
    case Kind::kProportional:
      return n;
    case Kind::kTemperature:
      return std::exp(std::log(n) / rule.temperature);
    case Kind::kExamplesProportional: {
      long double rate = n * rule.examples_proportional.scale;
      const long double most = rule.examples_proportional.maximum;
      if (most > 0) rate = std::min(rate, most);
      return std::exp(std::log(rate) / rule.examples_proportional.temperature);
    }
    case Kind::kUniMax:
      return UniMaxRate(node, n);
  }
  return 0;
}

void Expected(const MixtureNode& node, long double share, std::vector<long double>& leaves) {
  if (node.children.empty()) {
    leaves.push_back(share);
    return;
  }
  long double total = 0;
  for (const MixtureNode& child : node.children) total += RateOf(node, child);
  for (const MixtureNode& child : node.children) {
    Expected(child, share * RateOf(node, child) / total, leaves);
  }
}

TEST(MixtureTree, RandomTreesAreTheirFormulas) {
  const unsigned seed = std::random_device{}();
  RandomTree random(seed);
  for (int trial = 0; trial < 300; ++trial) {
    MixtureTree tree;
    tree.root = random.Node(1 + trial % 3);
    const auto resolved = ResolveTree(tree);
    ASSERT_TRUE(resolved.ok()) << resolved.status() << " seed " << seed;
    std::vector<long double> expected;
    Expected(tree.root, 1, expected);
    ASSERT_EQ(resolved->probabilities.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(resolved->probabilities[i], static_cast<double>(expected[i]), kTolerance)
          << "trial " << trial << " seed " << seed;
    }
  }
}

// ---- Levels and names

TEST(MixtureTree, LiteralOverProportional) {
  const auto resolved = ResolveTree(Small());
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const std::vector<double> expected = {0.75 / 2 / 4, 0.75 / 2 * 3 / 4, 0.75 / 2, 0.25};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(resolved->probabilities[i], expected[i], kTolerance);
  }
  ASSERT_EQ(resolved->nodes.size(), 9u);
  const ResolvedNode& aya = resolved->nodes[2];
  EXPECT_EQ(aya.name, "aya");
  EXPECT_NEAR(aya.probability, 0.375, kTolerance);
  EXPECT_EQ(aya.size.examples, 400);
  EXPECT_EQ(aya.reason, "weight 1 of 2");
  EXPECT_EQ(aya.rule, "proportional over examples");
  EXPECT_EQ(resolved->nodes[3].reason, "100 of 400");
  EXPECT_EQ(resolved->nodes[0].probability, 1);
}

TEST(MixtureTree, LiteralWeightsOfLanguagesByAnyCode) {
  MixtureTree tree = Small();
  WeightRule& rule = tree.root.children[0].children[0].rule;
  rule = {.kind = Kind::kLiteral, .weights = {{"fin_Latn", 4}}, .others = 1};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_NEAR(resolved->probabilities[0], 0.375 * 0.8, kTolerance);
  rule.weights = {{"swx", 4}};
  EXPECT_THAT(ErrorOf(tree), HasSubstr("dataset \"aya\": a weight for \"swx\""));
  EXPECT_THAT(ErrorOf(tree), HasSubstr("\"sw\""));
}

// Finnish lies in two datasets under two codes. Its share is that of the rule over languages; its
// two leaves keep their proportion.
TEST(MixtureTree, RulesAcrossLanguages) {
  MixtureTree tree = Small();
  tree.root.across_languages = {.kind = Kind::kTemperature, .temperature = 1 / 0.3};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const double finnish = std::pow(150, 0.3), swahili = std::pow(300, 0.3),
               english = std::pow(600, 0.3);
  const double total = finnish + swahili + english;
  const std::vector<double>& p = resolved->probabilities;
  EXPECT_NEAR(p[0] + p[3], finnish / total, kTolerance);
  EXPECT_NEAR(p[0] / p[3], (0.75 / 2 / 4) / 0.25, kTolerance);
  EXPECT_NEAR(p[1], swahili / total, kTolerance);
  EXPECT_NEAR(p[2], english / total, kTolerance);
  EXPECT_EQ(resolved->nodes[0].languages.size(), 3u);
}

TEST(MixtureTree, WeightsSwitchOff) {
  MixtureTree tree = Small();
  tree.root.children[0].weight = 0;
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->probabilities[3], 1);
  EXPECT_EQ(resolved->probabilities[0], 0);
}

// ---- Limits

// Shares of the small tree: fi 9.375, sw 28.125, en 37.5, fin 25 percent.
TEST(MixtureTree, CapOnALanguageHoldsOverDatasets) {
  MixtureTree tree = Small();
  tree.limits = {{.language = "fin", .max_share = 0.1}};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const std::vector<double>& p = resolved->probabilities;
  EXPECT_NEAR(p[0] + p[3], 0.1, kTolerance);
  EXPECT_NEAR(p[0] / p[3], 9.375 / 25, kTolerance);
  EXPECT_NEAR(p[1], 0.9 * 28.125 / 65.625, kTolerance);
  ASSERT_EQ(resolved->limits.size(), 1u);
  EXPECT_TRUE(resolved->limits[0].binds);
  EXPECT_NEAR(resolved->limits[0].wanted, 0.34375, kTolerance);
  EXPECT_THAT(FormatTree(*resolved), HasSubstr("limit max_share 0.1 of language \"fin\""));
}

// In a run of 1000 examples: news may give its 50 twice, 100 or 10 percent.
TEST(MixtureTree, EpochsOfEveryLeaf) {
  MixtureTree tree = Small();
  tree.examples = 1000;
  tree.limits = {{.each = ShareLimit::Each::kLeaf, .max_epochs = 2}};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const std::vector<double>& p = resolved->probabilities;
  EXPECT_NEAR(p[3], 0.1, kTolerance);
  EXPECT_NEAR(p[2], 0.9 * 0.5, kTolerance);
  EXPECT_EQ(resolved->limits.size(), 4u);
  EXPECT_FALSE(resolved->limits[0].binds);
}

TEST(MixtureTree, QuotaOfAResourceClass) {
  MixtureTree tree = Small();
  tree.limits = {{.resource_class = "low", .min_share = 0.6}};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_NEAR(resolved->probabilities[1], 0.6, kTolerance);  // Swahili
}

TEST(MixtureTree, LimitsPerDatasetAndLanguage) {
  MixtureTree tree = Small();
  tree.limits = {{.each = ShareLimit::Each::kDatasetLanguage, .max_share = 0.3},
                 {.dataset = "aya", .min_share = 0.5}};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const std::vector<double>& p = resolved->probabilities;
  EXPECT_NEAR(p[0] + p[1], 0.5, 1e-10);
  for (const double share : p) EXPECT_LE(share, 0.3 + 1e-10);
}

// ---- Size and bits

// 100 datasets of 100 languages under every kind of rule, with limits that cross.
MixtureTree Large() {
  MixtureTree tree;
  tree.examples = 1e8;
  tree.limits = {{.each = ShareLimit::Each::kLeaf, .max_epochs = 3},
                 {.resource_class = "low", .min_share = 0.55},
                 {.each = ShareLimit::Each::kLanguage, .max_share = 0.03}};
  const std::span<const LanguageInfo> languages = LanguageTable();
  for (int d = 0; d < 100; ++d) {
    std::vector<MixtureNode> leaves;
    for (int l = 0; l < 100; ++l) {
      leaves.push_back(
          Leaf(std::string(languages[l].iso3), 2 + (d * 7919 + l * l * 104729) % 40000));
    }
    WeightRule rule = {.kind = static_cast<Kind>(d % 5), .temperature = 1 / 0.3};
    rule.examples_proportional = {.scale = 1, .maximum = 9000, .temperature = 2};
    rule.budget = 1e6;
    rule.max_epochs = 2;
    tree.root.children.push_back(Dataset("d" + std::to_string(d), std::move(leaves), rule));
  }
  tree.root.rule = {.kind = Kind::kTemperature, .temperature = 2};
  return tree;
}

TEST(MixtureTree, TenThousandLeavesCost) {
  const MixtureTree tree = Large();
  const auto start = std::chrono::steady_clock::now();
  const auto resolved = ResolveTree(tree);
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->probabilities.size(), 10'000u);
  std::printf("10,000 leaves, three limits: resolved in %g ms\n", spent.count());
}

// The bits of shares decide the order of the data, which must be the same on every machine: with
// whatever C library and processor.
TEST(MixtureTree, SharesAreTheSameOnEveryMachine) {
  const auto resolved = ResolveTree(Large());
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const std::vector<double>& p = resolved->probabilities;
  const uint64_t hash =
      Hash64(absl::string_view(reinterpret_cast<const char*>(p.data()), p.size() * sizeof(double)));
  EXPECT_EQ(HashToHex(hash), "e01910361e3e7207");
}

// ---- What is refused

TEST(MixtureTree, NamesWhatIsWrong) {
  const auto with = [](const std::function<void(MixtureTree&)>& change) {
    MixtureTree tree = Small();
    change(tree);
    return ErrorOf(tree);
  };
  EXPECT_THAT(with([](auto& t) { t.limits = {{.language = "fni", .max_share = 0.1}}; }),
              HasSubstr("unknown code; did you mean \"fi"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.dataset = "ay", .max_share = 0.1}}; }),
              HasSubstr("did you mean \"aya\"?"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.group = "humans", .max_share = 0.1}}; }),
              HasSubstr("did you mean \"human\"?"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.resource_class = "lo", .max_share = 0.1}}; }),
              HasSubstr("one of high, mid, low, other"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.language = "de", .min_share = 0.1}}; }),
              HasSubstr("min_share 0.1 of language \"de\" cannot be met: no leaf"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.language = "fi"}}; }), HasSubstr("without a bound"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.language = "fi", .max_epochs = 2}}; }),
              HasSubstr("needs `examples`"));
  EXPECT_THAT(with([](auto& t) { t.limits = {{.language = "fi", .max_share = 1.5}}; }),
              HasSubstr("at most 1"));
  EXPECT_THAT(with([](auto& t) {
                t.examples = 1e6;
                t.limits = {{.each = ShareLimit::Each::kLeaf, .max_epochs = 1}};
              }),
              HasSubstr("they allow 0.00105"));
  EXPECT_THAT(with([](auto& t) { t.root.children[1].children[0].size.examples = 0; }),
              HasSubstr("\"news\" has weight 1 but no examples"));
  EXPECT_THAT(with([](auto& t) { t.root.children[0].weight = -1; }), HasSubstr("is -1"));
  EXPECT_THAT(with([](auto& t) { t.root.children[1].name = "human"; }),
              HasSubstr("two children named \"human\""));
  EXPECT_THAT(with([](auto& t) { t.root.children.clear(); }), HasSubstr("no dataset"));
  EXPECT_THAT(with([](auto& t) { t.root.rule = {.kind = Kind::kTemperature, .temperature = 0}; }),
              HasSubstr("temperature is 0"));
  EXPECT_THAT(
      with([](auto& t) { t.root.rule = {.kind = Kind::kTemperature, .temperature = 1e-310}; }),
      HasSubstr("of which there is no inverse"));
  EXPECT_THAT(with([](auto& t) {
                t.root.rule = {.kind = Kind::kExamplesProportional,
                               .examples_proportional = {.scale = 1e6, .temperature = 0.01}};
              }),
              HasSubstr("the rates are too large to add"));
  EXPECT_THAT(with([](auto& t) { t.root.rule = {.kind = Kind::kUniMax, .budget = -1}; }),
              HasSubstr("budget is -1"));
}

// A limit on a language that the mixture does not have is no error: limits may be shared by files.
TEST(MixtureTree, ACapOnWhatIsNotThereHoldsNothing) {
  MixtureTree tree = Small();
  tree.limits = {{.language = "de", .max_share = 0.1}};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_TRUE(resolved->limits.empty());
}

TEST(MixtureTree, PrintsAsATree) {
  MixtureTree tree = Small();
  tree.limits = {{.dataset = "news", .max_share = 0.125}};
  const auto resolved = ResolveTree(tree);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  const std::string text = FormatTree(*resolved);
  EXPECT_THAT(text, HasSubstr("100.0000 %  mixture"));
  EXPECT_THAT(text, HasSubstr("    aya"));
  EXPECT_THAT(text, HasSubstr("weight 3 of 4; limits: from 75 %; -> literal weights"));
  EXPECT_THAT(text, HasSubstr("      sw"));
  EXPECT_THAT(FormatTree(*resolved, 1), HasSubstr("(1 more)"));
}

}  // namespace
}  // namespace frond
