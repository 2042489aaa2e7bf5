#include "core/ops/ids_in_order.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/base/check.h"

namespace frond {
namespace {

constexpr int kDigitBits = 11;

// `tokens` in the order of one digit of their ids; equal ones keep theirs.
void SortByDigit(std::span<const int32_t> ids, int shift, std::vector<int32_t>& tokens,
                 std::vector<int32_t>& scratch) {
  const auto digit = [&](int32_t token) {
    return static_cast<size_t>(ids[static_cast<size_t>(token)] >> shift) & ((1u << kDigitBits) - 1);
  };
  std::array<int32_t, (1 << kDigitBits) + 1> starts = {};
  for (const int32_t token : tokens) ++starts[digit(token) + 1];
  for (size_t d = 1; d < starts.size(); ++d) starts[d] += starts[d - 1];
  for (const int32_t token : tokens) scratch[static_cast<size_t>(starts[digit(token)]++)] = token;
  std::swap(tokens, scratch);
}

}  // namespace

IdsInOrder PutIdsInOrder(std::span<const int32_t> ids) {
  CHECK_LE(ids.size(), static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  IdsInOrder result;
  result.tokens.resize(ids.size());
  for (size_t t = 0; t < ids.size(); ++t) result.tokens[t] = static_cast<int32_t>(t);
  const int32_t largest = ids.empty() ? 0 : *std::max_element(ids.begin(), ids.end());
  std::vector<int32_t> scratch(ids.size());
  for (int shift = 0; shift < 31 && (largest >> shift) > 0; shift += kDigitBits) {
    SortByDigit(ids, shift, result.tokens, scratch);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t id = ids[static_cast<size_t>(result.tokens[i])];
    const auto at = static_cast<int32_t>(i);
    if (result.runs.empty() || result.runs.back().id != id) result.runs.push_back({id, at, at});
    result.runs.back().end = at + 1;
  }
  return result;
}

void KeepIds(int64_t first, int64_t count, std::vector<IdRun>& runs) {
  std::erase_if(runs, [&](const IdRun& run) { return run.id < first || run.id >= first + count; });
  for (IdRun& run : runs) run.id -= static_cast<int32_t>(first);
}

IdPieces CutIntoPieces(const std::vector<IdRun>& runs, int32_t most) {
  IdPieces result;
  for (const IdRun& run : runs) {
    if (run.end - run.begin <= most) {
      result.pieces.push_back({run.id, run.begin, run.end, -1});
      continue;
    }
    const int32_t first_slot = result.num_slots;
    for (int32_t begin = run.begin; begin < run.end; begin += most) {
      const int32_t end = std::min(run.end, begin + most);
      result.pieces.push_back({run.id, begin, end, result.num_slots++});
    }
    result.joins.push_back({run.id, first_slot, result.num_slots});
  }
  return result;
}

}  // namespace frond
