// The sub-commands of the `frond` binary and their exit codes: 0 done, 1 failed while running, 2
// wrong use (flags, config, files).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "dist/communicator.h"
#include "launch/flags.h"

namespace frond {

// What a command gets: its flags and, where it asked for them, the ranks of the job.
struct CommandInput {
  const Flags& flags;
  Communicator& world;
};

struct Command {
  std::string name;
  std::string summary;
  std::vector<FlagSpec> flags;
  std::string example;
  absl::Status (*run)(const CommandInput& input);
  // Runs on every rank of an mpirun job; other commands run on rank 0 only.
  bool parallel = false;
};

Command TrainCommand();
Command EvalCommand();
Command GenerateCommand();
Command TokenizeCommand();
Command VocabularyCommand();
Command CorpusCommand();
Command PlanCommand();
Command MixCommand();
Command PruneCommand();
Command ScoreCommand();
Command AblateCommand();

// 0 for OK; 2 for what the user can put right (flags, config, files, a full disk); 1 otherwise.
int ExitCode(const absl::Status& status);

}  // namespace frond
