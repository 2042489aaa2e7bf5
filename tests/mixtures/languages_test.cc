#include "mixtures/languages.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace frond {
namespace {

TEST(Languages, ClassesAreThoseOfThePaper) {
  std::map<ResourceClass, int> count;
  for (const LanguageInfo& language : LanguageTable()) ++count[language.resources];
  EXPECT_EQ(count[ResourceClass::kHigh], 24);
  EXPECT_EQ(count[ResourceClass::kMid], 26);
  EXPECT_EQ(count[ResourceClass::kLow], 51);
  EXPECT_EQ(count.size(), 3u);
  for (const char* high : {"eng", "srp", "eus", "pes", "zho"}) {
    EXPECT_EQ(ResourceClassOf(high), ResourceClass::kHigh) << high;
  }
  for (const char* mid : {"ceb", "lat", "uzb", "kat"}) {
    EXPECT_EQ(ResourceClassOf(mid), ResourceClass::kMid) << mid;
  }
  for (const char* low : {"nor", "twi", "nso", "ory", "isl"}) {
    EXPECT_EQ(ResourceClassOf(low), ResourceClass::kLow) << low;
  }
}

// No code leads to two languages, and every code leads to its own.
TEST(Languages, CodesAreUnique) {
  std::set<std::string> codes;
  std::string last;
  for (const LanguageInfo& language : LanguageTable()) {
    EXPECT_LT(last, language.iso3) << "the table is sorted";
    last = std::string(language.iso3);
    EXPECT_EQ(language.script.size(), 4u) << last;
    std::set<std::string> own = {std::string(language.iso3), std::string(language.code)};
    std::istringstream aliases{std::string(language.aliases)};
    for (std::string alias; aliases >> alias;) own.insert(alias);
    for (const std::string& code : own) {
      EXPECT_TRUE(codes.insert(code).second) << code;
      EXPECT_EQ(FindLanguage(code), &language) << code;
    }
  }
}

TEST(Languages, CodesWithScriptOrRegion) {
  for (const char* code : {"fi", "fin", "fin_Latn", "FI", "fi-FI"}) {
    EXPECT_EQ(CanonicalLanguage(code), "fin") << code;
  }
  EXPECT_EQ(CanonicalLanguage("zh-CN"), "zho");
  EXPECT_EQ(CanonicalLanguage("swh_Latn"), "swa");
  EXPECT_EQ(CanonicalLanguage("quy"), "quy");
  EXPECT_EQ(ResourceClassOf("quy"), ResourceClass::kOther);
  EXPECT_EQ(FindLanguage(""), nullptr);
  EXPECT_EQ(FindLanguage("_"), nullptr);
}

TEST(Languages, Suggests) {
  EXPECT_EQ(NearestLanguage("finn"), "fin");
  const std::string known[] = {"quechua"};
  EXPECT_EQ(NearestLanguage("quechuo", known), "quechua");
}

}  // namespace
}  // namespace frond
