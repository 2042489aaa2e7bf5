#include "data/templates/row_templates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/token_cache.h"
#include "tests/data/test_files.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Codes are case-blind here.
std::string Canonical(absl::string_view code) {
  std::string text(code);
  for (char& c : text) c = static_cast<char>(c | 0x20);
  return text;
}

RowTemplate Jinja(PromptInfo info, const std::string& text,
                  std::vector<std::string> languages = {}) {
  return {*Prompt::FromJinja(std::move(info), text, ""), std::move(languages)};
}

std::vector<std::string> Rendered(const RowTemplates& templates, const nlohmann::json& row,
                                  const std::string& language) {
  const auto examples = templates.Render(row, {.language = language, .dataset_name = "d"});
  EXPECT_TRUE(examples.ok()) << examples.status();
  std::vector<std::string> texts;
  for (const Example& e : *examples) {
    EXPECT_EQ(e.dataset_name, "d");
    texts.push_back(
        absl::StrCat(e.language, " ", e.template_id, ": ", e.inputs, " => ", e.targets));
  }
  return texts;
}

TEST(RowTemplatesTest, RendersThoseThatAreForTheRow) {
  const auto templates = *RowTemplates::Create(
      {Jinja({.id = "1", .name = "all"}, "q {{x}} ||| a"),
       Jinja({.id = "2", .name = "one"}, "f {{x}} ||| a", {"FI", "et"}),
       Jinja({.id = "3", .name = "other"}, "{% if x > 1 %}big{% endif %} ||| a"),
       Jinja({.id = "4", .name = "en", .example_language = "aa"}, "e {{x}} ||| b")},
      Canonical);
  EXPECT_THAT(Rendered(*templates, {{"x", 1}}, "fi"),
              ElementsAre("aa en: e 1 => b", "fi all: q 1 => a", "fi one: f 1 => a"));
  EXPECT_THAT(Rendered(*templates, {{"x", 2}}, "sw"),
              ElementsAre("aa en: e 2 => b", "sw all: q 2 => a", "sw other: big => a"));
  EXPECT_THAT(std::string(templates->Render({{"y", 2}}, {.language = "sw"}).status().message()),
              HasSubstr("template 'all' (1): there is no field 'x'"));
}

TEST(RowTemplatesTest, LabelsTellTemplatesApart) {
  const auto templates = *RowTemplates::Create(
      {Jinja({.id = "1", .name = "a"}, "x ||| y"), Jinja({.id = "2", .name = "a"}, "x ||| y"),
       Jinja({.id = "3", .name = "b"}, "x ||| y"), Jinja({.id = "4"}, "x ||| y")},
      Canonical);
  EXPECT_THAT(templates->labels(), ElementsAre("a (1)", "a (2)", "b", "4"));
  EXPECT_FALSE(RowTemplates::Create({}, Canonical).ok());
  EXPECT_THAT(
      std::string(RowTemplates::Create(
                      {Jinja({.id = "1"}, "x ||| y"), Jinja({.id = "1"}, "x ||| z")}, Canonical)
                      .status()
                      .message()),
      HasSubstr("two templates have the id '1'"));
}

class TemplateCacheTest : public DataTest {
 protected:
  absl::StatusOr<std::shared_ptr<const TokenCache>> Open(std::vector<RowTemplate> templates,
                                                         const std::string& path) {
    return TokenCache::OpenOrBuild(
        {.name = "raw",
         .paths = {path},
         .templates = *RowTemplates::Create(std::move(templates), Canonical),
         .cache_dir = folder_},
        *tokenizer_);
  }

  std::string Text(std::span<const int32_t> ids) const { return *tokenizer_->Decode(ids); }

  std::shared_ptr<const Tokenizer> tokenizer_ = TinyTokenizer();
};

