#include "launch/trainer_report.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/ops/matmul_peak.h"

namespace frond {
namespace {

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// A group that had no target tokens is left out.
void AddGroup(const std::string& name, const IntervalStats& stats, size_t group,
              MetricsRecord& record) {
  const double tokens = stats.group_tokens[group];
  if (tokens == 0) return;
  record.BeginGroup(name)
      .AddNumber("loss", stats.group_nll[group] / tokens)
      .AddInteger("target_tokens", static_cast<int64_t>(tokens))
      .AddNumber("share", tokens / static_cast<double>(stats.target_tokens))
      .EndGroup();
}

// By dataset; templates of one follow each other.
void AddTemplates(const std::vector<TrainingData::TemplateName>& templates,
                  const IntervalStats& stats, size_t first_group, MetricsRecord& record) {
  if (templates.empty()) return;
  record.BeginGroup("templates");
  for (size_t i = 0; i < templates.size(); ++i) {
    const std::string& source = templates[i].source;
    if (i == 0 || templates[i - 1].source != source) record.BeginGroup(source);
    AddGroup(templates[i].label, stats, first_group + i, record);
    if (i + 1 == templates.size() || templates[i + 1].source != source) record.EndGroup();
  }
  record.EndGroup();
}

void AddScores(const char* name, const LanguageScores& scores, MetricsRecord& record) {
  record.BeginGroup(name);
  for (const std::string& group : scores.languages()) {
    const LanguageScore& score = scores.score(group);
    record.BeginGroup(group)
        .AddNumber("loss", score.ExampleLoss())
        .AddNumber("exact_match", score.ExactMatch())
        .AddNumber("chrf", score.chrf.Score())
        .EndGroup();
  }
  record.EndGroup();
}

MetricsRecord IntervalRecord(const TrainState& state, const IntervalStats& stats,
                             double learning_rate, const TrainerReport::Options& options) {
  const auto steps = static_cast<double>(stats.steps);
  MetricsRecord record(state.step);
  record.AddNumber("loss", stats.loss / steps)
      .AddNumber("z_loss", stats.z_loss / steps)
      .AddNumber("grad_norm", stats.grad_norm / steps)
      .AddNumber("learning_rate", learning_rate)
      .AddInteger("examples", state.examples)
      .AddInteger("source_tokens", state.source_tokens)
      .AddInteger("target_tokens", state.target_tokens)
      .AddInteger("truncated", stats.truncated);
  if (stats.sent_bytes > 0) {
    record.AddNumber("sent_bytes", static_cast<double>(stats.sent_bytes) / steps);
  }
  record.BeginGroup("languages");
  for (size_t i = 0; i < options.languages.size(); ++i) {
    AddGroup(options.languages[i], stats, i, record);
  }
  record.EndGroup();
  AddTemplates(options.templates, stats, options.languages.size(), record);
  return record;
}

}  // namespace

std::string FormatPeaks(const MemoryReport& report) {
  std::string kinds;
  for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
    const int64_t bytes = report.by_kind[kind].peak_bytes;
    if (bytes == 0) continue;
    absl::StrAppend(&kinds, kinds.empty() ? "" : ", ",
                    std::string(MemoryKindName(static_cast<MemoryKind>(kind))),
                    absl::StrFormat(" %.2f", static_cast<double>(bytes) / 1e9));
  }
  return absl::StrFormat("%.2f GB (%s)", static_cast<double>(report.total.peak_bytes) / 1e9, kinds);
}

TrainerReport::TrainerReport(const Options& options)
    : options_(options),
      progress_(std::cerr, options.terminal ? Progress::StyleOfStderr() : Progress::Style::kSilent,
                Progress::ColumnsOfStderr()) {}

absl::StatusOr<std::unique_ptr<TrainerReport>> TrainerReport::Open(const Options& options,
                                                                   const TrainState& state) {
  std::unique_ptr<TrainerReport> report(new TrainerReport(options));
  ASSIGN_OR_RETURN(report->metrics_, MetricsLog::Open(JoinPath(options.work_dir, "metrics.jsonl"),
                                                      state.step, options.metrics_lines));
  if (options.tensorboard) {
    ASSIGN_OR_RETURN(
        report->tensorboard_,
        TensorboardWriter::Open(JoinPath(options.work_dir, "tensorboard"), state.step));
  }
  return report;
}

