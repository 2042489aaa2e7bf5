// What the links between ranks give, and whether they give the right numbers: a test to run before
// a job starts, since one bad cable or host slows all ranks and one bad sum spoils all weights.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "dist/communicator.h"

namespace frond {

struct LinkTestOptions {
  int64_t check_bytes = 256 << 10;  // of the operands of the collectives that are checked
  int64_t speed_bytes = 1 << 20;    // that each rank sends at once, and of the timed all-reduce
  int repeats = 3;                  // the best counts
  double slow_factor = 4;           // a pair this much below the median is slow
};

// What two ranks exchange while other pairs do the same; first < second.
struct LinkSpeed {
  int first = 0;
  int second = 0;
  double bytes_per_second = 0;  // each way
};

struct LinkReport {
  std::vector<std::string> hosts;          // by rank
  std::vector<LinkSpeed> pairs;            // from the slowest to the fastest; none of one rank
  size_t num_slow = 0;                     // the first of `pairs`
  double all_reduce_bytes_per_second = 0;  // of the operand, over all ranks; 0 of one rank

  // Of the pair in the middle; of two middle ones the faster, so that half of the links may be
  // slow. There is a pair.
  double MedianSpeed() const { return pairs[pairs.size() / 2].bytes_per_second; }
};

// All-reduce, reduce-scatter, all-gather and broadcast of known numbers, then the speed of pairs of
// ranks: of all pairs of up to 16 ranks, of neighbours in a ring of more. A wrong number is an
// error that names collective and rank. Report and error are the same on every rank. `ctx` is where
// the operands lie. Collective over `world`.
absl::StatusOr<LinkReport> TestLinks(Context& ctx, Communicator& world,
                                     const LinkTestOptions& options);

// Rounds of disjoint pairs that hold each pair to time once: [round][rank] is the rank's partner,
// itself where it has none.
std::vector<std::vector<int>> PairRounds(int ranks);

// "4 ranks on 1 host, all-reduce 2.1 GB/s; slowest pair 0-3 0.8 GB/s, median 1.9 GB/s, fastest ..."
std::string DescribeLinks(const LinkReport& report);

// One line that names ranks, hosts and speed of `pair`, one of the report's.
std::string DescribeSlowLink(const LinkReport& report, const LinkSpeed& pair);

}  // namespace frond
