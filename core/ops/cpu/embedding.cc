// The gradient sorts the tokens by id and gives whole table rows to threads: each row is summed in
// token order by one thread, so the result does not depend on the thread count.
#include "core/ops/cpu/embedding.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/ops/cpu/master_run.h"
#include "core/ops/cpu/row_convert.h"
#include "core/ops/ids_in_order.h"

namespace frond::cpu {
namespace {

// As every product's weights are rounded (core/ops/master.h).
void ConvertWeights(const float* x, BFloat16* y, int64_t n) { SplitRun(x, n, y, nullptr); }
template <class X, class Y>
void ConvertWeights(const X* x, Y* y, int64_t n) {
  ConvertRun(x, y, n);
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
void AddRows(const X* dy, const IdsInOrder& order, int64_t d, Y* dtable) {
#pragma omp parallel for schedule(dynamic, 16) if (order.tokens.size() > 16)
  for (const IdRun& run : order.runs) {
    for (int32_t i = run.begin; i < run.end; ++i) {
      AddRow(dy + order.tokens[static_cast<size_t>(i)] * d, dtable + run.id * d, d);
    }
  }
}

}  // namespace

void Embedding(Context&, ConstView table, std::span<const int32_t> ids, View y, int64_t first_id) {
  const int64_t rows = table.dim(0), d = table.dim(1), tokens = y.dim(0);
  VisitFloatType(table.dtype, [&](auto from) {
    VisitFloatType(y.dtype, [&](auto to) {
      const auto* source = table.As<decltype(from)>();
      auto* target = y.As<decltype(to)>();
#pragma omp parallel for schedule(static) if (tokens > 16)
      for (int64_t t = 0; t < tokens; ++t) {
        const int64_t row = ids[static_cast<size_t>(t)] - first_id;
        if (row >= 0 && row < rows) {
          ConvertWeights(source + row * d, target + t * d, d);
        } else {
          std::fill_n(target + t * d, d, decltype(to){});
        }
      }
    });
  });
}

void EmbeddingGrad(Context&, ConstView dy, std::span<const int32_t> ids, View dtable,
                   int64_t first_id) {
  IdsInOrder order = PutIdsInOrder(ids);
  KeepIds(first_id, dtable.dim(0), order.runs);
  VisitFloatType(dy.dtype, [&](auto from) {
    const auto* source = dy.As<decltype(from)>();
    if (dtable.dtype == DType::kF64) {
      return AddRows(source, order, dtable.dim(1), dtable.As<double>());
    }
    AddRows(source, order, dtable.dim(1), dtable.As<float>());
  });
}

}  // namespace frond::cpu
