// frond eval: loss, exact match and chrF per language of a run's newest checkpoint, or of any model
// folder.
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "checkpoint/checkpoint_store.h"
#include "configs/config_reader.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "launch/agree.h"
#include "launch/command.h"
#include "launch/config_flags.h"
#include "launch/evaluation.h"
#include "launch/model_evaluation.h"
#include "launch/same_start.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kSampleStride = 7919;  // a prime

// The folder to evaluate; empty: the model that the config starts from.
absl::StatusOr<std::string> ModelFolder(const Flags& flags, const config::TrainConfig& config) {
  if (flags.Has("untrained")) return std::string();
  if (flags.Has("model")) return flags.Get("model");
  CheckpointStore store(config.work_dir(), config.checkpoint().keep_last());
  ASSIGN_OR_RETURN(const NewestCheckpoint newest, store.NewestValid());
  for (const std::string& warning : newest.warnings) LOG(WARNING) << warning;
  if (!newest.found.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("no checkpoint in ", config.work_dir(), "; name a model with --model"));
  }
  return newest.found->path;
}

// Scores of the languages of one script, every language counting the same.
struct Group {
  int64_t languages = 0;
  double exact_match = 0, chrf = 0, baseline_exact_match = 0, baseline_chrf = 0;
};

std::map<std::string, Group> GroupByScript(const std::vector<Example>& examples,
                                           const LanguageScores& scores) {
  std::map<std::string, std::string> script_of;
  for (const Example& example : examples) script_of.emplace(example.language, example.script);
  std::map<std::string, Group> groups;
  for (const auto& [language, script] : script_of) {
    const LanguageScore& score = scores.score(language);
    Group& group = groups[script.empty() ? "?" : script];
    ++group.languages;
    group.exact_match += score.ExactMatch();
    group.chrf += score.chrf.Score();
    group.baseline_exact_match += score.BaselineExactMatch();
    group.baseline_chrf += score.baseline_chrf.Score();
  }
  for (auto& [script, group] : groups) {
    const auto n = static_cast<double>(group.languages);
    for (double* value :
         {&group.exact_match, &group.chrf, &group.baseline_exact_match, &group.baseline_chrf}) {
      *value /= n;
    }
  }
  return groups;
}

void PrintGroups(const std::map<std::string, Group>& groups) {
  std::printf("\n%-8s %10s   %-23s   %-23s\n", "script", "languages", "exact match (baseline)",
              "chrF (baseline)");
  for (const auto& [script, group] : groups) {
    std::printf("%-8s %10lld   %9.1f%%  (%8.1f%%)   %10.1f  (%9.1f)\n", script.c_str(),
                static_cast<long long>(group.languages), 100 * group.exact_match,
                100 * group.baseline_exact_match, group.chrf, group.baseline_chrf);
  }
}

void PrintSample(const AnsweredExample& sample) {
  std::printf("\n[%s] %s\n  answer:   %s\n  expected: %s\n", sample.example->language.c_str(),
              sample.example->inputs.c_str(), sample.answer.c_str(),
              sample.example->targets.c_str());
}

// One answer of each script first, then more of any, right ones and wrong ones as they come.
void PrintSamples(const std::vector<AnsweredExample>& answers, size_t count) {
  std::set<std::string> scripts;
  std::set<size_t> shown;
  for (const bool new_script_only : {true, false}) {
    for (size_t i = 0; i < answers.size() && shown.size() < count; ++i) {
      // A stride through the rows, so that samples are of different tasks.
      const size_t number = (i * kSampleStride) % answers.size();
      const AnsweredExample& sample = answers[number];
      const bool is_new = scripts.insert(sample.example->script).second;
      if ((new_script_only && !is_new) || !shown.insert(number).second) continue;
      PrintSample(sample);
    }
  }
}

Json ToJson(const LanguageScores& scores) {
  Json json = Json::object();
  for (const std::string& name : scores.languages()) {
    const LanguageScore& score = scores.score(name);
    json[name] = {{"examples", score.answers},
                  {"loss", score.ExampleLoss()},
                  {"exact_match", score.ExactMatch()},
                  {"chrf", score.chrf.Score()},
                  {"exact_match_baseline", score.BaselineExactMatch()},
                  {"chrf_baseline", score.baseline_chrf.Score()}};
  }
  return json;
}

