#include "mixtures/pruning/text_measure.h"

#include <gtest/gtest.h>

#include "mixtures/pruning/share_rules.h"

namespace frond {
namespace {

TEST(TextMeasure, CountsCodePoints) {
  EXPECT_EQ(CountCharacters(""), 0);
  EXPECT_EQ(CountCharacters("naïve"), 5);
  EXPECT_EQ(CountCharacters("日本語😀"), 4);
}

TEST(TextMeasure, NormalizesFormCaseAndSpaces) {
  EXPECT_EQ(NormalizeText("  A\t\nB  "), "a b");
  EXPECT_EQ(NormalizeText("STRASSE"), NormalizeText("straße"));
  EXPECT_EQ(NormalizeText("e\u0301t\u00E9"), NormalizeText("\u00C9T\u00C9"));
  EXPECT_EQ(NormalizeText("ＡＢ\u3000１"), "ab 1");
  EXPECT_EQ(NormalizeText("a\u200Bb"), "ab");
  EXPECT_NE(NormalizeText("ab"), NormalizeText("a b"));
}

TEST(TextMeasure, CountsWordsOfScriptsWithAndWithoutSpaces) {
  WordCounter counter;
  EXPECT_EQ(counter.Count("one, two - three!"), 3);
  EXPECT_EQ(counter.Count(" \n"), 0);
  EXPECT_EQ(counter.Count("три слова тут"), 3);
  EXPECT_GE(counter.Count("这是一个很长的句子"), 4);
  EXPECT_LE(counter.Count("这是一个很长的句子"), 9);
  EXPECT_GE(counter.Count("นี่คือประโยคภาษาไทย"), 3);
  EXPECT_EQ(counter.Count("다섯 단어 가 아닌 말"), 5);
}

TEST(Shares, UrlsAreCountedToTheirEnd) {
  EXPECT_EQ(UrlShare("no address here"), 0);
  EXPECT_DOUBLE_EQ(UrlShare("ab www.x.org"), 9.0 / 11);
  EXPECT_DOUBLE_EQ(UrlShare("HTTP://a"), 1);
}

TEST(Shares, RepeatedNgramsAreCountedInCharacters) {
  EXPECT_EQ(RepeatedShare("abcdef", 3), 0);
  EXPECT_DOUBLE_EQ(RepeatedShare("abcabc", 3), 1.0 / 4);
  EXPECT_DOUBLE_EQ(RepeatedShare("ééééé", 2), 3.0 / 4);
  EXPECT_EQ(RepeatedShare("ab", 3), 0);
}

TEST(Shares, ProseIsNoCode) {
  EXPECT_EQ(CodeShare("He said (twice) that it was so; we left.\nFrom here on, all is well."), 0);
  EXPECT_EQ(CodeShare("watanni da suka gabata 8}"), 0);
  EXPECT_EQ(CodeShare("int x = f(y);"), 1);
}

}  // namespace
}  // namespace frond
