// Packing: which examples of a window share a row. Two-dimensional, since a row is full when its
// source side or its target side is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frond {

// Tokens of one example, or the most that a row (and so an example) may hold.
struct SideLengths {
  int32_t source = 0;
  int32_t target = 0;
};

struct PackingReport {
  int64_t rows = 0;
  int64_t examples = 0;
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
  SideLengths row_limits;

  // Share of the rows' room that holds tokens.
  double source_fill() const;
  double target_fill() const;
  // Of the side that limits how few rows there can be.
  double binding_fill() const;

  // Sums up windows of the same limits.
  PackingReport& operator+=(const PackingReport& other);
};

// The rows of one window. Row r holds examples[row_offsets[r] .. row_offsets[r+1]), indices into
// the window, ascending.
struct PackedWindow {
  std::vector<int32_t> row_offsets = {0};  // [rows + 1]
  std::vector<int32_t> examples;           // [examples]
  PackingReport report;

  int32_t num_rows() const { return static_cast<int32_t>(row_offsets.size()) - 1; }
  std::span<const int32_t> row(int32_t r) const {
    return {examples.data() + row_offsets[r], examples.data() + row_offsets[r + 1]};
  }
};

// Packs examples of these lengths (1 <= length <= limit on both sides, i.e. already truncated) into
// few rows. A pure function of its arguments. Rows come in an order drawn from `seed`, which does
// not depend on what they hold: planned order would train on long examples first.
PackedWindow PackWindow(std::span<const SideLengths> lengths, const SideLengths& row_limits,
                        uint64_t seed);

// One example a row, in the window's own order.
PackedWindow OneExamplePerRow(std::span<const SideLengths> lengths, const SideLengths& row_limits);

}  // namespace frond
