// Near duplicates: the parts against their definitions, then planted ones with stated recall.
#include "mixtures/pruning/near_duplicates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "mixtures/pruning/minhash.h"
#include "tests/mixtures/pruning/prune_fixture.h"

namespace frond {
namespace {

constexpr int kNgram = 5;
constexpr double kMinRecall = 0.95;  // at a similarity of 0.8; 0.998 is expected

std::vector<uint32_t> Distinct(const std::string& text) {
  std::vector<uint32_t> hashes = ShingleHashes(text, kNgram);
  SortDistinct(&hashes);
  return hashes;
}

// Jaccard similarity of the sets of n-grams themselves; for ASCII.
double PlainJaccard(const std::string& a, const std::string& b) {
  const auto grams = [](const std::string& text) {
    std::set<std::string> all;
    for (size_t i = 0; i + kNgram <= text.size(); ++i) all.insert(text.substr(i, kNgram));
    return all;
  };
  const std::set<std::string> x = grams(a), y = grams(b);
  std::set<std::string> either = x;
  either.insert(y.begin(), y.end());
  return static_cast<double>(x.size() + y.size() - either.size()) /
         static_cast<double>(either.size());
}

class NearDuplicatesTest : public PruneTest {
 protected:
  NearDuplicatesTest() : seed_(std::random_device{}()), babbler_(seed_) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }

  static std::string TextOf(const TestRow& row) { return row.inputs + "\n" + row.targets; }

  // A copy with letters changed until its similarity is within [low, high].
  TestRow Worn(const TestRow& row, double low, double high) {
    while (true) {
      TestRow worn = row;
      double similarity = 1;
      while (similarity > high) {
        worn.targets[babbler_.Draw(worn.targets.size())] = 'q';
        similarity = PlainJaccard(TextOf(row), TextOf(worn));
      }
      if (similarity >= low) return worn;
    }
  }

  TestRow LongRow() {
    return {.inputs = babbler_.Sentence(8), .targets = babbler_.Sentence(20 + babbler_.Draw(60))};
  }

