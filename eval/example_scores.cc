#include "eval/example_scores.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/tensor/transfer.h"

namespace frond {
namespace {

// Logits that exist at a time, as numbers: 2^24 doubles are 128 MiB.
constexpr int64_t kMaxLogits = int64_t{1} << 24;

ExampleScore ScoreToken(std::span<const double> logits, int32_t target) {
  const double most = *std::max_element(logits.begin(), logits.end());
  // Of the other tokens: 1 - p(target) is exact where p is close to 1.
  double others = 0, squares = 0;
  for (size_t v = 0; v < logits.size(); ++v) {
    if (v == static_cast<size_t>(target)) continue;
    const double e = std::exp(logits[v] - most);
    others += e;
    squares += e * e;
  }
  const double own = logits[static_cast<size_t>(target)] - most;
  const double z = others + std::exp(own);
  return {.loss = std::log(z) - own, .el2n = std::sqrt(squares + others * others) / z};
}

}  // namespace

std::vector<ExampleScore> ScoreExamples(Context& ctx, T5Model& model, const Batch& batch) {
  const Tensor hidden = model.Decode(ctx, batch);
  const int64_t tokens = batch.num_target_tokens();
  const int64_t vocabulary = model.config().vocab_size;
  const int64_t chunk = std::max<int64_t>(1, kMaxLogits / vocabulary);
  std::vector<ExampleScore> of_tokens(static_cast<size_t>(tokens));
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t rows = std::min(chunk, tokens - begin);
    const Tensor part = model.WholeLogits(ctx, Rows(hidden.view(), begin, begin + rows));
    const std::vector<double> logits = ToDoubles(ctx, part);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; ++row) {
      const size_t t = static_cast<size_t>(begin + row);
      of_tokens[t] = ScoreToken(std::span(logits).subspan(static_cast<size_t>(row * vocabulary),
                                                          static_cast<size_t>(vocabulary)),
                                batch.target_ids[t]);
    }
  }
  std::vector<ExampleScore> scores(static_cast<size_t>(batch.num_examples()));
  for (size_t i = 0; i < scores.size(); ++i) {
    const int32_t begin = batch.target_offsets[i], end = batch.target_offsets[i + 1];
    for (int32_t t = begin; t < end; ++t) {
      scores[i].loss += of_tokens[static_cast<size_t>(t)].loss / (end - begin);
      scores[i].el2n += of_tokens[static_cast<size_t>(t)].el2n / (end - begin);
    }
  }
  return scores;
}

}  // namespace frond