Json ToJson(const LanguageScores& scores, const LanguageScores& template_scores,
            const std::map<std::string, Group>& groups) {
  const LanguageScore total = scores.Total();
  const MacroScore macro = scores.Macro();
  Json json;
  json["examples"] = total.answers;
  json["languages"] = macro.languages;
  json["loss"] = total.ExampleLoss();
  json["exact_match"] = macro.exact_match;
  json["chrf"] = macro.chrf;
  json["exact_match_baseline"] = macro.baseline_exact_match;
  json["chrf_baseline"] = macro.baseline_chrf;
  json["by_language"] = ToJson(scores);
  if (!template_scores.languages().empty()) json["by_template"] = ToJson(template_scores);
  for (const auto& [script, group] : groups) {
    json["by_script"][script] = {{"languages", group.languages},
                                 {"exact_match", group.exact_match},
                                 {"chrf", group.chrf},
                                 {"exact_match_baseline", group.baseline_exact_match},
                                 {"chrf_baseline", group.baseline_chrf}};
  }
  return json;
}

// One rank looks: while a training run goes on, others could find a newer checkpoint.
absl::StatusOr<std::string> AgreeOnModelFolder(const Flags& flags,
                                               const config::TrainConfig& config,
                                               Communicator& world) {
  absl::StatusOr<std::string> folder = "";
  if (world.rank() == 0) folder = ModelFolder(flags, config);
  RETURN_IF_ERROR(AgreeOnStatus(world, folder.status()));
  return world.AllGatherBytes(*folder)[0];
}

absl::Status Report(const Flags& flags, const config::TrainConfig& config,
                    const std::string& folder, const EvaluatedModel& model, int64_t samples) {
  const LanguageScores& scores = model.scores;
  const auto groups = GroupByScript(model.evaluation->examples(), scores);
  if (!flags.Has("brief")) std::fputs(scores.ToTable().c_str(), stdout);
  PrintGroups(groups);
  const LanguageScores& template_scores = model.evaluation->template_scores();
  if (!template_scores.languages().empty()) {
    std::printf("\n%s", template_scores.ToTable("", "template").c_str());
  }
  PrintSamples(model.evaluation->answers(), static_cast<size_t>(samples));
  Json json = ToJson(scores, template_scores, groups);
  json["model"] = folder.empty() ? "untrained" : folder;
  const std::string out = flags.Get("out", JoinPath(config.work_dir(), "eval.json"));
  RETURN_IF_ERROR(CreateDirectories(config.work_dir()));
  RETURN_IF_ERROR(WriteFileAtomically(out, json.dump(2) + "\n"));
  std::printf("\nscores in %s\n", out.c_str());
  return absl::OkStatus();
}

absl::Status Run(const CommandInput& input) {
  const Flags& flags = input.flags;
  Communicator& world = input.world;
  ASSIGN_OR_RETURN(const int64_t samples, flags.GetInteger("samples", 0, 0, 10'000));
  if (flags.Has("model") && flags.Has("untrained")) {
    return absl::InvalidArgumentError("give either --model or --untrained");
  }
  absl::StatusOr<config::TrainConfig> config = ReadConfigOfFlags(flags);
  RETURN_IF_ERROR(AgreeOnStatus(world, config.status()));
  RETURN_IF_ERROR(CheckSameStart(world, ConfigToText(*config), ProgramHash()));
  ASSIGN_OR_RETURN(const std::string folder, AgreeOnModelFolder(flags, *config, world));
  ASSIGN_OR_RETURN(
      const EvaluatedModel model,
      EvaluateModel(*config,
                    {.folder = folder, .own_tokenizer = flags.Has("model"), .with_baseline = true},
                    world, nullptr));
  absl::Status reported;
  if (world.rank() == 0) reported = Report(flags, *config, folder, model, samples);
  return AgreeOnStatus(world, reported);
}

}  // namespace

Command EvalCommand() {
  std::vector<FlagSpec> flags = ConfigFlags();
  flags.push_back({.name = "model",
                   .value_hint = "DIR",
                   .help = "a model folder (the newest checkpoint in work_dir)"});
  flags.push_back(
      {.name = "untrained", .help = "the model that the config starts from, for comparison"});
  flags.push_back({.name = "out",
                   .value_hint = "FILE",
                   .help = "scores as JSON (<work_dir>/eval.json)",
                   .writes_file = true});
  flags.push_back({.name = "samples", .value_hint = "N", .help = "answers to show (0)"});
  flags.push_back({.name = "brief", .help = "groups only, no line per language"});
  return {.name = "eval",
          .summary = "loss, exact match and chrF per language on eval.source",
          .flags = std::move(flags),
          .example = "frond eval --config run.textproto --samples 5",
          .run = Run,
          .parallel = true};
}

}  // namespace frond
