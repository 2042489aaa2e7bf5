// The `frond` command.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/nearest_name.h"
#include "launch/command.h"
#include "launch/join_world.h"

namespace frond {
namespace {

std::vector<Command> AllCommands() {
  return {CorpusCommand(),   VocabularyCommand(), TrainCommand(), EvalCommand(),
          GenerateCommand(), TokenizeCommand(),   PlanCommand(),  MixCommand(),
          PruneCommand(),    ScoreCommand(),      AblateCommand()};
}

std::string Overview(const std::vector<Command>& commands) {
  std::string text =
      "frond: fine-tunes multilingual encoder-decoder language models on "
      "instructions\n\nCommands:\n";
  for (const Command& command : commands) {
    absl::StrAppend(&text, absl::StrFormat("  frond %-10s %s\n", command.name, command.summary));
  }
  return text + "\n`frond COMMAND --help` lists the flags of a command, with an example.\n";
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "frond: %s\n", std::string(status.message()).c_str());
  return ExitCode(status);
}

// Runs `command` on this rank. A rank that fails alone would leave the others waiting, so commands
// agree on errors before they return; rank 0 prints them.
int RunCommand(const Command& command, const std::vector<std::string>& args, Communicator& world) {
  const bool speaks = world.rank() == 0;
  if (!speaks) SetLogThreshold(LogSeverity::ERROR);
  const absl::StatusOr<Flags> flags = Flags::Parse(command.flags, args);
  if (!flags.ok()) {
    return speaks ? Fail(flags.status()) : ExitCode(flags.status());
  }
  if (flags->Has("help")) {
    if (speaks) {
      std::fputs(HelpText(command.name, command.summary, command.flags, command.example).c_str(),
                 stdout);
    }
    return 0;
  }
  if (!command.parallel && !speaks) return 0;
  const absl::Status status = command.run({.flags = *flags, .world = world});
  if (status.ok()) return 0;
  return speaks ? Fail(status) : ExitCode(status);
}

int Main(int argc, char** argv) {
  const std::vector<Command> commands = AllCommands();
  const std::string name = argc > 1 ? argv[1] : "";
  if (name.empty() || name == "--help" || name == "help") {
    std::fputs(Overview(commands).c_str(), name.empty() ? stderr : stdout);
    return name.empty() ? 2 : 0;
  }
  std::vector<std::string> names;
  for (const Command& command : commands) {
    names.push_back(command.name);
    if (command.name != name) continue;
    absl::StatusOr<std::unique_ptr<Communicator>> world = JoinWorld(argc, argv);
    if (!world.ok()) return Fail(world.status());
    const std::vector<std::string> args(argv + std::min(argc, 2), argv + argc);
    return RunCommand(command, args, **world);
  }
  return Fail(absl::InvalidArgumentError(absl::StrCat(
      "unknown command '", name, "'; did you mean '", NearestName(name, names), "'?")));
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Main(argc, argv); }
