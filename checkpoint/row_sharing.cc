#include "checkpoint/row_sharing.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/check.h"

namespace frond {
namespace {

// Ranks by the rows that they hold, given as (first, count).
using Bands = std::map<std::pair<int64_t, int64_t>, std::vector<int>>;

// The holders of a band must have all columns between them, each column as part of equal pieces.
void CheckColumns(std::span<const ParamSlice> by_rank, const std::vector<int>& holders) {
  std::map<int64_t, int64_t> pieces;  // first column, columns
  int64_t whole = 0;
  for (const int rank : holders) {
    const ParamSlice& slice = by_rank[static_cast<size_t>(rank)];
    const auto [piece, is_new] = pieces.emplace(slice.first_col, slice.cols);
    CHECK_EQ(piece->second, slice.cols) << "columns from " << slice.first_col << " on";
    whole = slice.whole_cols;
  }
  int64_t next = 0;
  for (const auto& [first, cols] : pieces) {
    CHECK_EQ(first, next) << "columns are held twice or by nobody";
    next = first + cols;
  }
  CHECK_EQ(next, whole) << "columns are held by nobody";
}

}  // namespace

RowSharing::RowSharing(int64_t min_piece_bytes) : min_piece_bytes_(min_piece_bytes) {
  CHECK_GT(min_piece_bytes, 0);
}

std::vector<RowShare> RowSharing::Next(std::span<const ParamSlice> by_rank, int64_t row_bytes) {
  CHECK(!by_rank.empty());
  Bands bands;
  for (size_t rank = 0; rank < by_rank.size(); ++rank) {
    const ParamSlice& slice = by_rank[rank];
    CHECK(slice.whole_rows == by_rank[0].whole_rows && slice.whole_cols == by_rank[0].whole_cols)
        << "rank " << rank << " holds a part of another tensor";
    if (slice.num_elements() == 0) continue;
    bands[{slice.first_row, slice.rows}].push_back(static_cast<int>(rank));
  }
  std::vector<RowShare> shares;
  if (by_rank[0].whole_rows * by_rank[0].whole_cols == 0) return shares;
  int64_t next_row = 0, turns = 0;
  for (const auto& [band, holders] : bands) {
    const auto [first, rows] = band;
    CHECK_EQ(first, next_row) << "rows are held in part twice, or by nobody";
    next_row = first + rows;
    CheckColumns(by_rank, holders);
    const auto most = static_cast<int64_t>(holders.size());
    const int64_t pieces =
        std::clamp(rows * row_bytes / min_piece_bytes_, int64_t{1}, std::min(most, rows));
    for (int64_t p = 0; p < pieces; ++p) {
      const int64_t begin = rows * p / pieces, end = rows * (p + 1) / pieces;
      const int holder = holders[static_cast<size_t>((turn_ + p) % most)];
      shares.push_back({holder, first + begin, end - begin});
    }
    turns = std::max(turns, pieces);
  }
  CHECK_EQ(next_row, by_rank[0].whole_rows) << "rows are held by nobody";
  turn_ += turns;
  return shares;
}

}  // namespace frond
