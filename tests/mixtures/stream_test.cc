#include "mixtures/stream.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace frond {
namespace {

Mixture SmallMixture() {
  return *Mixture::Create(
      {{.name = "aya", .weight = 3, .languages = {{"fin", 100}, {"swh", 300}, {"tha", 1}}},
       {.name = "dolly", .weight = 1, .languages = {{"eng", 70}}}});
}

TEST(Stream, NoExampleRepeatsWithinAnEpoch) {
  const Mixture mixture = SmallMixture();
  const uint64_t seed = std::random_device{}();
  const Stream stream(mixture, seed, 64);
  std::map<std::pair<int, uint64_t>, std::set<uint64_t>> seen;
  for (uint64_t w = 0; w < 60; ++w) {
    for (const StreamExample& example : stream.Window(w)) {
      ASSERT_LT(example.index_in_leaf, mixture.leaves()[example.leaf].num_examples);
      auto& epoch = seen[std::pair(example.leaf, example.epoch)];
      ASSERT_TRUE(epoch.insert(example.index_in_leaf).second) << "seed " << seed;
    }
  }
  // Every epoch but each leaf's last was complete before the next began.
  for (const auto& [place, indices] : seen) {
    const auto [leaf, epoch] = place;
    const bool is_last = !seen.contains({leaf, epoch + 1});
    EXPECT_TRUE(is_last || indices.size() == mixture.leaves()[leaf].num_examples);
    EXPECT_TRUE(epoch == 0 || seen.contains({leaf, epoch - 1}));
  }
}

TEST(Stream, VariantsComeOnceBeforeAnyComesAgain) {
  const uint64_t seed = std::random_device{}();
  const Stream stream(SmallMixture(), seed, 64), other(SmallMixture(), seed + 1, 64);
  for (const int64_t count : {1, 2, 3, 7}) {
    std::vector<int> drawn(count);
    int64_t differ = 0;
    for (uint64_t row = 0; row < 300; ++row) {
      for (uint64_t round = 0; round < 4; ++round) {
        std::set<int64_t> variants;
        for (int64_t k = 0; k < count; ++k) {
          const StreamExample example = {
              .leaf = 1, .index_in_leaf = row, .epoch = round * count + k};
          const int64_t variant = stream.VariantOf(example, count);
          ASSERT_TRUE(variant >= 0 && variant < count);
          ASSERT_EQ(variant, stream.VariantOf(example, count));
          variants.insert(variant);
          if (k == 0) ++drawn[variant];
          differ += variant != other.VariantOf(example, count);
        }
        ASSERT_EQ(variants.size(), static_cast<size_t>(count)) << "seed " << seed;
      }
    }
    // 1200 draws of a variant with probability 1 / count; six standard deviations.
    const double expected = 1200.0 / count;
    for (const int times : drawn) {
      EXPECT_LE(std::abs(times - expected), 6 * std::sqrt(expected)) << "seed " << seed;
    }
    EXPECT_TRUE(count == 1 || differ > 300) << "the seed must count; seed " << seed;
  }
}

TEST(Stream, OrdinalsAreThePlacesInTheStream) {
  const Stream stream(SmallMixture(), 1, 50);
  for (const uint64_t w : {0, 1, 1000}) {
    const std::vector<StreamExample> window = stream.Window(w);
    ASSERT_EQ(window.size(), 50u);
    for (size_t i = 0; i < window.size(); ++i) EXPECT_EQ(window[i].ordinal, w * 50 + i);
  }
}

TEST(Stream, IsAPureFunctionOfSeedAndManifest) {
  const Stream a(SmallMixture(), 1, 50), b(SmallMixture(), 1, 50),
      other_seed(SmallMixture(), 2, 50);
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_NE(a.hash(), other_seed.hash());
  EXPECT_NE(a.hash(), Stream(SmallMixture(), 1, 51).hash());
  for (const uint64_t w : {7, 3, 7, 0}) {
    EXPECT_EQ(a.Window(w), b.Window(w));
    EXPECT_NE(a.Window(w), other_seed.Window(w));
  }
}

// Fixed values: a change of the order would silently give resumed runs other examples.
TEST(Stream, OrderIsTheSameOnEveryMachine) {
  const std::vector<StreamExample> window = Stream(SmallMixture(), 42, 8).Window(3);
  std::string order;
  for (const StreamExample& example : window) {
    order += std::to_string(example.leaf) + ":" + std::to_string(example.index_in_leaf) + " ";
  }
  EXPECT_EQ(order, "1:124 1:142 3:16 1:113 0:19 1:185 1:267 3:34 ");
}

TEST(Stream, LeavesAreMixedWithinAWindow) {
  const std::vector<StreamExample> window = Stream(SmallMixture(), 5, 8192).Window(0);
  int changes = 0;
  for (size_t i = 1; i < window.size(); ++i) changes += window[i].leaf != window[i - 1].leaf;
  // Expected 8191 * (1 - sum p^2) = 4850 of independent draws, standard deviation about 45.
  EXPECT_GT(changes, 4400);
  EXPECT_LT(changes, 5300);
}

// Siblings of equal sizes and shares: the same rows side by side would be seen twice a window.
TEST(Stream, TemplatesOfALanguageGoTheirOwnWays) {
  const LeafInfo one = {.source = "s",
                        .language = "eng",
                        .num_examples = 600,
                        .probability = 0.5,
                        .template_id = "one"};
  LeafInfo two = one;
  two.template_id = "two";
  const uint64_t seed = std::random_device{}();
  const Stream stream(*Mixture::FromLeaves({one, two}, {1}), seed, 64);
  int both = 0;
  for (uint64_t w = 0; w < 100; ++w) {
    std::set<uint64_t> rows[2];
    for (const StreamExample& example : stream.Window(w)) {
      rows[example.leaf].insert(example.index_in_leaf);
    }
    for (const uint64_t row : rows[0]) both += static_cast<int>(rows[1].count(row));
  }
  // 32 rows of each in a window, 32 * 32 / 600 = 1.7 in both by chance: 171 in all, standard
  // deviation below 13.
  EXPECT_LT(both, 171 + 6 * 13) << "seed " << seed;
}

TEST(Stream, TenThousandLeavesFillAnyWindow) {
  std::mt19937_64 random(1);
  std::vector<SourceInfo> sources;
  for (int s = 0; s < 100; ++s) {
    SourceInfo source = {.name = "source" + std::to_string(s), .weight = 1.0 + s};
    for (int l = 0; l < 100; ++l) {
      source.languages.push_back({"language" + std::to_string(l), 1 + random() % 40000});
    }
    sources.push_back(source);
  }
  const Mixture mixture = *Mixture::Create(sources);
  const Stream stream(mixture, 1);
  for (int i = 0; i < 20; ++i) {
    const std::vector<StreamExample> window = stream.Window(random() >> 40);
    ASSERT_EQ(window.size(), 8192u);
    for (const StreamExample& example : window) {
      ASSERT_LT(example.index_in_leaf, mixture.leaves()[example.leaf].num_examples);
    }
  }
}

}  // namespace
}  // namespace frond
