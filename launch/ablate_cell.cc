#include "launch/ablate_cell.h"

#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "checkpoint/checkpoint_store.h"
#include "configs/config_reader.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "eval/exact_match.h"
#include "google/protobuf/text_format.h"
#include "launch/agree.h"
#include "launch/model_evaluation.h"
#include "launch/trainer.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

std::string FileOf(const AblationRun& run, absl::string_view name) {
  return JoinPath(run.folder, name);
}

absl::StatusOr<Json> ReadJson(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::DataLossError(absl::StrCat(path, ": not a JSON object"));
  return json;
}

template <class T>
T FieldOr(const Json& json, const char* name, T otherwise) {
  const auto found = json.find(name);
  if (found == json.end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->get<T>() : otherwise;
  } else {
    return found->is_number() ? found->get<T>() : otherwise;
  }
}

absl::Status WriteIdentity(const AblationRun& run) {
  RETURN_IF_ERROR(CreateDirectories(run.folder));
  const std::string path = FileOf(run, "cell.textproto");
  if (PathExists(path)) return absl::OkStatus();
  std::string text;
  google::protobuf::TextFormat::PrintToString(IdentityOf(run), &text);
  return WriteFileAtomically(path, text);
}

std::string LineOf(const AnsweredExample& answer) {
  const Example& example = *answer.example;
  Chrf chrf;
  chrf.Add(answer.answer, example.targets);
  Json counts = Json::array();
  for (const Chrf::OrderCounts& order : chrf.counts()) {
    for (const int64_t count : {order.hypothesis, order.reference, order.match}) {
      counts.push_back(count);
    }
  }
  const std::string row =
      HashToHex(Hash64(absl::StrCat(example.inputs.size(), ":", example.inputs, example.targets)));
  const Json json = {{"number", answer.number},
                     {"row", row},
                     {"language", example.language},
                     {"task_type", example.task_type},
                     {"loss", answer.loss},
                     {"exact_match", IsExactMatch(answer.answer, example.targets)},
                     {"chrf", counts},
                     {"answer", answer.answer}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// All ranks' lines by number; ranks that share a model send the same ones.
absl::StatusOr<std::string> GatherLines(const Evaluation& evaluation, Communicator& group) {
  std::string own;
  absl::Status status;
  for (const AnsweredExample& answer : evaluation.answers()) {
    if (!std::isfinite(answer.loss)) {
      status = absl::InternalError(
          absl::StrCat("the loss of evaluation row ", answer.number, " is not finite"));
    }
    absl::StrAppend(&own, answer.number, " ", LineOf(answer), "\n");
  }
  RETURN_IF_ERROR(AgreeOnStatus(group, status));
  std::map<uint64_t, std::string> lines;
  for (const std::string& sent : group.AllGatherBytes(own)) {
    for (const absl::string_view line : absl::StrSplit(sent, '\n', absl::SkipEmpty())) {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(line, absl::MaxSplits(' ', 1));
      lines.emplace(std::stoull(std::string(parts.first)), parts.second);
    }
  }
  std::string text;
  for (const auto& [number, line] : lines) absl::StrAppend(&text, line, "\n");
  return text;
}

absl::StatusOr<std::string> NewestCheckpointOf(const AblationRun& run) {
  CheckpointStore store(run.train.work_dir(), run.train.checkpoint().keep_last());
  ASSIGN_OR_RETURN(const NewestCheckpoint newest, store.NewestValid());
  for (const std::string& warning : newest.warnings) LOG(WARNING) << warning;
  if (!newest.found.has_value()) {
    return absl::NotFoundError(absl::StrCat("no checkpoint in ", run.train.work_dir()));
  }
  return newest.found->path;
}

absl::Status WriteResult(const AblationRun& run, const CellOptions& options,
                         const std::string& lines, const LanguageScores& scores, double seconds) {
  RETURN_IF_ERROR(WriteFileAtomically(FileOf(run, "examples.jsonl"), lines));
  const LanguageScore total = scores.Total();
  const MacroScore macro = scores.Macro();
  const Json json = {{"cell", run.name},           {"seed", run.seed},
                     {"steps", run.train.steps()}, {"seconds", seconds},
                     {"examples", total.answers},  {"languages", macro.languages},
                     {"loss", macro.example_loss}, {"exact_match", macro.exact_match},
                     {"chrf", macro.chrf}};
  RETURN_IF_ERROR(WriteFileAtomically(FileOf(run, "result.json"), json.dump(2) + "\n"));
  RETURN_IF_ERROR(RemoveRecursively(FileOf(run, "failed.json")));
  if (options.keep_checkpoints) return absl::OkStatus();
  return RemoveRecursively(JoinPath(run.train.work_dir(), "checkpoints"));
}

absl::Status TrainCell(const AblationRun& run, const CellOptions& options, Communicator& group,
                       StopSignal& stop) {
  config::TrainConfig config = run.train;
  if (config.threads() == 0) config.set_threads(options.threads);
  config.mutable_report()->set_terminal(options.terminal && config.report().terminal());
  ASSIGN_OR_RETURN(const auto trainer, Trainer::Create(config, group, &stop));
  RETURN_IF_ERROR(trainer->Run());
  return trainer->stopped_early() ? absl::CancelledError("a stop was asked for") : absl::OkStatus();
}

}  // namespace

std::string CellStateName(CellState state) {
  switch (state) {
    case CellState::kToDo:
      return "to do";
    case CellState::kBegun:
      return "begun";
    case CellState::kDone:
      return "done";
    case CellState::kFailed:
      return "failed";
  }
  return "";
}

absl::StatusOr<CellProgress> ReadCellProgress(const AblationRun& run) {
  CellProgress progress;
  if (const std::string path = FileOf(run, "result.json"); PathExists(path)) {
    ASSIGN_OR_RETURN(const Json json, ReadJson(path));
    progress.state = CellState::kDone;
    progress.steps = FieldOr<int64_t>(json, "steps", -1);
    progress.seconds = FieldOr<double>(json, "seconds", -1);
  } else if (const std::string failed = FileOf(run, "failed.json"); PathExists(failed)) {
    ASSIGN_OR_RETURN(const Json json, ReadJson(failed));
    progress.state = CellState::kFailed;
    progress.error = FieldOr<std::string>(json, "error", "");
    progress.attempts = FieldOr<int64_t>(json, "attempts", 1);
  } else if (PathExists(FileOf(run, "cell.textproto"))) {
    progress.state = CellState::kBegun;
  }
  return progress;
}

absl::Status CheckCellFolder(const AblationRun& run) {
  const std::string path = FileOf(run, "cell.textproto");
  if (!PathExists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  config::AblationCell before;
  RETURN_IF_ERROR(ParseText(text, path, before));
  const std::string difference = FirstDifference(before, IdentityOf(run));
  if (difference.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cell ", run.name, " was run with another config, ", difference,
                   "; use another out_dir, or remove ", run.folder));
}

absl::Status RunCell(const AblationRun& run, const CellOptions& options, Communicator& group,
                     StopSignal& stop) {
  const auto start = std::chrono::steady_clock::now();
  const bool leads = group.rank() == 0;
  RETURN_IF_ERROR(AgreeOnStatus(group, leads ? WriteIdentity(run) : absl::OkStatus()));
  RETURN_IF_ERROR(TrainCell(run, options, group, stop));
  absl::StatusOr<std::string> folder = "";
  if (leads) folder = NewestCheckpointOf(run);
  RETURN_IF_ERROR(AgreeOnStatus(group, folder.status()));
  config::TrainConfig config = run.judged;
  if (config.threads() == 0) config.set_threads(options.threads);
  ASSIGN_OR_RETURN(
      const EvaluatedModel model,
      EvaluateModel(config, {.folder = group.AllGatherBytes(*folder)[0]}, group, &stop));
  ASSIGN_OR_RETURN(const std::string lines, GatherLines(*model.evaluation, group));
  if (!leads) return AgreeOnStatus(group, absl::OkStatus());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return AgreeOnStatus(group, WriteResult(run, options, lines, model.scores, seconds));
}

absl::Status WriteFailure(const AblationRun& run, const absl::Status& error) {
  ASSIGN_OR_RETURN(const CellProgress before, ReadCellProgress(run));
  const Json json = {{"cell", run.name},
                     {"error", std::string(error.message())},
                     {"attempts", before.attempts + 1}};
  RETURN_IF_ERROR(CreateDirectories(run.folder));
  return WriteFileAtomically(FileOf(run, "failed.json"),
                             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

absl::StatusOr<std::vector<CellExample>> ReadCellExamples(const AblationRun& run) {
  const std::string path = FileOf(run, "examples.jsonl");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::vector<CellExample> examples;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    CellExample example;
    const auto counts = json.is_object() ? json.find("chrf") : json.end();
    if (counts == json.end() || !counts->is_array() ||
        counts->size() != size_t{3} * Chrf::kMaxOrder) {
      return absl::DataLossError(absl::StrCat(path, ":", examples.size() + 1,
                                              ": not a row of a cell; remove result.json beside it "
                                              "to evaluate again"));
    }
    for (size_t n = 0; n < example.score.chrf.size(); ++n) {
      const auto count = [&](size_t k) {
        const Json& number = (*counts)[3 * n + k];
        return number.is_number_integer() ? number.get<int64_t>() : int64_t{0};
      };
      example.score.chrf[n] = {.hypothesis = count(0), .reference = count(1), .match = count(2)};
    }
    example.row = FieldOr<std::string>(json, "row", "");
    example.language = FieldOr<std::string>(json, "language", "");
    example.task = FieldOr<std::string>(json, "task_type", "");
    example.score.loss = FieldOr<double>(json, "loss", NAN);
    const auto exact = json.find("exact_match");
    example.score.exact = exact != json.end() && exact->is_boolean() && exact->get<bool>();
    examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace frond
