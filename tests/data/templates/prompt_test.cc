#include "data/templates/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace frond {
namespace {

using nlohmann::json;
using ::testing::AnyOf;
using ::testing::HasSubstr;

Prompt Parsed(const std::string& jinja, const std::string& choices = "") {
  absl::StatusOr<Prompt> prompt = Prompt::FromJinja({.id = "id", .name = "name"}, jinja, choices);
  EXPECT_TRUE(prompt.ok()) << prompt.status();
  return *std::move(prompt);
}

// "inputs => targets", "nothing", or the error.
std::string Outcome(const absl::StatusOr<Prompt>& prompt, const json& row) {
  if (!prompt.ok()) return std::string(prompt.status().message());
  RenderedPrompt rendered;
  const absl::StatusOr<bool> speaks = prompt->Render(row, &rendered);
  if (!speaks.ok()) return std::string(speaks.status().message());
  if (!*speaks) {
    EXPECT_EQ(rendered.inputs + rendered.targets, "");
    return "nothing";
  }
  return rendered.inputs + " => " + rendered.targets;
}

std::string Jinja(const std::string& text, const json& row, const std::string& choices = "") {
  return Outcome(Prompt::FromJinja({.id = "id", .name = "name"}, text, choices), row);
}

std::string Pattern(const std::string& inputs, const std::string& targets, const json& row) {
  return Outcome(Prompt::FromPatterns({.id = "id"}, inputs, targets), row);
}

TEST(PatternTest, FillsInFields) {
  const json row = {
      {"q", "Why?"}, {"n", 3}, {"x", 0.5}, {"yes", true}, {"a", {{"text", {"So.", "No."}}}},
      {"b.c", "dot"}};
  EXPECT_EQ(Pattern("Q: {q} {{n}} {n} {x} {yes}", " {a.text.1}{b.c} ", row),
            "Q: Why? {n} 3 0.5 true => No.dot");
  EXPECT_EQ(Pattern("{q}", "{{}}", row), "Why? => {}");
}

TEST(PatternTest, SaysNothingWhereASideIsEmpty) {
  const json row = {{"q", " \n"}, {"a", "yes"}};
  EXPECT_EQ(Pattern("{q}", "{a}", row), "nothing");
  EXPECT_EQ(Pattern("{a}", "{q}", row), "nothing");
  EXPECT_EQ(Pattern("{a}", "", row), "nothing");
}

TEST(PatternTest, NamesWhatIsWrong) {
  const json row = {{"q", nullptr}, {"list", {1}}};
  EXPECT_EQ(Pattern("{nosuch}", "x", row), "template 'id': there is no field 'nosuch'");
  EXPECT_EQ(Pattern("x", "{list.1}", row), "template 'id': there is no field 'list.1'");
  EXPECT_EQ(Pattern("{q}", "x", row), "template 'id': the field 'q' is null");
  EXPECT_EQ(Pattern("{list}", "x", row), "template 'id': the field 'list' is a list, not text");
  EXPECT_THAT(Pattern("{q", "x", row), HasSubstr("'{' without '}'"));
  EXPECT_THAT(Pattern("q}", "x", row), HasSubstr("'}' without '{'"));
  EXPECT_THAT(Pattern("{ }", "x", row), HasSubstr("names no field"));
}

TEST(JinjaTest, SplitsAtTheSeparatorOfItsOwnWordsOnly) {
  EXPECT_EQ(Jinja("\n Q: {{q}}\n|||\n {{a}} ", {{"q", "x ||| y"}, {"a", "z"}}), "Q: x ||| y => z");
  EXPECT_EQ(Jinja("{{q.t}} ||| {{a}}", {{"q", {{"t", "|||"}}}, {"a", "\u3000z\u00a0"}}),
            "||| => z");
  EXPECT_THAT(Jinja("{{q}} ||| a ||| b", {{"q", "x"}}), HasSubstr("more than one '|||'"));
  EXPECT_THAT(Jinja("{{q}}", {{"q", "x"}}), HasSubstr("it has no '|||'"));
}

TEST(JinjaTest, SaysNothingWhereASideIsEmpty) {
  const std::string text = "{% if lang == 'ja' %}{{q}} ||| {{a}}{% endif %}";
  EXPECT_EQ(Jinja(text, {{"lang", "ja"}, {"q", "x"}, {"a", "y"}}), "x => y");
  EXPECT_EQ(Jinja(text, {{"lang", "id"}, {"q", "x"}, {"a", "y"}}), "nothing");
  EXPECT_EQ(Jinja(text, {{"lang", "ja"}, {"q", "x"}, {"a", " "}}), "nothing");
  // As in SQuAD: a question without an answer.
  EXPECT_EQ(Jinja("{{q}} ||| {{a.text[0]}}", {{"q", "x"}, {"a", {{"text", json::array()}}}}),
            "nothing");
  EXPECT_EQ(Jinja("{{q}} ||| {{a.text|choice}}", {{"q", "x"}, {"a", {{"text", json::array()}}}}),
            "nothing");
}

TEST(JinjaTest, KnowsAnswerChoices) {
  const json row = {{"label", 1}, {"c", "so ||| so"}, {"d", "d"}};
  EXPECT_EQ(
      Jinja("{{answer_choices|join('/')}} ||| {{answer_choices[label]}}", row, "{{c}} ||| {{d}}"),
      "so ||| so/d => d");
  EXPECT_EQ(Jinja("{{answer_choices[-1]}} ||| x", row, "Yes ||| No"), "No => x");
  EXPECT_EQ(Jinja("x ||| {{answer_choices[label]}}", row),
            "template 'name' (id): there is no field 'answer_choices'");
  EXPECT_THAT(Jinja("x ||| y", {{"answer_choices", "q"}}, "Yes ||| No"),
              HasSubstr("both it and the row have 'answer_choices'"));
}

TEST(JinjaTest, RefusesWhatTheRowLacks) {
  const json row = {{"a", {{"b", 1}}}, {"null", nullptr}, {"text", "t"}};
  EXPECT_EQ(Jinja("{{ nosuch }} ||| x", row), "template 'name' (id): there is no field 'nosuch'");
  EXPECT_THAT(Jinja("{{ a.c }} ||| x", row), HasSubstr("there is no key 'c'"));
  EXPECT_THAT(Jinja("{{ text.c }} ||| x", row), HasSubstr("there is no 'c' of text"));
  EXPECT_THAT(Jinja("{% if nosuch %}{% endif %} ||| x", row), HasSubstr("field 'nosuch'"));
  EXPECT_THAT(Jinja("{{ nosuch | lower }} ||| x", row), HasSubstr("field 'nosuch'"));
  EXPECT_THAT(Jinja("{{ 'a' ~ nosuch }} ||| x", row), HasSubstr("field 'nosuch'"));
  EXPECT_THAT(Jinja("{% for i in nosuch %}{% endfor %} ||| x", row), HasSubstr("'nosuch'"));
  EXPECT_THAT(Jinja("{{ null }} ||| x", row), HasSubstr("the field 'null' is null"));
  EXPECT_EQ(Jinja("{% if null is none and nosuch is not defined %}a{% endif %} ||| x", row),
            "a => x");
  EXPECT_EQ(Jinja("{{ nosuch | default('d') }} ||| x", row), "d => x");
}

TEST(JinjaTest, NamesConstructsOutsideTheSubset) {
  EXPECT_EQ(Jinja("a\n{% macro f() %}{% endmacro %} ||| x", {}),
            "template 'name' (id): line 2: the tag '{% macro %}' is not supported");
  EXPECT_THAT(Jinja("{{ a | tojson }} ||| x", {}),
              HasSubstr("the filter 'tojson' is not supported"));
  EXPECT_THAT(Jinja("{{ a is callable }} ||| x", {}), HasSubstr("the test 'callable'"));
  EXPECT_THAT(Jinja("{{ a.pop() }} ||| x", {}), HasSubstr("the method 'pop' is not supported"));
  EXPECT_THAT(Jinja("{{ lipsum() }} ||| x", {}), HasSubstr("the function 'lipsum'"));
  EXPECT_THAT(Jinja("{% if a %} ||| x", {}), HasSubstr("'{% endif %}' is missing"));
  EXPECT_THAT(Jinja("{{ a ||| x", {}), HasSubstr("line 1: "));
  EXPECT_THAT(Jinja("{{ a b }} ||| x", {}), HasSubstr("unexpected 'b' in '{{ }}'"));
  EXPECT_THAT(Jinja("{% endif %} ||| x", {}), HasSubstr("'{% endif %}' is not supported"));
  EXPECT_THAT(Jinja("x ||| y", {}, "{{ a | tojson }}"), HasSubstr("answer_choices, line 1: "));
  EXPECT_THAT(Jinja(std::string(5000, '(') + " ||| x", {}), HasSubstr("=> x"));
  EXPECT_THAT(Jinja("{{ " + std::string(900, '(') + "1" + std::string(900, ')') + " }} ||| x", {}),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(Jinja("{{ " + std::string(900, '-') + "1 }} ||| x", {}),
              HasSubstr("nested too deeply"));
  std::string sum = "{{ 1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  EXPECT_THAT(Jinja(sum + " }} ||| x", {}), HasSubstr("it has more than 4000 tokens"));
  std::string branches = "{% if n == 0 %}0";
  for (int i = 1; i < 150; ++i) {
    branches += "{% elif n == " + std::to_string(i) + " %}" + std::to_string(i);
  }
  EXPECT_EQ(Jinja(branches + "{% endif %} ||| x", {{"n", 149}}), "149 => x");
}

