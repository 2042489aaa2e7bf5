#include "dist/link_test.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/check.h"
#include "core/base/host_name.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

constexpr int kMaxRanksForAllPairs = 16;

// Whole numbers, so that sums over thousands of ranks are exact in f32 in any order.
float NumberOf(int rank, int64_t i) { return static_cast<float>((1 + rank % 16) * (1 + i % 251)); }

float SumOf(int ranks, int64_t i) {
  float sum = 0;
  for (int r = 0; r < std::min(ranks, 16); ++r) {
    sum += NumberOf(r, i) * static_cast<float>((ranks - r + 15) / 16);
  }
  return sum;
}

// The four collectives against what they must give. Each returns what is wrong on this rank.
class CollectiveChecks {
 public:
  CollectiveChecks(Context& ctx, Communicator& world, int64_t bytes)
      : ctx_(ctx),
        world_(world),
        n_(world.size()),
        rank_(world.rank()),
        piece_(std::max<int64_t>(bytes / 4 / n_, 1)) {}

  std::string AllReduce() {
    Tensor x = Numbers(rank_, n_ * piece_);
    world_.AllReduce(ctx_, x, Reduce::kSum).Wait();
    return Compare("all-reduce", x, [this](int64_t i) { return SumOf(n_, i); });
  }
  std::string ReduceScatter() {
    const Tensor in = Numbers(rank_, n_ * piece_);
    Tensor out(ctx_, {piece_}, DType::kF32);
    world_.ReduceScatter(ctx_, in, out, Reduce::kSum).Wait();
    return Compare("reduce-scatter", out,
                   [this](int64_t i) { return SumOf(n_, rank_ * piece_ + i); });
  }
  std::string AllGather() {
    const Tensor in = Numbers(rank_, piece_);
    Tensor out(ctx_, {n_ * piece_}, DType::kF32);
    world_.AllGather(ctx_, in, out).Wait();
    return Compare("all-gather", out, [this](int64_t i) {
      return NumberOf(static_cast<int>(i / piece_), i % piece_);
    });
  }
  std::string Broadcast() {
    Tensor x = Numbers(rank_, n_ * piece_);
    world_.Broadcast(ctx_, x, n_ - 1).Wait();
    return Compare("broadcast", x, [this](int64_t i) { return NumberOf(n_ - 1, i); });
  }

 private:
  Tensor Numbers(int rank, int64_t count) {
    std::vector<float> numbers(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) numbers[static_cast<size_t>(i)] = NumberOf(rank, i);
    Tensor x(ctx_, {count}, DType::kF32);
    CopyFromHost(ctx_, numbers.data(), x);
    return x;
  }

  template <class Expected>
  std::string Compare(absl::string_view collective, const Tensor& x, Expected expected) {
    std::vector<float> numbers(static_cast<size_t>(x.shape().num_elements()));
    CopyToHost(ctx_, x, numbers.data());
    for (size_t i = 0; i < numbers.size(); ++i) {
      const float right = expected(static_cast<int64_t>(i));
      if (numbers[i] == right) continue;
      return absl::StrCat(collective, " gives rank ", rank_, " ", numbers[i], " for number ", i,
                          " of ", numbers.size(), ", not ", right);
    }
    return "";
  }

  Context& ctx_;
  Communicator& world_;
  int n_;
  int rank_;
  int64_t piece_;  // numbers of a rank
};

// Every check runs on every rank, whatever the ones before found, since all are collective.
absl::Status CheckCollectives(Context& ctx, Communicator& world,
                              const std::vector<std::string>& hosts, int64_t bytes) {
  CollectiveChecks checks(ctx, world, bytes);
  std::string wrong;
  for (std::string found :
       {checks.AllReduce(), checks.ReduceScatter(), checks.AllGather(), checks.Broadcast()}) {
    if (wrong.empty()) wrong = std::move(found);
  }
  const std::vector<std::string> all = world.AllGatherBytes(wrong);
  for (size_t r = 0; r < all.size(); ++r) {
    if (all[r].empty()) continue;
    return absl::DataLossError(
        absl::StrCat("the ranks' links give wrong numbers: ", all[r], " (host ", hosts[r], ")"));
  }
  return absl::OkStatus();
}

