// frond prune: drops rows of instruction data by rules and writes the ledger.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "core/base/status_macros.h"
#include "launch/command.h"
#include "launch/prune_config.h"
#include "mixtures/pruning/pruner.h"

namespace frond {
namespace {

using Clock = std::chrono::steady_clock;

absl::Status Run(const CommandInput& input) {
  const Clock::time_point start = Clock::now();
  ASSIGN_OR_RETURN(PruneOptions options, ReadPruneConfig(input.flags.Get("config")));
  ASSIGN_OR_RETURN(const int64_t threads,
                   input.flags.GetInteger("threads", options.threads, 0, 256));
  // hardware_concurrency() counts the processors this process may run on.
  const unsigned processors = std::max(std::thread::hardware_concurrency(), 1u);
  options.threads = threads > 0 ? static_cast<int>(threads) : static_cast<int>(processors);
  options.out_dir = input.flags.Get("out", options.out_dir);
  options.dropped_path = input.flags.Get("dropped");
  options.list_hashes = input.flags.Has("hashes");
  ASSIGN_OR_RETURN(const PruneReport report, Prune(options));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::fputs(report.table.c_str(), stdout);
  absl::PrintF("\n%s of %s rows kept -> %s, ledger %s, in %.1f s (tables of %s)\n",
               WithThousands(report.kept), WithThousands(report.rows), options.out_dir,
               report.ledger_hash, seconds, HumanBytes(report.memory_bytes));
  return absl::OkStatus();
}

}  // namespace

Command PruneCommand() {
  return {.name = "prune",
          .summary = "drops rows of instruction data by rules, with a ledger of every decision",
          .flags = {{.name = "config",
                     .value_hint = "FILE",
                     .help = "sources and rules (configs/prune_config.proto)",
                     .required = true},
                    {.name = "out",
                     .value_hint = "DIR",
                     .help = "a new or empty folder, instead of the config's out_dir"},
                    {.name = "dropped",
                     .value_hint = "FILE",
                     .help = "the dropped rows with rule and reason, as JSON lines (.zst: packed)"},
                    {.name = "hashes", .help = "list the hash of every dropped row in the ledger"},
                    {.name = "threads",
                     .value_hint = "N",
                     .help = "instead of the config's; 0: as many as processors"}},
          .example = "frond prune --config prune.textproto --dropped dropped.jsonl",
          .run = Run};
}

}  // namespace frond
