#include "mixtures/mixture.h"

#include <functional>
#include <limits>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mixtures/apportionment.h"

namespace frond {
namespace {

using ::testing::HasSubstr;

std::vector<SourceInfo> TwoSources() {
  return {{.name = "aya", .weight = 3, .languages = {{"fin", 100}, {"swh", 300}}},
          {.name = "dolly", .weight = 1, .languages = {{"eng", 7}, {"fin", 0}}}};
}

TEST(Mixture, ResolvesLeaves) {
  const auto mixture = Mixture::Create(TwoSources());
  ASSERT_TRUE(mixture.ok()) << mixture.status();
  ASSERT_EQ(mixture->leaves().size(), 4u);
  // 1e-15: the weights' share is rounded to 53 bits.
  EXPECT_NEAR(mixture->leaves()[0].probability, 0.75 / 4, 1e-15);
  EXPECT_NEAR(mixture->leaves()[1].probability, 0.75 * 3 / 4, 1e-15);
  EXPECT_NEAR(mixture->leaves()[2].probability, 0.25, 1e-15);
  EXPECT_EQ(mixture->leaves()[3].probability, 0);
  EXPECT_EQ(mixture->leaves()[1].source, "aya");
  EXPECT_EQ(mixture->leaves()[1].language, "swh");
  EXPECT_EQ(std::accumulate(mixture->shares().begin(), mixture->shares().end(), uint64_t{0}),
            kShareOne);
}

TEST(Mixture, AZeroWeightSourceIsNeverDrawn) {
  auto sources = TwoSources();
  sources[0].weight = 0;
  sources[0].languages.clear();
  const auto mixture = Mixture::Create(sources);
  ASSERT_TRUE(mixture.ok()) << mixture.status();
  EXPECT_EQ(mixture->leaves()[0].probability, 1);
}

TEST(Mixture, HashFollowsTheManifest) {
  const auto hash_after = [](const std::function<void(std::vector<SourceInfo>&)>& change) {
    auto sources = TwoSources();
    change(sources);
    return Mixture::Create(sources)->manifest_hash();
  };
  const uint64_t hash = hash_after([](auto&) {});
  EXPECT_EQ(hash_after([](auto&) {}), hash);
  EXPECT_EQ(hash_after([](auto& s) { s[0].weight = 6, s[1].weight = 2; }), hash);
  EXPECT_NE(hash_after([](auto& s) { s[0].weight = 4; }), hash);
  EXPECT_NE(hash_after([](auto& s) { s[0].name = "b"; }), hash);
  EXPECT_NE(hash_after([](auto& s) { s[0].content_hash = 1; }), hash);
  EXPECT_NE(hash_after([](auto& s) { s[0].languages[0].num_examples = 101; }), hash);
  EXPECT_NE(hash_after([](auto& s) { s[1].languages[0].language = "deu"; }), hash);
  EXPECT_NE(hash_after([](auto& s) { std::swap(s[0], s[1]); }), hash);
}

TEST(Mixture, NamesWhatIsWrong) {
  const auto error_after = [](const std::function<void(std::vector<SourceInfo>&)>& change) {
    auto sources = TwoSources();
    change(sources);
    return std::string(Mixture::Create(sources).status().message());
  };
  EXPECT_THAT(error_after([](auto& s) { s.clear(); }), HasSubstr("no source"));
  EXPECT_THAT(error_after([](auto& s) { s[0].weight = -1; }),
              HasSubstr("source \"aya\" has weight -1"));
  EXPECT_THAT(error_after([](auto& s) { s[1].weight = std::numeric_limits<double>::quiet_NaN(); }),
              HasSubstr("source \"dolly\" has weight nan"));
  EXPECT_THAT(error_after([](auto& s) { s[0].weight = s[1].weight = 0; }), HasSubstr("sum to 0"));
  EXPECT_THAT(error_after([](auto& s) { s[1].name = "aya"; }),
              HasSubstr("two sources are named \"aya\""));
  EXPECT_THAT(error_after([](auto& s) { s[1].languages[0].num_examples = 0; }),
              HasSubstr("source \"dolly\" has weight 1 but no examples"));
  EXPECT_THAT(error_after([](auto& s) { s[0].languages[1].language = "fin"; }),
              HasSubstr("lists language \"fin\" twice"));
}

TEST(Mixture, FromLeavesKeepsTheProbabilities) {
  std::vector<LeafInfo> leaves = {{.source = "a", .language = "fin", .num_examples = 3},
                                  {.source = "a", .language = "swh", .num_examples = 1},
                                  {.source = "b", .language = "fin", .num_examples = 0}};
  leaves[0].probability = 0.3;
  leaves[1].probability = 0.7;
  const auto mixture = Mixture::FromLeaves(leaves, {1, 2});
  ASSERT_TRUE(mixture.ok()) << mixture.status();
  EXPECT_NEAR(mixture->leaves()[0].probability, 0.3, 1e-15);
  EXPECT_EQ(mixture->shares()[2], 0u);
  EXPECT_EQ(std::accumulate(mixture->shares().begin(), mixture->shares().end(), uint64_t{0}),
            kShareOne);
  EXPECT_NE(Mixture::FromLeaves(leaves, {1, 3})->manifest_hash(), mixture->manifest_hash());
  leaves[0].template_id = "t";
  EXPECT_NE(Mixture::FromLeaves(leaves, {1, 2})->manifest_hash(), mixture->manifest_hash());
}

TEST(Mixture, FromLeavesRefuses) {
  const auto message = [](double p, double q, uint64_t examples) {
    std::vector<LeafInfo> leaves = {{.source = "a", .language = "fin", .num_examples = 3},
                                    {.source = "b", .language = "fin", .num_examples = examples}};
    leaves[0].probability = p;
    leaves[1].probability = q;
    const auto mixture = Mixture::FromLeaves(leaves, {});
    return mixture.ok() ? "" : std::string(mixture.status().message());
  };
  EXPECT_THAT(message(0.5, 0.4, 1), HasSubstr("sum to 0.9"));
  EXPECT_THAT(message(0.5, 0.5, 0), HasSubstr("but no example"));
  EXPECT_THAT(message(1.5, -0.5, 1), HasSubstr("has probability 1.5"));
  EXPECT_EQ(message(0.5, 0.5, 1), "");
}

}  // namespace
}  // namespace frond