// Bytes per second of the best of some runs of `collective`, which moves `bytes`.
template <class Collective>
double BestSpeed(Context& ctx, Communicator& group, const LinkTestOptions& options,
                 Collective collective) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < options.repeats; ++i) {
    Synchronize(ctx);
    group.Barrier();
    const auto begin = std::chrono::steady_clock::now();
    collective();
    Synchronize(ctx);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    best = std::min(best, seconds.count());
  }
  return static_cast<double>(options.speed_bytes) / std::max(best, 1e-9);
}

double AllReduceSpeed(Context& ctx, Communicator& world, const LinkTestOptions& options) {
  Tensor x(ctx, {std::max<int64_t>(options.speed_bytes / 4, 1)}, DType::kF32);
  const std::vector<float> zeros(static_cast<size_t>(x.shape().num_elements()));
  CopyFromHost(ctx, zeros.data(), x);
  return BestSpeed(ctx, world, options, [&] { world.AllReduce(ctx, x, Reduce::kSum).Wait(); });
}

// This rank's speed with its partner of each round; 0 where it has none.
std::vector<double> PairSpeeds(Context& ctx, Communicator& world, const LinkTestOptions& options) {
  const int64_t count = std::max<int64_t>(options.speed_bytes / 4, 1);
  Tensor in(ctx, {count}, DType::kF32), out(ctx, {2 * count}, DType::kF32);
  const std::vector<float> zeros(static_cast<size_t>(count));
  CopyFromHost(ctx, zeros.data(), in);
  std::vector<double> speeds;
  for (const std::vector<int>& partners : PairRounds(world.size())) {
    const int partner = partners[static_cast<size_t>(world.rank())];
    const std::unique_ptr<Communicator> pair =
        world.Split(std::min(world.rank(), partner), world.rank());
    if (pair->size() == 1) {
      speeds.push_back(0);
      continue;
    }
    speeds.push_back(BestSpeed(ctx, *pair, options, [&] { pair->AllGather(ctx, in, out).Wait(); }));
  }
  return speeds;
}

// Every rank's numbers, by rank. All bring the same count.
std::vector<std::vector<double>> GatherNumbers(Communicator& world,
                                               const std::vector<double>& numbers) {
  const absl::string_view bytes(reinterpret_cast<const char*>(numbers.data()),
                                numbers.size() * sizeof(double));
  std::vector<std::vector<double>> all;
  for (const std::string& theirs : world.AllGatherBytes(bytes)) {
    CHECK_EQ(theirs.size(), bytes.size());
    std::memcpy(all.emplace_back(numbers.size()).data(), theirs.data(), theirs.size());
  }
  return all;
}

std::string SpeedText(double bytes_per_second) {
  return bytes_per_second >= 1e9 ? absl::StrFormat("%.1f GB/s", bytes_per_second / 1e9)
                                 : absl::StrFormat("%.3g MB/s", bytes_per_second / 1e6);
}

std::string PairText(const LinkSpeed& pair) {
  return absl::StrCat(pair.first, "-", pair.second, " ", SpeedText(pair.bytes_per_second));
}

}  // namespace