  uint64_t seed_;
  Babbler babbler_;
};

TEST_F(NearDuplicatesTest, ShinglesAndJaccardFollowTheirDefinition) {
  EXPECT_EQ(ShingleHashes("", 3).size(), 0u);
  EXPECT_EQ(ShingleHashes("ab", 3).size(), 1u);
  EXPECT_EQ(ShingleHashes("日本語です", 3).size(), 3u);
  EXPECT_EQ(ShingleHashes("xabcx", 3)[1], ShingleHashes("abc", 3)[0]);
  EXPECT_NE(ShingleHashes("abc", 3)[0], ShingleHashes("acb", 3)[0]);
  EXPECT_NE(ShingleHashes("é", 1)[0], ShingleHashes("è", 1)[0]);
  for (int i = 0; i < 50; ++i) {
    const std::string a = TextOf(LongRow());
    const std::string b = TextOf(Worn({.inputs = a, .targets = a}, 0.3, 0.9));
    EXPECT_DOUBLE_EQ(Jaccard(Distinct(a), Distinct(b)), PlainJaccard(a, b));
  }
}

TEST_F(NearDuplicatesTest, SignaturesAgreeAsOftenAsTextsAreAlike) {
  const MinHasher hasher(1000, seed_);
  const std::string a = TextOf(LongRow());
  const std::string b = TextOf(Worn({.inputs = a, .targets = a}, 0.4, 0.8));
  const std::vector<uint32_t> x = hasher.Signature(Distinct(a)), y = hasher.Signature(Distinct(b));
  int agree = 0;
  for (size_t i = 0; i < x.size(); ++i) agree += x[i] == y[i];
  EXPECT_NEAR(agree / 1000.0, PlainJaccard(a, b), 0.08);  // 5 standard deviations
  // The least of a union is the least of its parts.
  std::vector<uint32_t> both = Distinct(a);
  for (const uint32_t hash : Distinct(b)) both.push_back(hash);
  const std::vector<uint32_t> least = hasher.Signature(both);
  for (size_t i = 0; i < least.size(); ++i) EXPECT_EQ(least[i], std::min(x[i], y[i]));
}

TEST_F(NearDuplicatesTest, PlantedOnesAreFoundAndNothingElse) {
  std::vector<TestRow> first, second, held;
  std::set<int64_t> planted;
  for (int i = 0; i < 1500; ++i) first.push_back(LongRow());
  for (int i = 0; i < 200; ++i) held.push_back(LongRow());
  for (int i = 0; i < 1200; ++i) {
    const bool from_held = babbler_.Draw(4) == 0;
    const TestRow& original = from_held ? held[babbler_.Draw(200)] : first[babbler_.Draw(1500)];
    if (i % 3 == 0) planted.insert(i);
    // One in three just above the threshold, one below it, one new.
    second.push_back(i % 3 == 0   ? Worn(original, 0.8, 0.84)
                     : i % 3 == 1 ? Worn(original, 0.65, 0.75)
                                  : LongRow());
  }
  PruneOptions options = {.sources = {Source("first", first), Source("second", second)},
                          .evaluation = {Source("held", held)},
                          .rules = {Rule("near", NearDuplicateOptions{.ngram = kNgram})},
                          .threads = 2};
  const auto report = Run(options);
  ASSERT_TRUE(report.ok()) << report.status();
  const Found found = Compare(options, "second", "near", planted);
  std::printf("recall %.4f\n", found.recall);
  EXPECT_GE(found.recall, kMinRecall);
  EXPECT_EQ(Kept(options, "first").size(), first.size());
  // Two copies of one row may be alike as well.
  for (const nlohmann::json& row : Lines(options.dropped_path)) {
    const std::string reason = row["reason"];
    const double similarity = std::stod(reason.substr(reason.find(' ')));
    EXPECT_GE(similarity, 0.8);
    EXPECT_TRUE(planted.count(row["row"]["id"]) > 0 || reason.find("of second") != reason.npos)
        << reason;
  }
}

// More sources than a band remembers texts of one value.
TEST_F(NearDuplicatesTest, SourcesThatAreComparedWithThemselvesDoNotCrowdEachOtherOut) {
  const TestRow same = LongRow(), held = LongRow();
  PruneOptions options = {.evaluation = {Source("held", {held})},
                          .rules = {Rule("near", NearDuplicateOptions{.within_source = true})}};
  for (int s = 0; s < 40; ++s) {
    const TestRow own = LongRow();
    options.sources.push_back(
        Source(absl::StrCat("s", s), {same, Worn(same, 0.9, 0.95), own, held, own}));
  }
  const auto report = Run(options);
  ASSERT_TRUE(report.ok()) << report.status();
  for (const PruneSource& source : options.sources) {
    EXPECT_THAT(Kept(options, source.name), testing::ElementsAre(0, 2)) << source.name;
  }
  for (const nlohmann::json& row : Lines(options.dropped_path)) {
    const std::string reason = row["reason"], source = row["source"];
    EXPECT_THAT(reason, testing::EndsWith(row["row"]["id"] == 3 ? "of evaluation set held"
                                                                : "of " + source));
  }
}

TEST_F(NearDuplicatesTest, SameBytesForAnyNumberOfThreads) {
  std::vector<TestRow> rows;
  for (int i = 0; i < 4000; ++i) {
    rows.push_back(i % 4 == 3 ? Worn(rows[babbler_.Draw(rows.size())], 0.6, 0.95) : LongRow());
  }
  PruneOptions options = {.sources = {Source("a", rows)},
                          .rules = {Rule("near", NearDuplicateOptions{})}};
  std::set<std::string> results;
  for (const int threads : {1, 2, 4}) {
    options.threads = threads;
    ASSERT_TRUE(Run(options).ok());
    results.insert(AllBytes(options));
  }
  EXPECT_EQ(results.size(), 1u);
}

TEST(BandRecall, IsWhatTheDefaultsPromise) {
  const NearDuplicateOptions options;
  EXPECT_NEAR(BandRecall(0.8, options.bands, options.rows_per_band), 0.998, 0.001);
  EXPECT_LT(BandRecall(0.3, options.bands, options.rows_per_band), 0.02);
}

}  // namespace
}  // namespace frond
