#include "eval/chrf.h"

#include <string>

#include "core/base/file.h"
#include "eval/exact_match.h"
#include "eval/unicode_text.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

constexpr double kScoreTolerance = 1e-9;

nlohmann::json ReadFixture() {
  const auto text = ReadFile("eval/fixtures/chrf.json");
  EXPECT_TRUE(text.ok()) << text.status();
  return nlohmann::json::parse(*text);
}

TEST(ChrfTest, SentencesEqualSacrebleu) {
  const nlohmann::json fixture = ReadFixture();
  ASSERT_GT(fixture["sentences"].size(), 80u);
  for (const auto& sentence : fixture["sentences"]) {
    EXPECT_NEAR(SentenceChrf(sentence["hypothesis"].get<std::string>(),
                             sentence["reference"].get<std::string>()),
                sentence["score"].get<double>(), kScoreTolerance)
        << sentence;
  }
}

TEST(ChrfTest, CorporaEqualSacrebleuHoweverTheyAreSplit) {
  const nlohmann::json fixture = ReadFixture();
  for (const auto& corpus : fixture["corpora"]) {
    const size_t begin = corpus["begin"], end = corpus["end"];
    Chrf parts[2];
    for (size_t i = begin; i < end; ++i) {
      const auto& sentence = fixture["sentences"][i];
      parts[i % 2].Add(sentence["hypothesis"].get<std::string>(),
                       sentence["reference"].get<std::string>());
    }
    parts[0].Add(parts[1]);
    EXPECT_NEAR(parts[0].Score(), corpus["score"].get<double>(), kScoreTolerance) << corpus;
  }
}

TEST(UnicodeTextTest, InvalidBytesBecomeReplacementCharacters) {
  EXPECT_EQ(DecodeUtf8("a\xC3\xA9\xF0\x9F\x98\x80"), U"a\u00E9\U0001F600");
  EXPECT_EQ(DecodeUtf8("\xC3"), U"\uFFFD");
  EXPECT_EQ(DecodeUtf8("\xC0\x80x"), U"\uFFFD\uFFFDx");
  EXPECT_EQ(DecodeUtf8("\xED\xA0\x80"), U"\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(DecodeUtf8("\xF4\x90\x80\x80"), U"\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST(ExactMatchTest, TrimsWhiteSpaceOnly) {
  EXPECT_TRUE(IsExactMatch(" Paris\n", "Paris"));
  EXPECT_TRUE(IsExactMatch("\xE3\x80\x80\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1\xE4\xBA\xAC"));
  EXPECT_TRUE(IsExactMatch("", "  "));
  EXPECT_FALSE(IsExactMatch("paris", "Paris"));
  EXPECT_FALSE(IsExactMatch("Pa ris", "Paris"));
  EXPECT_FALSE(IsExactMatch("\x80", ""));
}

}  // namespace
}  // namespace frond
