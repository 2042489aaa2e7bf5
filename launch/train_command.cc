// frond train: a run from a config, alone or under mpirun.
#include <cstdio>
#include <memory>

#include "configs/config_reader.h"
#include "core/base/status_macros.h"
#include "launch/agree.h"
#include "launch/benchmark.h"
#include "launch/command.h"
#include "launch/config_flags.h"
#include "launch/same_start.h"
#include "launch/trainer.h"

namespace frond {
namespace {

absl::Status Run(const CommandInput& input) {
  ASSIGN_OR_RETURN(const int64_t benchmark_steps,
                   input.flags.GetInteger("benchmark", 0, 1, 1'000'000));
  if (input.flags.Has("dump-batches") && benchmark_steps == 0) {
    return absl::InvalidArgumentError("--dump-batches needs --benchmark STEPS");
  }
  absl::StatusOr<config::TrainConfig> config = ReadConfigOfFlags(input.flags);
  RETURN_IF_ERROR(AgreeOnStatus(input.world, config.status()));
  RETURN_IF_ERROR(CheckSameStart(input.world, ConfigToText(*config), ProgramHash()));
  if (benchmark_steps > 0) {
    return RunBenchmark(*config, input.world,
                        {.steps = benchmark_steps, .dump = input.flags.Get("dump-batches")});
  }
  StopSignal stop;
  ASSIGN_OR_RETURN(const auto trainer, Trainer::Create(*config, input.world, &stop));
  return trainer->Run();
}

}  // namespace

Command TrainCommand() {
  std::vector<FlagSpec> flags = ConfigFlags();
  flags.push_back(
      {.name = "benchmark",
       .value_hint = "STEPS",
       .help =
           "time so many steps after a warm-up and print rates, MFU and a profile; saves nothing"});
  flags.push_back({.name = "dump-batches",
                   .value_hint = "FILE",
                   .help = "with --benchmark: the timed batches' token ids, for other programs",
                   .writes_file = true});
  return {
      .name = "train",
      .summary = "trains from a config; resumes by itself from its work folder",
      .flags = std::move(flags),
      .example = "mpirun -n 2 --bind-to none frond train --config run.textproto --set steps=1000",
      .run = Run,
      .parallel = true};
}

}  // namespace frond
