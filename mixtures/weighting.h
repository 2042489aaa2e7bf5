// The rules that turn sizes into shares, as plain functions of numbers. All arithmetic is
// correctly rounded or our own (Power), so shares have the same bits on every machine.
#pragma once

#include <span>
#include <vector>

namespace frond {

// x^y for finite x >= 0 and y >= 0 (0^0 = 1), to about 1e-14 of the value; the C library's pow
// differs by machine.
double Power(double x, double y);

// weights / sum of weights; all 0 where they sum to 0.
std::vector<double> Normalized(std::span<const double> weights);

// p_i ~ n_i^(1/T), T >= 1 flattens (Arivazhagan et al. 2019); mT5's alpha is 1/T = 0.3 (Xue et al.
// 2021). T > 0. Empty items get nothing.
std::vector<double> TemperatureShares(std::span<const double> sizes, double temperature);

// T5's examples-proportional mixing in SeqIO's order (Raffel et al. 2020; SeqIO's rate by number of
// examples): scale, then the maximum K, then the temperature.
struct ExamplesProportionalRule {
  double scale = 1;        // > 0
  double maximum = 0;      // K > 0; 0: none
  double temperature = 1;  // > 0
};

// min(n * scale, K)^(1/T), not normalised; 0 for n = 0.
double ExamplesProportionalRate(double size, const ExamplesProportionalRule& rule);

// UniMax (Chung et al. 2023, algorithm 1): going from the smallest item to the largest, each gets
// an equal part of what is left of the budget, but at most `max_epochs` times its size. Returns
// what each gets, in the unit of sizes and budget; it sums to less than the budget where all of
// them together are too small for it. Items of equal size go in their order; empty ones get nothing
// and do not count.
std::vector<double> UniMaxAllocation(std::span<const double> sizes, double budget,
                                     double max_epochs);

}  // namespace frond
