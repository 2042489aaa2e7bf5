// One training run: from a config to checkpoints, with automatic resume.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/work_folder_lock.h"
#include "configs/train.pb.h"
#include "core/tensor/profiler.h"
#include "dist/link_test.h"
#include "dist/process_mesh.h"
#include "launch/compute_device.h"
#include "launch/device_group.h"
#include "launch/evaluation.h"
#include "launch/interval_stats.h"
#include "launch/run_checkpoint.h"
#include "launch/step_gradients.h"
#include "launch/step_traffic.h"
#include "launch/stop_signal.h"
#include "launch/trainer_report.h"
#include "launch/training_data.h"
#include "optim/schedule.h"

namespace frond {

class Trainer {
 public:
  // Builds every part; each is made by its own module. `config` is resolved and validated. Errors
  // are agreed on by all ranks. `stop` may be null (then signals are not looked at) and outlives
  // the trainer. Collective over `world`, which outlives the trainer.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const config::TrainConfig& config,
                                                         Communicator& world, StopSignal* stop);

  // Trains to config.steps, or until a stop was asked for. Saves, evaluates and reports on the way.
  // Collective.
  absl::Status Run();

  // One optimizer step without saving or reporting. Collective.
  absl::Status Step();

  // For benchmarks and tests.
  Context& context() { return ctx_; }
  Profiler& profiler() { return profiler_; }
  Allocator& memory() { return *device_.memory; }
  const ComputeDevice& device() const { return device_; }
  T5Model& model() { return *model_; }
  TrainingData& data() { return *data_; }
  const TrainState& state() const { return state_; }
  const IntervalStats& interval() const { return interval_; }
  // Exact FLOPs of the last step's forward and backward on all ranks.
  double last_step_flops() const { return last_step_flops_; }
  bool stopped_early() const { return stop_agreed_; }

 private:
  Trainer(const config::TrainConfig& config, Communicator& world, StopSignal* stop,
          ComputeDevice device);

  // Names of counters in a checkpoint's state.
  static constexpr char kEvaluationPending[] = "evaluation.pending";
  static constexpr char kMetricsLines[] = "metrics.lines";

  absl::Status SetUp();
  absl::Status TestMeshLinks();
  absl::Status SetUpWorkFolder();
  absl::Status SetUpModel();
  absl::Status CheckFirstStep(const T5Config& t5);
  absl::Status Resume();
  absl::Status LoadCheckpoint(const std::string& path);
  void TakeState(TrainState saved);
  absl::Status SetUpReport();
  RunTable MakeRunTable() const;

  // The step's passes; returns this rank's part of the per-step sums [loss, z-loss, stop, save,
  // nll by language, tokens by language].
  std::vector<double> RunPasses(const StepPlan& plan);
  // From the step's passes to changed masters. `sums`: over all ranks.
  absl::Status Learn(const StepPlan& plan, std::vector<double>& sums, double& gradient_norm);
  absl::Status LossError(const StepPlan& plan, const std::vector<double>& own);
  StepInfo InfoOf(double gradient_scale) const;
  void CountStep(const StepPlan& plan, const std::vector<double>& sums, double gradient_norm);
  std::string LanguageMix(const StepPlan& plan) const;
  absl::Status RunSteps();
  absl::Status AfterStep();
  absl::Status Save();
  // Goes on with a save under way, or waits for its end.
  absl::Status AdvanceSave();
  absl::Status FinishSave();
  absl::Status TakeSaved(const absl::StatusOr<std::optional<SavedCheckpoint>>& saved);
  // What reads weights outside of steps comes after it. Collective over the data axis.
  void CompleteWeights();
  absl::Status EvaluateNow();
  absl::Status EvaluatePending();

  config::TrainConfig config_;
  Communicator& world_;
  StopSignal* stop_;
  Profiler profiler_;
  ComputeDevice device_;
  Context ctx_;
  DeviceGroup group_;  // of all ranks; outlives the mesh
  std::unique_ptr<StepTraffic> traffic_;
  std::unique_ptr<ProcessMesh> mesh_;
  TensorAxis tensor_;
  std::optional<LinkReport> links_;       // where they were tested
  std::unique_ptr<WorkFolderLock> lock_;  // rank 0
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<TrainingData> data_;
  std::unique_ptr<T5Model> model_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  std::unique_ptr<StepGradients> gradients_;
  std::unique_ptr<CheckpointStore> store_;  // rank 0
  std::unique_ptr<CheckpointSaver> saver_;
  std::unique_ptr<Evaluation> evaluation_;  // null: no evaluation during training
  std::unique_ptr<TrainerReport> report_;   // rank 0
  std::string manifest_;                    // of the data (data_manifest.h)
  TrainState state_;
  IntervalStats interval_{0};
  double last_step_flops_ = 0;
  double last_step_seconds_ = 0;
  double save_flags_ = 0;  // of all ranks, from the last step; see CheckpointSaver::Advance
  bool stop_agreed_ = false;
  // A stop came before or during the evaluation after state_.step: the next start makes up for it.
  bool evaluation_pending_ = false;
  int64_t saved_metrics_lines_ = -1;  // of the checkpoint resumed from; negative: not known
  int64_t last_saved_step_ = -1;
};

}  // namespace frond