TEST(JinjaTest, ComparesAndPrintsNumbersThatItCannotComputeWith) {
  const json row = json::parse(R"({"n": 18446744073709551615, "m": 9223372036854775808,
                                   "low": -1, "list": [18446744073709551615, 3, -1]})");
  EXPECT_EQ(Jinja("{{ n }} {{ [n] }} {{ n ~ '' }} ||| {{ n | abs }} {{ n | round }}", row),
            "18446744073709551615 [18446744073709551615] 18446744073709551615 => "
            "18446744073709551615 18446744073709551615");
  EXPECT_EQ(Jinja("{{ n > 5 }} {{ n < m }} {{ n == low }} {{ n == m }} {{ n is gt m }} ||| "
                  "{{ list | max }} {{ list | min }} {{ low in list }} {{ m in list }} "
                  "{{ list | sort }}",
                  row),
            "True False False False True => "
            "18446744073709551615 -1 True False [-1, 3, 18446744073709551615]");
  // Floats too: 2^64 and 2^63 as doubles are one more than n and as much as m.
  EXPECT_EQ(Jinja("{{ n == 18446744073709551616.0 }} {{ n < 18446744073709551616.0 }} ||| "
                  "{{ m == 9223372036854775808.0 }} {{ 9007199254740993 == 9007199254740992.0 }}",
                  row),
            "False True => True False");
  for (const char* computed :
       {"n + 1", "1 - n", "n * 1", "n / 2", "n // 2", "n % 2", "n ** 2", "-n", "n + 0.5", "'a' * n",
        "list | sum", "n | int", "n is odd", "list[n]", "list[:n]", "range(n)", "{n: 1}",
        "'a' | replace('a', 'b', n)"}) {
    EXPECT_THAT(Jinja(absl::StrCat("{{ ", computed, " }} ||| x"), row),
                AnyOf(HasSubstr("a number above 9223372036854775807"), HasSubstr("is too large"),
                      HasSubstr("has no element")))
        << computed;
  }
  EXPECT_THAT(Jinja("{{ '18446744073709551615' | int }} ||| x", row), HasSubstr("is too large"));
  EXPECT_THAT(Jinja("{{ 1e19 | int }} ||| x", row), HasSubstr("1e+19 is too large"));
  EXPECT_EQ(Jinja("{{ -9223372036854775808.0 | int }} ||| {{ 'inf' | int(7) }}", row),
            "-9223372036854775808 => 7");
}

