// Times a mixture of many leaves from its tree to the order of its examples: opening, resuming
// anywhere, and going on; with the memory taken and how far each leaf's count is from its share.
// Beside it, on the same shares, the kind of index table that other trainers build before a run
// (blended datasets of Megatron-LM): for each sample the data set that is furthest behind its
// weight, as an array of data sets and one of sample numbers.
//
//     manifest_bench [EXAMPLES [TABLE_SAMPLES]]
//
// 10,000 leaves of EXAMPLES (200,000,000) examples, drawn with a fixed seed; the run is as long.
// The table is built for TABLE_SAMPLES (200,000) samples and its time scaled to the run: a sample
// costs the same wherever it is. 0: no table.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "mixtures/mixture.h"
#include "mixtures/mixture_tree.h"
#include "mixtures/stream.h"

namespace frond {
namespace {

constexpr int kGroups = 10, kDatasets = 20, kLanguages = 50;  // a group's, a dataset's
constexpr double kSizeSpread = 2;                             // of the logarithms of sizes
constexpr int kJumps = 200;
constexpr uint64_t kWindowsTimed = 200;

double SecondsOf(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double PeakMegabytes() {
  rusage usage;
  CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Sizes of all leaves: log-normal, at least 1, that sum to about `examples`.
std::vector<double> LeafSizes(double examples) {
  std::mt19937_64 random(2026);
  std::lognormal_distribution<double> draw(0, kSizeSpread);
  std::vector<double> sizes(static_cast<size_t>(kGroups) * kDatasets * kLanguages);
  for (double& size : sizes) size = draw(random);
  const double sum = std::accumulate(sizes.begin(), sizes.end(), 0.0);
  for (double& size : sizes) size = std::max(1.0, std::round(size / sum * examples));
  return sizes;
}

MixtureTree MakeTree(const std::vector<double>& sizes, double examples) {
  MixtureTree tree = {.examples = examples};
  size_t leaf = 0;
  for (int g = 0; g < kGroups; ++g) {
    MixtureNode group = {.name = absl::StrCat("group ", g)};
    group.weight = 1 + g;
    group.rule = {.kind = WeightRule::Kind::kExamplesProportional,
                  .examples_proportional = {.maximum = 2e6}};
    for (int d = 0; d < kDatasets; ++d) {
      MixtureNode dataset = {.name = absl::StrCat("dataset ", g, ".", d),
                             .level = TreeLevel::kDataset};
      dataset.rule = {.kind = WeightRule::Kind::kTemperature, .temperature = 1 / 0.3};
      for (int l = 0; l < kLanguages; ++l) {
        MixtureNode language = {.name = absl::StrCat("l", l), .level = TreeLevel::kLanguage};
        language.size.examples = sizes[leaf++];
        dataset.children.push_back(std::move(language));
      }
      group.children.push_back(std::move(dataset));
    }
    tree.root.children.push_back(std::move(group));
  }
  ShareLimit epochs = {.each = ShareLimit::Each::kLeaf};
  epochs.max_epochs = 16;
  tree.limits.push_back(epochs);
  return tree;
}

// From the tree to the stream, as a run does it once its caches are open.
Stream Open(const MixtureTree& tree) {
  absl::StatusOr<ResolvedTree> resolved = ResolveTree(tree);
  CHECK(resolved.ok()) << resolved.status();
  std::vector<LeafInfo> leaves;
  std::string dataset;
  for (const ResolvedNode& node : resolved->nodes) {
    if (node.level == TreeLevel::kDataset) dataset = node.name;
    if (node.leaf < 0) continue;
    leaves.push_back({.source = dataset,
                      .language = node.name,
                      .num_examples = static_cast<uint64_t>(node.size.examples),
                      .probability = node.probability});
  }
  absl::StatusOr<Mixture> mixture = Mixture::FromLeaves(std::move(leaves), {});
  CHECK(mixture.ok()) << mixture.status();
  return Stream(*mixture, /*seed=*/42);
}

void TimeStream(const Stream& stream, uint64_t windows) {
  std::mt19937_64 random(7);
  uint64_t sum = 0;
  double longest = 0, total = 0;
  for (int i = 0; i < kJumps; ++i) {
    const uint64_t w = random() % windows;
    const double seconds = SecondsOf([&] { sum += stream.Window(w).front().index_in_leaf; });
    longest = std::max(longest, seconds);
    total += seconds;
  }
  std::printf("resumed at %d random windows: %.1f ms on average, %.1f ms at most\n", kJumps,
              1e3 * total / kJumps, 1e3 * longest);
  const uint64_t timed = std::min(windows, kWindowsTimed);
  const double seconds = SecondsOf([&] {
    for (uint64_t w = 0; w < timed; ++w) sum += stream.Window(w).back().index_in_leaf;
  });
  const auto examples = static_cast<double>(timed * stream.window());
  std::printf("examples named on one core: %.2f million a second (sum %llu)\n",
              examples / seconds / 1e6, static_cast<unsigned long long>(sum));
}

// Over all windows and leaves, in exact arithmetic as far as doubles show it.
void CheckShares(const Stream& stream, uint64_t windows) {
  double worst = 0;
  uint64_t at = 0;
  const double seconds = SecondsOf([&] {
    for (uint64_t w = 0; w <= windows; ++w) {
      const std::vector<uint64_t> counts = stream.CountsBefore(w);
      for (size_t i = 0; i < counts.size(); ++i) {
        const double wanted = stream.leaves()[i].probability * static_cast<double>(w) *
                              static_cast<double>(stream.window());
        const double off = std::abs(static_cast<double>(counts[i]) - wanted);
        if (off > worst) {
          worst = off;
          at = w;
        }
      }
    }
  });
  std::printf(
      "leaf counts at all %llu borders: at most %.6f examples from the share (border %llu), "
      "looked at in %.0f s\n",
      static_cast<unsigned long long>(windows + 1), worst, static_cast<unsigned long long>(at),
      seconds);
}

// The table: a sample goes to the data set whose count is furthest behind its weight.
struct IndexTable {
  std::vector<int16_t> dataset;
  std::vector<int64_t> sample;
};

IndexTable BuildTable(const std::vector<double>& weights, size_t samples) {
  IndexTable table = {std::vector<int16_t>(samples), std::vector<int64_t>(samples)};
  std::vector<int64_t> counts(weights.size());
  for (size_t i = 0; i < samples; ++i) {
    const double n = std::max<double>(1, static_cast<double>(i));
    size_t furthest = 0;
    double most = weights[0] * n - static_cast<double>(counts[0]);
    for (size_t d = 1; d < weights.size(); ++d) {
      const double behind = weights[d] * n - static_cast<double>(counts[d]);
      if (behind > most) {
        most = behind;
        furthest = d;
      }
    }
    table.dataset[i] = static_cast<int16_t>(furthest);
    table.sample[i] = counts[furthest]++;
  }
  return table;
}

void TimeTable(const Stream& stream, size_t samples, double run_examples) {
  std::vector<double> weights;
  for (const LeafInfo& leaf : stream.leaves()) weights.push_back(leaf.probability);
  IndexTable table;
  const double seconds = SecondsOf([&] { table = BuildTable(weights, samples); });
  std::vector<int64_t> counts(weights.size());
  for (const int16_t dataset : table.dataset) ++counts[static_cast<size_t>(dataset)];
  double worst = 0;
  for (size_t d = 0; d < weights.size(); ++d) {
    worst = std::max(worst, std::abs(weights[d] * static_cast<double>(samples) -
                                     static_cast<double>(counts[d])));
  }
  const double bytes = sizeof(table.dataset[0]) + sizeof(table.sample[0]);
  std::printf(
      "index table: %zu samples in %.2f s (%.1f us each), so %.1f h for the run; "
      "%.1f GB of arrays; at the end at most %.3f examples from the share\n",
      samples, seconds, 1e6 * seconds / static_cast<double>(samples),
      seconds / static_cast<double>(samples) * run_examples / 3600, bytes * run_examples / 1e9,
      worst);
}

void Run(double examples, size_t table_samples) {
  const std::vector<double> sizes = LeafSizes(examples);
  const MixtureTree tree = MakeTree(sizes, examples);
  std::printf("%zu leaves of %.0f examples, the largest %.0f, the smallest %.0f\n", sizes.size(),
              std::accumulate(sizes.begin(), sizes.end(), 0.0),
              *std::max_element(sizes.begin(), sizes.end()),
              *std::min_element(sizes.begin(), sizes.end()));
  std::vector<Stream> opened;
  const double seconds = SecondsOf([&] { opened.push_back(Open(tree)); });
  const Stream& stream = opened.front();
  const auto windows =
      static_cast<uint64_t>(std::ceil(examples / static_cast<double>(stream.window())));
  std::printf("opened from the tree in %.1f ms; the run has %llu windows of %llu\n", 1e3 * seconds,
              static_cast<unsigned long long>(windows),
              static_cast<unsigned long long>(stream.window()));
  TimeStream(stream, windows);
  CheckShares(stream, windows);
  std::printf("memory of the process: %.0f MB at most\n", PeakMegabytes());
  if (table_samples > 0) TimeTable(stream, table_samples, examples);
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) {
  const double examples = argc > 1 ? std::atof(argv[1]) : 200e6;
  const long table = argc > 2 ? std::atol(argv[2]) : 200'000;
  if (!(examples >= 10'000) || table < 0) {
    std::fprintf(stderr, "manifest_bench [EXAMPLES, at least 10000 [TABLE_SAMPLES]]\n");
    return 2;
  }
  frond::Run(examples, static_cast<size_t>(table));
  return 0;
}