void TrainerReport::PrintTable(const RunTable& table) {
  if (options_.terminal) std::fputs(FormatRunTable(table).c_str(), stderr);
}

void TrainerReport::Start(Context& ctx, const TrainState& state) {
  peak_flops_ = 1e9 * MeasureMatMulPeak(ctx, options_.compute) * options_.ranks;
  // The measurement's operands are no part of the run.
  ctx.memory().ResetPeak();
  start_ = interval_start_ = Clock::now();
  if (options_.collective_seconds) {
    collectives_at_start_ = collectives_at_interval_ = options_.collective_seconds();
  }
  at_start_ = at_interval_ = state;
}

void TrainerReport::CountWork(const TrainState& state, double flops, const Allocator& memory) {
  interval_flops_ += flops;
  total_flops_ += flops;
  if (memory_reported_) return;
  memory_reported_ = true;
  progress_.PrintLine(absl::StrFormat("peak memory of a rank after step %d: %s", state.step,
                                      FormatPeaks(memory.Report())));
}

double TrainerReport::CommunicationShare(double before, double seconds) const {
  if (!options_.collective_seconds) return -1;
  return std::clamp((options_.collective_seconds() - before) / seconds, 0.0, 1.0);
}

absl::Status TrainerReport::ReportInterval(const TrainState& state, const IntervalStats& stats,
                                           double learning_rate) {
  const MetricsRecord record = IntervalRecord(state, stats, learning_rate, options_);
  RETURN_IF_ERROR(metrics_->Append(record));

  const Clock::time_point now = Clock::now();
  const double seconds = std::max(1e-9, Seconds(now - interval_start_));
  const auto done = static_cast<double>(state.step - at_start_.step);
  shown_ = {
      .step = state.step,
      .total_steps = options_.total_steps,
      .loss = stats.loss / static_cast<double>(stats.steps),
      .learning_rate = learning_rate,
      .examples_per_second = static_cast<double>(state.examples - at_interval_.examples) / seconds,
      .tokens_per_second =
          static_cast<double>(state.source_tokens + state.target_tokens -
                              at_interval_.source_tokens - at_interval_.target_tokens) /
          seconds,
      .mfu = interval_flops_ / seconds / peak_flops_,
      .communication = CommunicationShare(collectives_at_interval_, seconds),
      .seconds_left = Seconds(now - start_) / std::max(1.0, done) *
                      static_cast<double>(options_.total_steps - state.step)};
  progress_.Update(shown_);
  if (tensorboard_ != nullptr) {
    tensorboard_->AddScalar("train/loss", state.step, shown_.loss);
    tensorboard_->AddScalar("train/grad_norm", state.step,
                            stats.grad_norm / static_cast<double>(stats.steps));
    tensorboard_->AddScalar("train/learning_rate", state.step, learning_rate);
    tensorboard_->AddScalar("speed/examples_per_second", state.step, shown_.examples_per_second);
    tensorboard_->AddScalar("speed/tokens_per_second", state.step, shown_.tokens_per_second);
    tensorboard_->AddScalar("speed/mfu", state.step, shown_.mfu);
    if (shown_.communication >= 0) {
      tensorboard_->AddScalar("speed/communication", state.step, shown_.communication);
    }
    if (stats.sent_bytes > 0) {
      tensorboard_->AddScalar(
          "speed/sent_bytes", state.step,
          static_cast<double>(stats.sent_bytes) / static_cast<double>(stats.steps));
    }
    AddGroupLosses(state, stats);
    RETURN_IF_ERROR(tensorboard_->Flush());
  }
  interval_start_ = now;
  at_interval_ = state;
  interval_flops_ = 0;
  if (options_.collective_seconds) collectives_at_interval_ = options_.collective_seconds();
  return absl::OkStatus();
}