TEST(JinjaTest, FindsEqualElementsAsComparisonsDo) {
  EXPECT_EQ(Jinja("{{ [2, true, 1, 1.0, 2.0, 0.5, '1', none, [1, [2.0]], [1.0, [2]], {'a': 0}, "
                  "{'a': -0.0}, {'a': false, 'b': 1}, none, ['1:a'], '1:a', -1, -1.0, '', [], {}] "
                  "| unique }} ||| {{ ['x', 'X', '\u00e9', '\u00c9', ''] | unique }} "
                  "{{ ['x', 'X', 'x'] | unique(true) }}",
                  {}),
            "[2, True, 0.5, '1', None, [1, [2.0]], {'a': 0}, {'a': False, 'b': 1}, ['1:a'], "
            "'1:a', -1, '', [], {}] => ['x', '\u00e9', ''] ['x', 'X']");
  // NaN equals nothing.
  EXPECT_EQ(Jinja("{% set n = 1e308 * 10 - 1e308 * 10 %}{{ [n, n, [n], [n]] | unique }} ||| "
                  "{{ [n, n, 3] | most_frequent }}",
                  {}),
            "[nan, nan, [nan], [nan]] => [nan, nan, 3]");
  EXPECT_EQ(Jinja("{{ ['b', 1, 'a', true, 'a', [1], [1.0], 2] | most_frequent }} ||| "
                  "{{ [] | most_frequent }}",
                  {}),
            "[1, 'a', [1]] => []");
  std::mt19937_64 random(std::random_device{}());
  const json kinds = json::parse(
      R"([0, 1, -1, 1.0, 0.5, true, false, null, "", "1", "a", [], {}, [1], [true], {"a": 1},
          {"a": 1.0}, 18446744073709551615, 18446744073709551616.0, 9007199254740993,
          9007199254740992.0, "A", ["a"], [["a"]], 1e300, -1e300])");
  for (int i = 0; i < 100; ++i) {
    json row = {{"list", json::array()}};
    for (int k = 0; k < 30; ++k) row["list"].push_back(kinds[random() % kinds.size()]);
    EXPECT_EQ(Jinja("{% set ns = namespace(l=[]) %}{% for e in list %}{% if e not in ns.l %}"
                    "{% set ns.l = ns.l + [e] %}{% endif %}{% endfor %}{{ ns.l }} ||| .",
                    row),
              Jinja("{{ list | unique(true) }} ||| .", row))
        << row;
  }
  // Comparing all pairs takes minutes.
  EXPECT_EQ(Jinja("{{ range(100000) | unique | length }} ||| "
                  "{{ range(100000) | most_frequent | length }}",
                  {}),
            "100000 => 100000");
}

