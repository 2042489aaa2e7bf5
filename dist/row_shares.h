// How the rows of a parameter that are shared out over ranks lie in messages: rank after rank,
// each with as much room as the largest share needs.
#pragma once

#include "core/nn/param.h"
#include "core/ops/elementwise.h"

namespace frond {

// Tensors that lie one behind the other begin on cache lines.
inline int64_t AlignedElements(int64_t n) { return (n + 15) / 16 * 16; }

// Room for one rank's share in a message.
inline int64_t ShareElements(const Param& param, int ranks) {
  return (param.slice.rows + ranks - 1) / ranks * param.slice.cols;
}

// The rows of `like`, a tensor in the parameter's shape, that belong to a rank.
inline View RowsOf(const Param& param, View like, int rank, int ranks) {
  const ParamSlice share = param.slice.ShareOfRows({.rank = rank, .size = ranks});
  const int64_t begin = share.first_row - param.slice.first_row;
  return Rows(like, begin, begin + share.rows);
}

// The first elements of one become those of the other, as many as both have.
inline void CopyFlat(Context& ctx, ConstView from, View to) {
  const int64_t n = std::min(from.num_elements(), to.num_elements());
  if (n == 0) return;
  Cast(ctx, Rows(Reshape(from, {from.num_elements()}), 0, n),
       Rows(Reshape(to, {to.num_elements()}), 0, n));
}

}  // namespace frond
