// The bootstrap (Efron, "Bootstrap methods: another look at the jackknife", 1979): intervals from
// items drawn again with replacement. Draws are a function of key and number, so that threads
// change nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frond {

struct Interval {
  double low = 0;
  double high = 0;

  bool Excludes(double value) const { return value < low || value > high; }
};

// How often each item comes in draw number `draw`: from every stratum as many as it has,
// independently and with replacement. `counts` has an element for each item, those of a stratum
// side by side in the order of `sizes` (items of each stratum), and is assigned.
void DrawCounts(std::span<const int64_t> sizes, uint64_t key, uint64_t draw,
                std::span<int32_t> counts);

// The q-quantile, 0 <= q <= 1, linear between order statistics (the seventh form of Hyndman and
// Fan, NumPy's default). NaN where there is no value.
double Quantile(std::vector<double> values, double q);

// From the (1 - confidence) / 2 quantile of the draws to its mirror. Draws that are NaN do not
// count.
Interval PercentileInterval(std::vector<double> draws, double confidence);

}  // namespace frond
