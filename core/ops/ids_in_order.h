// Token positions grouped by their ids: whose gradients share a row of an embedding table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frond {

// The tokens of one id: tokens[begin, end) of IdsInOrder.
struct IdRun {
  int32_t id;
  int32_t begin, end;
};

struct IdsInOrder {
  std::vector<int32_t> tokens;  // positions in the list, by (id, position)
  std::vector<IdRun> runs;      // by id
};

// `ids` are not negative. Linear in their number.
IdsInOrder PutIdsInOrder(std::span<const int32_t> ids);

// Keeps the runs of ids [first, first + count) and counts their ids from `first`.
void KeepIds(int64_t first, int64_t count, std::vector<IdRun>& runs);

// A piece of one id's tokens, short enough for one owner: tokens[begin, end). Its sum goes straight
// to the table's row where `slot` is -1, else to row `slot` of a list of partial sums.
struct IdPiece {
  int32_t id;
  int32_t begin, end;
  int32_t slot;
};

// Pieces of at most `most` tokens. `joins`: for the ids of several pieces, their slots [begin,
// end).
struct IdPieces {
  std::vector<IdPiece> pieces;
  std::vector<IdRun> joins;
  int32_t num_slots = 0;
};
IdPieces CutIntoPieces(const std::vector<IdRun>& runs, int32_t most);

}  // namespace frond
