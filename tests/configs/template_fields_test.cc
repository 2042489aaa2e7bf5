#include "configs/template_fields.h"

#include "configs/config_reader.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

std::string Validated(const std::string& fields) {
  config::Source source;
  EXPECT_TRUE(ParseText(fields, "test", source).ok()) << fields;
  return std::string(ValidateTemplates("source[0]", source).message());
}

TEST(TemplateFieldsTest, AcceptsBothForms) {
  EXPECT_EQ(Validated(""), "");
  EXPECT_EQ(Validated("template { id: 'a' inputs: '{q}' targets: '{a}' }"), "");
  EXPECT_EQ(Validated("template { id: 'a' jinja: 'x ||| y' answer_choices: 'a ||| b' } "
                      "template_file { path: 'p' include: 'x' } match_template_language: true"),
            "");
}

TEST(TemplateFieldsTest, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(Validated("template { inputs: 'x' targets: 'y' }"),
            "source[0].template[0].id is missing; every template needs one");
  EXPECT_EQ(Validated("template { id: 'a' jinja: 'x' } template { id: 'b' targets: 'y' }"),
            "source[0].template[1].inputs is missing; give it inputs and targets, or jinja");
  EXPECT_EQ(Validated("template { id: 'a' inputs: 'y' }"),
            "source[0].template[0].targets is missing; give it inputs and targets");
  EXPECT_EQ(Validated("template { id: 'a' inputs: 'y' jinja: 'z' }"),
            "source[0].template[0] has jinja and inputs or targets; give one of the two forms");
  EXPECT_EQ(Validated("template { id: 'a' inputs: 'y' targets: 'z' answer_choices: 'w' }"),
            "source[0].template[0].answer_choices works beside jinja only; patterns have no "
            "choices");
  EXPECT_EQ(Validated("template_file { include: 'a' }"),
            "source[0].template_file[0].path is missing; name a templates.yaml of PromptSource");
  EXPECT_EQ(Validated("match_template_language: true"),
            "source[0].match_template_language works beside templates only");
}

TEST(TemplateFieldsTest, RulesThatPruneRefuseTemplates) {
  const std::string raw = "source { template { id: 'a' inputs: 'x' targets: 'y' } }";
  const auto refused = [](const std::string& fields) {
    config::Mixture mixture;
    EXPECT_TRUE(ParseText(fields, "test", mixture).ok()) << fields;
    const std::string message(RefuseTemplatesBelowRules("m", mixture).message());
    return message.substr(0, message.find(' '));
  };
  EXPECT_EQ(refused("dataset { source { } prune { } } group { dataset { " + raw + " } }"), "");
  EXPECT_EQ(refused("dataset { source { } } dataset { " + raw + " prune { } }"),
            "m.dataset[1].source");
  EXPECT_EQ(refused("prune { } group { dataset { " + raw + " } }"), "m.group[0].dataset[0].source");
  EXPECT_EQ(refused("prune { evaluation { template_file { path: 'p' } } }"),
            "m.prune.evaluation[0]");
}

TEST(TemplateFieldsTest, TextNamesAllButPaths) {
  config::Source a, b;
  ASSERT_TRUE(ParseText("template_file { path: 'p' include: 'x' }", "test", a).ok());
  ASSERT_TRUE(ParseText("template_file { path: 'q' include: 'x' }", "test", b).ok());
  EXPECT_EQ(TemplatesText(a), TemplatesText(b));
  b.mutable_template_file(0)->add_exclude("y");
  EXPECT_NE(TemplatesText(a), TemplatesText(b));
  EXPECT_EQ(TemplatesText(config::Source()), "");
}

}  // namespace
}  // namespace frond
