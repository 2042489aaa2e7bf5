// The gradient sorts the tokens by id and gives whole table rows to threads: each row is summed in
// token order by one thread, so the result does not depend on the thread count.
#include "core/ops/cpu/embedding.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/ops/cpu/row_convert.h"

namespace frond::cpu {
namespace {

// One row's id and where its tokens stand in the sorted list.
struct Run {
  int32_t id;
  size_t begin, end;
};

// `tokens` becomes the token numbers ordered by (id, token).
std::vector<Run> SortById(std::span<const int32_t> ids, std::vector<int32_t>& tokens) {
  std::vector<uint64_t> keys(ids.size());
  for (size_t t = 0; t < ids.size(); ++t) {
    keys[t] = (static_cast<uint64_t>(static_cast<uint32_t>(ids[t])) << 32) | t;
  }
  std::sort(keys.begin(), keys.end());
  tokens.resize(ids.size());
  std::vector<Run> runs;
  for (size_t i = 0; i < keys.size(); ++i) {
    tokens[i] = static_cast<int32_t>(keys[i] & 0xFFFFFFFFu);
    const auto id = static_cast<int32_t>(keys[i] >> 32);
    if (runs.empty() || runs.back().id != id) runs.push_back({id, i, i});
    runs.back().end = i + 1;
  }
  return runs;
}

template <class X, class Y>
void AddRow(const X* x, Y* y, int64_t n) {
  if constexpr (std::is_same_v<Y, float> && !std::is_same_v<X, double>) {
    AddScaledRun(1.0f, x, y, n);
  } else {
    std::vector<Y> row(static_cast<size_t>(n));
    ConvertRun(x, row.data(), n);
    for (int64_t i = 0; i < n; ++i) y[i] += row[static_cast<size_t>(i)];
  }
}

template <class X, class Y>
void AddRows(const X* dy, std::span<const int32_t> ids, int64_t d, Y* dtable) {
  std::vector<int32_t> tokens;
  const std::vector<Run> runs = SortById(ids, tokens);
#pragma omp parallel for schedule(dynamic, 16) if (tokens.size() > 16)
  for (const Run& run : runs) {
    for (size_t i = run.begin; i < run.end; ++i) AddRow(dy + tokens[i] * d, dtable + run.id * d, d);
  }
}

}  // namespace

void Embedding(Context&, ConstView table, std::span<const int32_t> ids, View y) {
  const int64_t d = table.dim(1), tokens = y.dim(0);
  VisitFloatType(table.dtype, [&](auto from) {
    VisitFloatType(y.dtype, [&](auto to) {
      const auto* source = table.As<decltype(from)>();
      auto* target = y.As<decltype(to)>();
#pragma omp parallel for schedule(static) if (tokens > 16)
      for (int64_t t = 0; t < tokens; ++t) {
        ConvertRun(source + ids[static_cast<size_t>(t)] * d, target + t * d, d);
      }
    });
  });
}

void EmbeddingGrad(Context&, ConstView dy, std::span<const int32_t> ids, View dtable) {
  VisitFloatType(dy.dtype, [&](auto from) {
    const auto* source = dy.As<decltype(from)>();
    if (dtable.dtype == DType::kF64)
      return AddRows(source, ids, dtable.dim(1), dtable.As<double>());
    AddRows(source, ids, dtable.dim(1), dtable.As<float>());
  });
}

}  // namespace frond::cpu