// A template that runs `body` with a namespace `ns` for every i below `times`.
std::string Looped(int times, const std::string& body) {
  return absl::StrCat("{% set ns = namespace(t='ab', l=[1, 'b']) %}{% for i in range(", times,
                      ") %}", body, "{% endfor %}");
}

TEST(JinjaTest, EndsWhatWouldNotEnd) {
  const std::string loop = "{% for i in range(100000) %}", end = "{% endfor %}";
  const std::string rejected = "{% for i in range(100000) if false %}";
  const std::string text = "{% set a = 'a' * 9999999 %}";
  const std::string letters = "{% set a = 'a' * 999999 %}";
  for (const std::string& endless : std::vector<std::string>{
           loop + loop + end + end,
           loop + rejected + end + end,
           loop + "{{ range(100000) | length }}" + end,
           "{{ 'a' * 999999999 }}",
           "{{ [1] * 99999999 }}",
           Looped(60, "{% set ns.t = ns.t + ns.t %}"),
           Looped(60, "{% set ns.t = ns.t ~ ns.t %}"),
           Looped(60, "{% set ns.t %}{{ ns.t }}{{ ns.t }}{% endset %}"),
           Looped(60, "{% set ns.t = [ns.t, ns.t] | join(ns.t) %}"),
           Looped(60, "{% set ns.t = ns.t.join([ns.t, ns.t, ns.t]) %}"),
           Looped(60, "{% set ns.t = ns.t | replace('', ns.t) %}"),
           Looped(60, "{% set ns.l = ns.l + ns.l %}"),
           Looped(60, "{% set ns.l = [ns.l, ns.l] %}"),
           Looped(60, "{% set ns.l = [ns.l, ns.l] | sum(start=[]) %}"),
           Looped(60, "{% set ns.l = ns.l | map('default', ns.l) | list + ns.l %}"),
           Looped(99999, "{% set ns.l = [ns.l] %}"),
           Looped(99999, "{% set ns.t = ns.t + 'some more' %}"),
           text + "{% for i in range(999) %}{{ a == a + '' }}" + end,
           text + "{{ a.rfind('a' * 999999 + 'b') }}",
           text + "{{ a.rsplit('a' * 999999 + 'b') }}",
           text + "{{ a.split('a') | length }}",
           text + "{{ a.splitlines() }}",
           letters + loop + "{{ a | upper | length }}{{ a.title() | length }}" + end,
           letters + loop + "{{ a[-1] }}{{ a[1:3] }}{{ a | first }}" + end,
           letters + loop + "{{ a is lower }}{{ a.isdigit() }}" + end,
       }) {
    EXPECT_THAT(Jinja(endless + " ||| x", {}),
                HasSubstr("too much work for one row: its loops, lists or"))
        << endless;
  }
  EXPECT_THAT(Jinja("{{ range(9999999) }} ||| x", {}), HasSubstr("longer than 100000"));
  EXPECT_THAT(Jinja("{{ 9 ** 99 }} ||| x", {}), HasSubstr("too large"));
  json deep = "x";
  for (int i = 0; i < 100000; ++i) deep = json::array({std::move(deep)});
  EXPECT_THAT(Jinja("{{ deep }} ||| x", {{"deep", std::move(deep)}}), HasSubstr("too much work"));
}

