#include "data/templates/prompt_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/data/test_files.h"

namespace frond {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kFile[] = R"(dataset: animals
subset: en
templates:
  7f1: !Template
    answer_choices: Yes ||| No
    id: 7f1
    jinja: 'Is a {{animal}} big?

      Say "yes" or "no". ||| {{ answer_choices[label] }}'
    metadata: !TemplateMetadata
      choices_in_prompt: true
      languages:
      - en
      - sw
      metrics: []
      original_task: true
    name: is it big
    reference: ''
  8a2: !Template
    answer_choices: null
    id: 8a2
    jinja: "Kuvaile el\xE4in: {{animal}}\n|||\n{% filter upper %}{{ text }}{%\
      \ endfilter %}"
    metadata: !TemplateMetadata
      languages: []
    name: describe
    reference: null
)";

class PromptFileTest : public DataTest {
 protected:
  std::string Error(const std::string& text, const PromptSelection& selection = {}) {
    const std::string path = Write("templates.yaml", text);
    const absl::StatusOr<std::vector<Prompt>> prompts = ReadPromptFile(path, selection);
    EXPECT_FALSE(prompts.ok());
    EXPECT_THAT(std::string(prompts.status().message()), StartsWith(path));
    return std::string(prompts.status().message());
  }
};

TEST_F(PromptFileTest, ReadsSelectedTemplates) {
  const std::string path = Write("templates.yaml", kFile);
  for (const PromptSelection& selection :
       {PromptSelection{.include = {"is it big"}}, PromptSelection{.include = {"7f1"}},
        PromptSelection{.exclude = {"describe"}}, PromptSelection{.exclude = {"8a2"}}}) {
    const absl::StatusOr<std::vector<Prompt>> prompts = ReadPromptFile(path, selection);
    ASSERT_TRUE(prompts.ok()) << prompts.status();
    ASSERT_EQ(prompts->size(), 1u);
    const Prompt& prompt = prompts->front();
    EXPECT_EQ(prompt.info().id, "7f1");
    EXPECT_EQ(prompt.info().name, "is it big");
    EXPECT_THAT(prompt.info().languages, ElementsAre("en", "sw"));
    RenderedPrompt rendered;
    ASSERT_TRUE(*prompt.Render({{"animal", "hippo"}, {"label", 0}}, &rendered));
    EXPECT_EQ(rendered.inputs, "Is a hippo big?\nSay \"yes\" or \"no\".");
    EXPECT_EQ(rendered.targets, "Yes");
  }
}

TEST_F(PromptFileTest, NamesFileTemplateAndConstruct) {
  EXPECT_THAT(Error(kFile), HasSubstr("template 'describe' (8a2): line 3: the tag '{% filter %}' "
                                      "is not supported"));
  EXPECT_THAT(Error(kFile, {.include = {"describ"}}),
              HasSubstr("it has no template 'describ', but 'is it big', 'describe'"));
  EXPECT_THAT(Error(kFile, {.exclude = {"nosuch"}}), HasSubstr("it has no template 'nosuch'"));
  EXPECT_THAT(Error(kFile, {.exclude = {"7f1", "8a2"}}), HasSubstr("no template is selected"));
}

TEST_F(PromptFileTest, RefusesWhatIsNoPromptSourceFile) {
  EXPECT_THAT(Error("a: [1"), HasSubstr("line "));
  EXPECT_THAT(Error("- 1"), HasSubstr("it has no map 'templates'"));
  EXPECT_THAT(Error("templates: 3"), HasSubstr("it has no map 'templates'"));
  EXPECT_THAT(Error("templates:\n  x: !Other {name: n}\n"),
              HasSubstr("template 'x': it is no '!Template' but '!Other' (line 2)"));
  EXPECT_THAT(Error("templates:\n  x: !Template {name: n, jinja: [1]}\n"),
              AllOf(HasSubstr("template 'n'"), HasSubstr("'jinja' is no text")));
  EXPECT_THAT(Error("templates:\n  x: !Template {name: n}\n"), HasSubstr("it has no '|||'"));
  EXPECT_THAT(Error("templates:\n  x: \xFF\n"), HasSubstr("it is not UTF-8"));
  EXPECT_EQ(ReadPromptFile(JoinPath(folder_, "nosuch.yaml")).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace frond