void TrainerReport::AddGroupLosses(const TrainState& state, const IntervalStats& stats) {
  for (size_t i = 0; i < stats.group_tokens.size(); ++i) {
    if (stats.group_tokens[i] == 0) continue;
    const size_t languages = options_.languages.size();
    const std::string name =
        i < languages ? "loss_by_language/" + options_.languages[i]
                      : absl::StrCat("loss_by_template/", options_.templates[i - languages].source,
                                     "/", options_.templates[i - languages].label);
    tensorboard_->AddScalar(name, state.step, stats.group_nll[i] / stats.group_tokens[i]);
  }
}

absl::Status TrainerReport::ReportEvaluation(const TrainState& state, const LanguageScores& scores,
                                             const LanguageScores& template_scores) {
  const LanguageScore total = scores.Total();
  const MacroScore macro = scores.Macro();
  MetricsRecord record(state.step);
  record.BeginGroup("eval")
      .AddNumber("loss", total.ExampleLoss())
      .AddNumber("exact_match", macro.exact_match)
      .AddNumber("chrf", macro.chrf);
  AddScores("languages", scores, record);
  if (!template_scores.languages().empty()) AddScores("templates", template_scores, record);
  record.EndGroup();
  RETURN_IF_ERROR(metrics_->Append(record));
  progress_.PrintLine(absl::StrFormat(
      "evaluation at step %d: loss %.4f, exact match %.1f%%, chrF %.1f (mean of %d languages)",
      state.step, total.ExampleLoss(), 100 * macro.exact_match, macro.chrf, macro.languages));
  if (tensorboard_ == nullptr) return absl::OkStatus();
  tensorboard_->AddScalar("eval/loss", state.step, total.ExampleLoss());
  tensorboard_->AddScalar("eval/exact_match", state.step, macro.exact_match);
  tensorboard_->AddScalar("eval/chrf", state.step, macro.chrf);
  return tensorboard_->Flush();
}

void TrainerReport::ReportSaved(const SavedCheckpoint& saved, double step_seconds) {
  progress_.PrintLine(absl::StrFormat(
      "saved %s; training stood still for %.3f s (%.2f steps), all took %.1f s", saved.path,
      saved.stall_seconds, saved.stall_seconds / std::max(1e-9, step_seconds), saved.seconds));
  if (tensorboard_ == nullptr) return;
  tensorboard_->AddScalar("speed/save_stall_seconds", saved.step, saved.stall_seconds);
  tensorboard_->AddScalar("speed/save_seconds", saved.step, saved.seconds);
}

absl::Status TrainerReport::Sync() {
  if (tensorboard_ != nullptr) RETURN_IF_ERROR(tensorboard_->Flush());
  return metrics_->Sync();
}

absl::Status TrainerReport::Finish(const TrainState& state, bool stopped_early) {
  if (state.step == at_start_.step) {
    progress_.PrintLine(absl::StrFormat("nothing to do: step %d of %d is reached", state.step,
                                        options_.total_steps));
    return absl::OkStatus();
  }
  const double seconds = std::max(1e-9, Seconds(Clock::now() - start_));
  const int64_t tokens =
      state.source_tokens + state.target_tokens - at_start_.source_tokens - at_start_.target_tokens;
  progress_.PrintLine(absl::StrFormat(
      "%s after step %d of %d: %d examples, %d target tokens; %.0f s since step %d",
      stopped_early ? "stopped on a signal" : "done", state.step, options_.total_steps,
      state.examples, state.target_tokens, seconds, at_start_.step));
  nlohmann::ordered_json json;
  json["step"] = state.step;
  json["examples"] = state.examples;
  json["source_tokens"] = state.source_tokens;
  json["target_tokens"] = state.target_tokens;
  json["first_step"] = at_start_.step;
  json["seconds"] = seconds;
  json["examples_per_second"] = static_cast<double>(state.examples - at_start_.examples) / seconds;
  json["tokens_per_second"] = static_cast<double>(tokens) / seconds;
  json["mfu"] = total_flops_ / seconds / peak_flops_;
  if (options_.collective_seconds) {
    json["communication"] = CommunicationShare(collectives_at_start_, seconds);
  }
  return WriteFileAtomically(JoinPath(options_.work_dir, "summary.json"), json.dump(2) + "\n");
}

}  // namespace frond