TEST(JinjaTest, DoesMuchWorkWhereItEnds) {
  EXPECT_EQ(Jinja("{{ '' * 9223372036854775807 }}a ||| {{ [] * 9223372036854775807 }}", {}),
            "a => []");
  // No needle makes a search slow.
  EXPECT_EQ(Jinja("{% set a = 'a' * 999999 %}{% set b = 'a' * 499999 + 'b' %}"
                  "{{ b in a }} {{ a.find(b) }} {{ a.count(b) }} {{ a.split(b) | length }} "
                  "{{ a.replace(b, '') == a }} ||| {{ a.strip(b) }}!",
                  {}),
            "False -1 0 1 True => !");
  // A document of a million characters, and a list that grows by an element many times.
  std::string document;
  while (document.size() < 1000000) document += "Some w\u00f6rds of a long document.\n";
  EXPECT_EQ(Jinja("{{ (d | lower | trim | replace('.', '!')).split('!') | length }} "
                  "{{ d | length }} {{ 'nowhere' in d }} {{ d[:6] }} {{ d[-10:-1] }} ||| "
                  "{% set ns = namespace(l=[]) %}{% for i in range(300) %}"
                  "{% set ns.l = ns.l + ['word'] %}{% endfor %}{{ ns.l | length }}"
                  "{% for w in d.split() %}{{ loop.index if loop.last }}{% endfor %}",
                  {{"d", document}}),
            "31251 968750 False Some w document. => 300187500");
}

TEST(JinjaTest, CutsTextAndListsAsPythonDoes) {
  // [start:stop:step] of five elements; each text has the places that Python takes.
  const json row = {{"t", "a\u00e9c\u4ed6e"}, {"l", {0, 1, 2, 3, 4}}};
  EXPECT_EQ(Jinja("{{ t[1:4] }} {{ t[:-1] }} {{ t[-2:] }} {{ t[::2] }} {{ t[::-2] }} {{ t[3:1] }}"
                  "{{ t[9:] }}{{ t[-9:2] }} {{ t[4:0:-3] }} {{ t[::99] }} {{ t[::-99] }} ||| "
                  "{{ l[1:4] }} {{ l[:-1] }} {{ l[-2:] }} {{ l[::2] }} {{ l[::-2] }} {{ l[3:1] }} "
                  "{{ l[9:] }} {{ l[-9:2] }} {{ l[4:0:-3] }} {{ l[::99] }} {{ l[::-99] }}",
                  row),
            "\u00e9c\u4ed6 a\u00e9c\u4ed6 \u4ed6e ace eca a\u00e9 e\u00e9 a e => "
            "[1, 2, 3] [0, 1, 2, 3] [3, 4] [0, 2, 4] [4, 2, 0] [] [] [0, 1] [4, 1] [0] [4]");
  EXPECT_EQ(Jinja("{{ t[1] }}{{ t[-2] }}{{ t[5] }}{{ t[-6] }} ||| "
                  "{{ 'aXbXX'.count('X') }} {{ t.count('') }} {{ t | replace('', '-', 2) }} "
                  "{{ t | replace('', '-') }} {{ t.replace('c', '', 0) }} {{ t.find('\u4ed6') }}",
                  row),
            "\u00e9\u4ed6 => 3 6 -a-\u00e9c\u4ed6e -a-\u00e9-c-\u4ed6-e- a\u00e9c\u4ed6e 3");
}

TEST(JinjaTest, DrawsByTheRow) {
  const Prompt prompt = Parsed("{{ ['a', 'b', 'c'] | choice }}{{ [0, 1] | random }} ||| x");
  std::set<std::string> outcomes;
  for (int i = 0; i < 200; ++i) {
    const json row = {{"i", i}};
    const std::string outcome = Outcome(prompt, row);
    EXPECT_EQ(Outcome(Parsed("{{ ['a', 'b', 'c'] | choice }}{{ [0, 1] | random }} ||| x"), row),
              outcome);
    outcomes.insert(outcome);
  }
  EXPECT_EQ(outcomes.size(), 6u);
}

TEST(PromptTest, HashCoversAllThatCounts) {
  const auto hash = [](PromptInfo info, const std::string& jinja, const std::string& choices) {
    return Prompt::FromJinja(std::move(info), jinja, choices)->hash();
  };
  const std::set<uint64_t> hashes = {hash({.id = "a"}, "x ||| y", ""),
                                     hash({.id = "b"}, "x ||| y", ""),
                                     hash({.id = "a"}, "x ||| z", ""),
                                     hash({.id = "a"}, "x ||| y", "z"),
                                     hash({.id = "a", .languages = {"fi"}}, "x ||| y", ""),
                                     hash({.id = "a", .example_language = "fi"}, "x ||| y", ""),
                                     Prompt::FromPatterns({.id = "a"}, "x", "y")->hash()};
  EXPECT_EQ(hashes.size(), 7u);
  EXPECT_EQ(hash({.id = "a"}, "x ||| y", ""), hash({.id = "a"}, "x ||| y", ""));
}

}  // namespace
}  // namespace frond