TEST_F(TemplateCacheTest, HoldsTheVariantsOfEveryRow) {
  std::string rows;
  for (int i = 0; i < 5000; ++i) {  // several chunks
    absl::StrAppend(&rows, R"({"text": ")", TinySentence(i), R"(", "n": )", i, R"(, "language": ")",
                    i % 3 == 0 ? "sw" : "en", "\"}\n");
  }
  // By the rest of n by 4: rows with both, with one, with the other, with none.
  const auto cache = Open({Jinja({.id = "A"}, "{% if n % 4 < 2 %}{{text}} ||| red{% endif %}"),
                           Jinja({.id = "B"}, "{% if n % 2 == 0 %}{{text}} ||| blue{% endif %}")},
                          Write("rows.jsonl", rows));
  ASSERT_TRUE(cache.ok()) << cache.status();
  EXPECT_THAT((*cache)->templates(), ElementsAre("A", "B"));
  EXPECT_THAT((*cache)->languages(), ElementsAre("en", "sw"));
  ASSERT_EQ((*cache)->num_examples(), 3750);
  EXPECT_EQ((*cache)->num_variants(), 5000);
  int64_t example = 0, variant = 0;
  std::vector<uint32_t> of_language[2];
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::string> expected;
    if (i % 4 < 2) expected.push_back("A");
    if (i % 2 == 0) expected.push_back("B");
    if (expected.empty()) continue;
    const TokenCache::Variants variants = (*cache)->variants(example);
    ASSERT_EQ(variants.begin, variant);
    ASSERT_EQ(variants.count, static_cast<int64_t>(expected.size()));
    for (const std::string& label : expected) {
      ASSERT_EQ((*cache)->template_id(variant), label);
      ASSERT_EQ((*cache)->language(variant), i % 3 == 0 ? 1 : 0);
      ASSERT_EQ(Text((*cache)->source(variant)), TinySentence(i));
      ASSERT_EQ(Text((*cache)->target(variant)), label == "A" ? "red" : "blue");
      ++variant;
    }
    of_language[i % 3 == 0 ? 1 : 0].push_back(static_cast<uint32_t>(example++));
  }
  EXPECT_EQ(example, 3750);
  for (int32_t language = 0; language < 2; ++language) {
    EXPECT_THAT((*cache)->examples_of_language(language),
                testing::ElementsAreArray(of_language[language]));
  }
}

TEST_F(TemplateCacheTest, IsBuiltAnewForOtherTemplates) {
  const std::string path = Write("rows.jsonl", "{\"text\": \"red\", \"language\": \"en\"}\n");
  const auto first = Open({Jinja({.id = "A"}, "{{text}} ||| blue")}, path);
  const auto again = Open({Jinja({.id = "A"}, "{{text}} ||| blue")}, path);
  const auto other = Open({Jinja({.id = "A"}, "{{text}} ||| white")}, path);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok());
  EXPECT_EQ((*first)->key(), (*again)->key());
  EXPECT_NE((*first)->key(), (*other)->key());
  EXPECT_NE((*first)->content_hash(), (*other)->content_hash());
  EXPECT_EQ(Text((*other)->target(0)), "white");
}

TEST_F(TemplateCacheTest, SplitsARowByLanguage) {
  const std::string path = Write("rows.jsonl", R"({"text": "red", "language": "en"})"
                                               "\n");
  const auto cache = Open({Jinja({.id = "A"}, "{{text}} ||| blue"),
                           Jinja({.id = "B", .example_language = "sw"}, "{{text}} ||| grey"),
                           Jinja({.id = "C"}, "{{text}} ||| white")},
                          path);
  ASSERT_TRUE(cache.ok()) << cache.status();
  ASSERT_EQ((*cache)->num_examples(), 2);
  EXPECT_EQ((*cache)->variants(0).count, 2);
  EXPECT_EQ((*cache)->template_id(1), "C");
  EXPECT_EQ((*cache)->template_id((*cache)->variants(1).begin), "B");
  EXPECT_THAT((*cache)->examples_of_language(1), ElementsAre(1));
}

TEST_F(TemplateCacheTest, NamesTheRowThatLacksAField) {
  const std::string path = Write("rows.jsonl", R"({"text": "red", "language": "en"})"
                                               "\n\n"
                                               R"({"txet": "red", "language": "en"})"
                                               "\n");
  EXPECT_EQ(Open({Jinja({.id = "A"}, "{{text}} ||| blue")}, path).status().message(),
            absl::StrCat(path, ":3: template 'A': there is no field 'text'"));
  EXPECT_THAT(
      std::string(
          Open({Jinja({.id = "A"}, "{% if 0 %}x ||| y{% endif %}")}, path).status().message()),
      HasSubstr("' holds 2 rows, for which no template has anything to say"));
}

}  // namespace
}  // namespace frond
