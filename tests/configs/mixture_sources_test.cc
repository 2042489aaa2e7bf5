#include "configs/mixture_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/file.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MixtureSources : public testing::Test {
 protected:
  MixtureSources() { EXPECT_TRUE(CreateDirectories(folder_ + "/shared").ok()); }
  ~MixtureSources() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  // A config whose tree is `mixture`, read from a file, resolved and validated.
  absl::StatusOr<config::TrainConfig> Read(const std::string& mixture,
                                           const std::vector<std::string>& sets = {}) {
    Write("run.textproto",
          "work_dir: \"w\" steps: 1 batch { rows: 1 } model { preset: \"mt5-small\" }\n"
          "data { tokenizer: \"t\"\n" +
              mixture + "}\n");
    auto config = ReadConfig(folder_ + "/run.textproto", sets);
    if (!config.ok()) return config;
    ResolveDefaults(*config);
    const absl::Status valid = ValidateTrainConfig(*config);
    if (!valid.ok()) return valid;
    return config;
  }

  std::string ErrorOf(const std::string& mixture) {
    const auto config = Read(mixture);
    EXPECT_FALSE(config.ok()) << mixture;
    EXPECT_EQ(config.status().message().find('\n'), absl::string_view::npos);
    return std::string(config.status().message());
  }

  const std::string folder_ = testing::TempDir() + "/mixture_sources_" + std::to_string(getpid());
};

std::vector<std::string> NamesOf(const config::TrainConfig& config) {
  std::vector<std::string> names;
  for (const config::Source* source : SourcesOf(config.data())) names.push_back(source->name());
  return names;
}

constexpr char kTree[] = R"(mixture {
  weighting { literal {} }
  across_languages { temperature { alpha: 0.3 } unit: TOKENS }
  group {
    name: "human" weight: 3
    dataset { source { path: "aya-*.jsonl" } languages { unimax { budget: 1000 } } }
    limit { each: LEAF max_epochs: 4 }
  }
  dataset { source { path: "news.jsonl" weight: 2 } }
  examples: 1000
})";

TEST_F(MixtureSources, ReadsATree) {
  const auto config = Read(kTree);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(NamesOf(*config), ElementsAre("aya", "news"));
  const config::Mixture& root = config->data().mixture();
  EXPECT_FALSE(root.group(0).has_weighting()) << "defaults write no rule into a tree";
  EXPECT_FALSE(root.dataset(0).has_languages());
  EXPECT_EQ(root.dataset(0).source().fields().inputs(), "inputs");
  // What a run saves reads back.
  const auto again = ParseConfig(ConfigToText(*config), "again", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->DebugString(), config->DebugString());
}

TEST_F(MixtureSources, AListHasNoTree) {
  const auto config = Read("source { path: \"a.jsonl\" }");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->data().has_mixture());
  EXPECT_THAT(NamesOf(*config), ElementsAre("a"));
}

TEST_F(MixtureSources, ImportsStandInTheirPlace) {
  Write("shared/human.textproto",
        "name: \"human\" weight: 5 weighting { proportional {} }\n"
        "group { import: \"more.textproto\" }\n"
        "dataset { source { path: \"aya.jsonl\" } }");
  Write("shared/more.textproto", "name: \"more\" dataset { source { path: \"dolly.jsonl\" } }");
  const auto config = Read(
      "mixture { group { import: \"shared/human.textproto\" name: \"people\" "
      "weighting { temperature { temperature: 2 } } } }");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(NamesOf(*config), ElementsAre("dolly", "aya"));
  const config::Mixture& group = config->data().mixture().group(0);
  EXPECT_EQ(group.name(), "people");
  EXPECT_EQ(group.weight(), 5);
  EXPECT_TRUE(group.weighting().has_temperature());
  EXPECT_FALSE(group.has_import());
}