// Up to 16 ranks: a round-robin tournament by the circle method. One rank stays, the others turn;
// with an odd count the one that stays is nobody, and who meets it has no partner.
std::vector<std::vector<int>> PairRounds(int ranks) {
  std::vector<std::vector<int>> rounds;
  if (ranks < 2) return rounds;
  const auto add_round = [&]() -> std::vector<int>& {
    std::vector<int>& partners = rounds.emplace_back();
    for (int r = 0; r < ranks; ++r) partners.push_back(r);
    return partners;
  };
  const auto pair_up = [ranks](std::vector<int>& partners, int a, int b) {
    if (a == b || a >= ranks || b >= ranks) return;
    partners[static_cast<size_t>(a)] = b;
    partners[static_cast<size_t>(b)] = a;
  };
  if (ranks <= kMaxRanksForAllPairs) {
    const int turning = ranks + ranks % 2 - 1;
    for (int round = 0; round < turning; ++round) {
      std::vector<int>& partners = add_round();
      for (int r = 0; r < turning; ++r) {
        const int other = (round - r + turning) % turning;
        pair_up(partners, r, other == r ? turning : other);
      }
    }
    return rounds;
  }
  // The ring's even edges, its odd ones, and the one that closes a ring of an odd count.
  for (const int start : {0, 1}) {
    std::vector<int>& partners = add_round();
    for (int r = start; r < ranks - ranks % 2; r += 2) pair_up(partners, r, (r + 1) % ranks);
  }
  if (ranks % 2 == 1) pair_up(add_round(), ranks - 1, 0);
  return rounds;
}

absl::StatusOr<LinkReport> TestLinks(Context& ctx, Communicator& world,
                                     const LinkTestOptions& options) {
  CHECK_GT(options.repeats, 0);
  CHECK_GE(options.slow_factor, 1);
  LinkReport report{.hosts = world.AllGatherBytes(HostName())};
  if (world.size() == 1) return report;
  const absl::Status status = CheckCollectives(ctx, world, report.hosts, options.check_bytes);
  if (!status.ok()) return status;

  std::vector<double> own = PairSpeeds(ctx, world, options);
  own.push_back(AllReduceSpeed(ctx, world, options));
  const std::vector<std::vector<double>> all = GatherNumbers(world, own);
  const std::vector<std::vector<int>> rounds = PairRounds(world.size());
  // Minima: a collective is done when its last rank is, and timings differ between ranks.
  report.all_reduce_bytes_per_second = own.back();
  for (size_t r = 0; r < all.size(); ++r) {
    report.all_reduce_bytes_per_second =
        std::min(report.all_reduce_bytes_per_second, all[r].back());
    for (size_t round = 0; round < rounds.size(); ++round) {
      const auto partner = static_cast<size_t>(rounds[round][r]);
      if (partner <= r) continue;
      report.pairs.push_back({.first = static_cast<int>(r),
                              .second = static_cast<int>(partner),
                              .bytes_per_second = std::min(all[r][round], all[partner][round])});
    }
  }
  std::sort(report.pairs.begin(), report.pairs.end(), [](const LinkSpeed& a, const LinkSpeed& b) {
    return std::tie(a.bytes_per_second, a.first, a.second) <
           std::tie(b.bytes_per_second, b.first, b.second);
  });
  const double limit = report.MedianSpeed() / options.slow_factor;
  while (report.pairs[report.num_slow].bytes_per_second < limit) ++report.num_slow;
  return report;
}

std::string DescribeLinks(const LinkReport& report) {
  const size_t hosts = std::set<std::string>(report.hosts.begin(), report.hosts.end()).size();
  std::string text =
      absl::StrCat(report.hosts.size(), report.hosts.size() == 1 ? " rank" : " ranks", " on ",
                   hosts, hosts == 1 ? " host" : " hosts");
  if (report.pairs.empty()) return text;
  absl::StrAppend(&text, ", all-reduce ", SpeedText(report.all_reduce_bytes_per_second),
                  "; slowest pair ", PairText(report.pairs.front()), ", median ",
                  SpeedText(report.MedianSpeed()), ", fastest ", PairText(report.pairs.back()));
  return text;
}

std::string DescribeSlowLink(const LinkReport& report, const LinkSpeed& pair) {
  return absl::StrCat("the link of ranks ", pair.first, " (host ",
                      report.hosts[static_cast<size_t>(pair.first)], ") and ", pair.second,
                      " (host ", report.hosts[static_cast<size_t>(pair.second)],
                      ") is slow: ", SpeedText(pair.bytes_per_second), ", the median is ",
                      SpeedText(report.MedianSpeed()));
}

}  // namespace frond
