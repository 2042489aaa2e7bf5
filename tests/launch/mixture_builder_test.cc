#include "launch/mixture_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "core/base/file.h"
#include "launch/training_data.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

constexpr double kTolerance = 1e-12;

// `count` rows of a language; every third is of template "b".
std::string RowsOf(const std::string& language, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += R"({"inputs": ")" + TinySentence(i) + R"(", "targets": ")" + TinySentence(i + 1) +
            R"(", "language": ")" + language + R"(", "template_id": ")" + (i % 3 == 0 ? "b" : "a") +
            "\"}\n";
  }
  return text;
}

class MixtureBuilder : public testing::Test {
 protected:
  MixtureBuilder() {
    EXPECT_TRUE(CreateDirectories(folder_).ok());
    Write("aya.jsonl", RowsOf("fi", 30) + RowsOf("sw", 90));
    Write("dolly.jsonl", RowsOf("en", 60));
  }
  ~MixtureBuilder() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  // `aya` and `dolly` go into their places of `data`, as $A and $D.
  config::TrainConfig Config(std::string data) {
    for (const auto& [mark, name] : {std::pair("$A", "aya"), std::pair("$D", "dolly")}) {
      const std::string source = "path: \"" + folder_ + "/" + name + ".jsonl\"";
      data.replace(data.find(mark), 2, source);
    }
    auto config = ParseConfig(
        "work_dir: \"" + folder_ + "\" batch { rows: 4 } data { window: 64 " + data + " }", "test",
        {});
    EXPECT_TRUE(config.ok()) << config.status();
    ResolveDefaults(*config);
    return *config;
  }

  BuiltMixture Build(const std::string& data) {
    auto built = BuildMixture(Config(data), *tokenizer_, 1);
    EXPECT_TRUE(built.ok()) << built.status();
    return built.ok() ? std::move(*built) : BuiltMixture{};
  }

  const std::string folder_ = testing::TempDir() + "/mixture_builder_" + std::to_string(getpid());
  const std::shared_ptr<const Tokenizer> tokenizer_ = TinyTokenizer();
};

TEST_F(MixtureBuilder, AListIsTheTreeOfItsWeights) {
  const BuiltMixture list = Build("source { $A weight: 3 } source { $D }");
  const BuiltMixture tree =
      Build("mixture { dataset { source { $A weight: 3 } } dataset { source { $D } } }");
  ASSERT_EQ(list.leaves.size(), 3u);
  ASSERT_EQ(tree.leaves.size(), 3u);
  EXPECT_FALSE(list.tree.has_value());
  for (size_t i = 0; i < 3; ++i) {
    const LeafInfo &a = list.mixture->leaves()[i], &b = tree.mixture->leaves()[i];
    EXPECT_EQ(a.source, b.source);
    EXPECT_EQ(a.language, b.language);
    EXPECT_EQ(a.num_examples, b.num_examples);
    EXPECT_NEAR(a.probability, b.probability, 1e-15);
  }
}

TEST_F(MixtureBuilder, RulesReachTheLeaves) {
  const BuiltMixture built = Build(
      "mixture { examples: 100 weighting { literal { weight { name: \"people\" weight: 3 } } } "
      "group { name: \"people\" dataset { source { $A } languages { temperature { alpha: 0.3 } } } "
      "}"
      "dataset { source { $D } } limit { dataset: \"dolly\" max_examples: 10 } }");
  ASSERT_EQ(built.leaves.size(), 3u);
  const auto& leaves = built.mixture->leaves();
  const double finnish = std::pow(30, 0.3), swahili = std::pow(90, 0.3);
  EXPECT_NEAR(leaves[2].probability, 0.1, kTolerance);
  EXPECT_NEAR(leaves[0].probability, 0.9 * finnish / (finnish + swahili), kTolerance);
  EXPECT_TRUE(built.tree.has_value());
}

TEST_F(MixtureBuilder, SplitsByTemplate) {
  const BuiltMixture built = Build(
      "mixture { dataset { source { $A } templates { literal {} } } dataset { source { $D } } }");
  ASSERT_EQ(built.leaves.size(), 5u);
  const LeafInfo& second = built.mixture->leaves()[1];
  EXPECT_EQ(second.language, "fi");
  EXPECT_EQ(second.template_id, "b");
  EXPECT_EQ(second.num_examples, 10u);
  EXPECT_NEAR(second.probability, 0.5 * 0.25 * 0.5, kTolerance);
  for (const uint32_t example : built.leaves[1].examples) {
    EXPECT_EQ(built.leaves[1].cache->template_id(example), "b");
    EXPECT_EQ(built.leaves[1].cache->languages()[built.leaves[1].cache->language(example)], "fi");
  }
}

// Characters are counted from ids; the tiny sentences are plain English, one space between words.
TEST_F(MixtureBuilder, CountsCharactersAndTokens) {
  const BuiltMixture built = Build(
      "mixture { weighting { proportional {} unit: CHARACTERS } dataset { source { $A } languages "
      "{ "
      "proportional {} unit: TOKENS } } dataset { source { $D } } }");
  double characters = 0;
  for (int i = 0; i < 60; ++i) {
    // A model puts a space before the first word.
    characters += static_cast<double>(TinySentence(i).size() + TinySentence(i + 1).size() + 2);
  }
  ASSERT_TRUE(built.tree.has_value());
  EXPECT_EQ(built.tree->nodes.back().size.characters, characters);
  double tokens = 0;
  const TokenCache& cache = *built.caches[1];
  for (int64_t i = 0; i < cache.num_examples(); ++i) {
    tokens += cache.source_length(i) + cache.target_length(i);
  }
  EXPECT_EQ(built.tree->nodes.back().size.tokens, tokens);
}

// What the stream of a training run gives is what the tree says.
TEST_F(MixtureBuilder, TheStreamFollowsTheTree) {
  const config::TrainConfig config = Config(
      "mixture { dataset { source { $A } languages { literal { weight { name: \"fin\" weight: 7 } "
      "} } "
      "templates { proportional {} } } dataset { source { $D } } }");
  const auto data = TrainingData::Open(config, *tokenizer_, 1);
  ASSERT_TRUE(data.ok()) << data.status();
  const auto& leaves = (*data)->mixture().leaves();
  for (uint64_t w = 0; w < 200; ++w) {
    const std::vector<uint64_t> counts = (*data)->rows().stream().CountsBefore(w);
    ASSERT_EQ(counts.size(), 5u);
    for (size_t i = 0; i < counts.size(); ++i) {
      const double wanted = leaves[i].probability * static_cast<double>(w) * 64;
      EXPECT_LT(std::abs(static_cast<double>(counts[i]) - wanted), 1) << "window " << w;
    }
  }
  // Examples that the stream names carry the template and the language of their leaf.
  for (const StreamExample& example : (*data)->rows().stream().Window(3)) {
    const LeafExamples& at = (*data)->built().leaves[example.leaf];
    const uint32_t number = at.examples[example.index_in_leaf];
    const LeafInfo& leaf = leaves[example.leaf];
    EXPECT_EQ(at.cache->languages()[at.cache->language(number)], leaf.language);
    if (!leaf.template_id.empty()) {
      EXPECT_EQ(at.cache->template_id(number), leaf.template_id);
    }
    EXPECT_EQ((*data)->SourceOf(example).size(), at.cache->source(number).size());
  }
}

}  // namespace
}  // namespace frond