TEST_F(MixtureSources, OneFileMayBeImportedByTwo) {
  Write("part.textproto", "dataset { source { path: \"a.jsonl\" name: \"a\" } }");
  EXPECT_THAT(ErrorOf("mixture { group { import: \"part.textproto\" name: \"x\" } group { import: "
                      "\"part.textproto\" name: \"y\" } }"),
              HasSubstr("\"a\", which another dataset of the tree has"));
}

TEST_F(MixtureSources, RefusesCircles) {
  Write("shared/a.textproto", "name: \"a\" group { import: \"../shared/./b.textproto\" }");
  Write("shared/b.textproto", "name: \"b\" group { import: \"../shared/a.textproto\" }");
  const std::string message = ErrorOf("mixture { import: \"shared/a.textproto\" }");
  EXPECT_THAT(message, HasSubstr("import each other in a circle"));
  EXPECT_THAT(message, HasSubstr("/shared/a.textproto -> "));
  Write("self.textproto", "import: \"self.textproto\"");
  EXPECT_THAT(ErrorOf("mixture { import: \"self.textproto\" }"), HasSubstr("circle"));
}

TEST_F(MixtureSources, NamesWhatIsWrong) {
  const std::string data = "dataset { source { path: \"a.jsonl\" } }";
  EXPECT_THAT(ErrorOf("mixture { import: \"none.textproto\" }"), HasSubstr("none.textproto"));
  Write("bad.textproto", "nmae: \"x\"");
  EXPECT_THAT(ErrorOf("mixture { import: \"bad.textproto\" }"), HasSubstr("bad.textproto:1:"));
  EXPECT_THAT(ErrorOf("mixture { import: \"bad.textproto\" " + data + " }"),
              HasSubstr("beside import"));
  EXPECT_THAT(ErrorOf("mixture { group { " + data + " } }"),
              HasSubstr("data.mixture.group[0].name is missing"));
  EXPECT_THAT(ErrorOf("mixture { group { name: \"g\" } }"),
              HasSubstr("give it a group or a dataset"));
  EXPECT_THAT(ErrorOf("mixture { }"), HasSubstr("data.mixture is missing; give it"));
  EXPECT_THAT(ErrorOf("source { path: \"b.jsonl\" } mixture { " + data + " }"),
              HasSubstr("data.mixture has the datasets"));
  EXPECT_THAT(ErrorOf("mixture { weighting { } " + data + " }"), HasSubstr("name one of literal"));
  EXPECT_THAT(ErrorOf("mixture { weighting { temperature { } } " + data + " }"),
              HasSubstr("either temperature or alpha"));
  EXPECT_THAT(
      ErrorOf("mixture { weighting { temperature { alpha: 1 temperature: 1 } } " + data + " }"),
      HasSubstr("either temperature or alpha"));
  EXPECT_THAT(ErrorOf("mixture { weighting { unimax { } } " + data + " }"),
              HasSubstr("unimax.budget"));
  EXPECT_THAT(ErrorOf("mixture { dataset { source { name: \"a\" } } }"),
              HasSubstr("data.mixture.dataset[0].source.path is missing"));
  EXPECT_THAT(ErrorOf("mixture { group { name: \"g\" examples: 3 " + data + " } }"),
              HasSubstr("belongs to the root"));
}

TEST_F(MixtureSources, OrderFollowsTheTreeAndNotItsPaths) {
  const uint64_t hash = DataOrderHash(*Read(kTree));
  EXPECT_EQ(
      DataOrderHash(*Read(kTree, {"data.mixture.dataset[0].source.path=elsewhere/news.jsonl"})),
      hash);
  EXPECT_NE(DataOrderHash(*Read(kTree, {"data.mixture.dataset[0].source.weight=3"})), hash);
  EXPECT_NE(DataOrderHash(*Read(kTree, {"data.mixture.across_languages.temperature.alpha=0.4"})),
            hash);
}

}  // namespace
}  // namespace frond
