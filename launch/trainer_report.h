// What people see of a run: the table before step 1, the progress line, metrics.jsonl, TensorBoard.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/train_state.h"
#include "eval/language_scores.h"
#include "launch/checkpoint_saver.h"
#include "launch/interval_stats.h"
#include "launch/metrics_log.h"
#include "launch/progress.h"
#include "launch/run_table.h"
#include "launch/tensorboard_writer.h"
#include "launch/training_data.h"

namespace frond {

// The most that was held at one time, all together and of each kind on its own.
std::string FormatPeaks(const MemoryReport& report);

// Rank 0's. metrics.jsonl holds numbers of the run only, no clock; speeds go to the terminal and
// TensorBoard.
class TrainerReport {
 public:
  struct Options {
    std::string work_dir;
    int64_t total_steps = 0;
    bool tensorboard = true;
    bool terminal = true;  // table and progress on standard error
    DType compute = DType::kF32;
    int ranks = 1;
    // What this rank has spent in collectives so far, in seconds; empty where that is not known.
    std::function<double()> collective_seconds;
    // What IntervalStats counts by: languages, then templates.
    std::vector<std::string> languages;
    std::vector<TrainingData::TemplateName> templates;
    // Of metrics.jsonl when the run was saved; negative: not known.
    int64_t metrics_lines = -1;
  };
  // Continues the run's files after `state.step`.
  static absl::StatusOr<std::unique_ptr<TrainerReport>> Open(const Options& options,
                                                             const TrainState& state);

  void PrintTable(const RunTable& table);
  // Measures the matmul peak that MFU refers to (some 0.4 s), forgets the memory's peaks, and
  // starts the clock. Before the first step that is reported.
  void Start(Context& ctx, const TrainState& state);
  // After every step: feeds the speeds. `flops` are the step's, of all ranks.
  void CountWork(const TrainState& state, double flops, const Allocator& memory);
  absl::Status ReportInterval(const TrainState& state, const IntervalStats& stats,
                              double learning_rate);
  absl::Status ReportEvaluation(const TrainState& state, const LanguageScores& scores,
                                const LanguageScores& template_scores);
  // `step_seconds`: a step's time, to compare the stall with.
  void ReportSaved(const SavedCheckpoint& saved, double step_seconds);
  // When this returns, metrics.jsonl is on the disk and event files are the operating system's.
  absl::Status Sync();
  int64_t metrics_lines() const { return metrics_->lines(); }
  // Says how it went; summary.json gets this start's speeds. `stopped_early`: by a signal.
  absl::Status Finish(const TrainState& state, bool stopped_early);

 private:
  using Clock = std::chrono::steady_clock;
  // The share of `seconds` that were spent in collectives since they had taken `before`; negative
  // where it is not known.
  double CommunicationShare(double before, double seconds) const;
  explicit TrainerReport(const Options& options);
  // TensorBoard's, of each language and template.
  void AddGroupLosses(const TrainState& state, const IntervalStats& stats);

  Options options_;
  double peak_flops_ = 0;  // per second, all ranks
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<TensorboardWriter> tensorboard_;
  Progress progress_;
  ProgressState shown_;
  // Since the last interval, for speeds; since the start, for the time left.
  Clock::time_point start_, interval_start_;
  TrainState at_start_, at_interval_;
  double interval_flops_ = 0, total_flops_ = 0;
  double collectives_at_start_ = 0, collectives_at_interval_ = 0;
  bool memory_reported_ = false;
};

}  // namespace frond
