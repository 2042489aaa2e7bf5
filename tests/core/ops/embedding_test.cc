// Tables that hold a part of the vocabulary, against the whole one.
#include "core/ops/embedding.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/base/philox.h"

namespace frond {
namespace {

constexpr int64_t kVocabulary = 101, kDim = 19, kTokens = 400;

View Rows(std::vector<float>& x) { return {x.data(), {std::ssize(x) / kDim, kDim}, DType::kF32}; }

TEST(EmbeddingPartTest, PartsHaveTheWholeTablesBitsTogether) {
  CpuAllocator memory;
  Context ctx(memory);
  const uint64_t seed = std::random_device{}();
  const auto draw = [&](int64_t rows, uint64_t name) {
    std::vector<float> x;
    for (int64_t i = 0; i < rows * kDim; ++i) {
      x.push_back(static_cast<float>(NormalAt(MixBits(seed + name), i)));
    }
    return x;
  };
  std::vector<float> table = draw(kVocabulary, 1), dy = draw(kTokens, 2);
  std::vector<float> dtable = draw(kVocabulary, 3), y(dy.size());
  std::vector<int32_t> ids;
  for (uint64_t t = 0; t < kTokens; ++t) {
    const double u = UniformAt(seed, t);
    ids.push_back(static_cast<int32_t>(u * u * kVocabulary));
  }
  std::vector<float> dtable_of_parts = dtable, sum_of_parts(dy.size(), 0.f);
  Embedding(ctx, Rows(table), ids, Rows(y));
  EmbeddingGrad(ctx, Rows(dy), ids, Rows(dtable));
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 40}, {40, 41}, {41, 101}}) {
    const VocabularyPart part = {.first_id = begin, .vocabulary = kVocabulary};
    const auto part_of = [&, begin = begin, end = end](std::vector<float>& x) {
      return View{x.data() + begin * kDim, {end - begin, kDim}, DType::kF32};
    };
    std::vector<float> y_of_part(dy.size(), -1.f);
    Embedding(ctx, part_of(table), ids, Rows(y_of_part), part);
    for (size_t i = 0; i < y.size(); ++i) sum_of_parts[i] += y_of_part[i];
    EmbeddingGrad(ctx, Rows(dy), ids, part_of(dtable_of_parts), part);
  }
  EXPECT_EQ(sum_of_parts, y) << "seed " << seed;
  EXPECT_EQ(dtable_of_parts, dtable) << "seed " << seed;
}

TEST(EmbeddingPartDeathTest, ChecksIdsAgainstTheWholeVocabulary) {
  CpuAllocator memory;
  Context ctx(memory);
  std::vector<float> table(3 * kDim), y(kDim);
  const auto look_up = [&](int32_t id, const VocabularyPart& part) {
    const std::vector<int32_t> ids = {id};
    Embedding(ctx, Rows(table), ids, Rows(y), part);
  };
  look_up(9, {.first_id = 2, .vocabulary = 10});
  EXPECT_DEATH(look_up(10, {.first_id = 2, .vocabulary = 10}), "10 of 10");
  EXPECT_DEATH(look_up(-1, {.first_id = 2, .vocabulary = 10}), "-1 of 10");
  EXPECT_DEATH(look_up(3, {}), "3 of 3");
  EXPECT_DEATH(look_up(0, {.first_id = 8, .vocabulary = 10}), "3 rows from id 8 of 10");
}

}  // namespace
}  // namespace frond
