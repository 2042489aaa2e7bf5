#include "launch/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "dist/collective_watchdog.h"
#include "dist/sum_numbers.h"
#include "launch/agree.h"
#include "launch/step_sums.h"
#include "optim/clipping.h"

namespace frond {
namespace {

bool IsFiniteLoss(const std::vector<double>& sums) {
  return std::isfinite(sums[kLoss]) && std::isfinite(sums[kZLoss]);
}

}  // namespace

Trainer::Trainer(const config::TrainConfig& config, Communicator& world, StopSignal* stop,
                 ComputeDevice device)
    : config_(config),
      world_(world),
      stop_(stop),
      device_(std::move(device)),
      ctx_(*device_.memory, &profiler_) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const config::TrainConfig& config,
                                                         Communicator& world, StopSignal* stop) {
  ASSIGN_OR_RETURN(ComputeDevice device,
                   OpenComputeDevice(config.device(), world, config.cuda_graphs()));
  std::unique_ptr<Trainer> trainer(new Trainer(config, world, stop, std::move(device)));
  RETURN_IF_ERROR(trainer->SetUp());
  return trainer;
}

std::vector<double> Trainer::RunPasses(const StepPlan& plan) {
  GradSink& sink = gradients_->StartStep(ctx_, InfoOf(/*gradient_scale=*/1));
  const size_t groups = interval_.group_nll.size();
  std::vector<double> sums(NumStepSums(groups));
  const double z_coefficient = config_.loss().z_loss();
  for (size_t b = 0; b < plan.batches.size(); ++b) {
    const Batch& batch = plan.batches[b];
    gradients_->StartPass(/*is_last=*/b + 1 == plan.batches.size());
    const std::vector<double>& weights = plan.token_weights[b];
    const TokenLosses losses = model_->ForwardBackward(
        ctx_, batch,
        {.token_weights = weights, .z_loss = z_coefficient, .dropout = config_.model().dropout()},
        sink);
    gradients_->EndPass(ctx_);
    for (int64_t e = 0; e < batch.num_examples(); ++e) {
      const auto language = static_cast<size_t>(data_->language_of_leaf()[batch.leaf[e]]);
      const int32_t row_template = batch.templates[e];
      const size_t by_template =
          kGroups + data_->languages().size() + static_cast<size_t>(std::max(row_template, 0));
      for (int32_t t = batch.target_offsets[e]; t < batch.target_offsets[e + 1]; ++t) {
        sums[kLoss] += weights[t] * losses.nll[t];
        sums[kZLoss] += weights[t] * z_coefficient * losses.log_z[t] * losses.log_z[t];
        sums[kGroups + language] += losses.nll[t];
        sums[kGroups + groups + language] += 1;
        if (row_template < 0) continue;
        sums[by_template] += losses.nll[t];
        sums[by_template + groups] += 1;
      }
    }
  }
  // The ranks of a tensor axis have equal losses: one of them counts.
  tensor_.CountOnce(sums);
  if (stop_ != nullptr && stop_->Requested()) sums[kStop] = 1;
  sums[kSave] = saver_->Flag();
  return sums;
}

std::string Trainer::LanguageMix(const StepPlan& plan) const {
  std::map<std::string, int64_t> counts;
  for (const Batch& batch : plan.batches) {
    for (const int32_t leaf : batch.leaf) {
      ++counts[data_->languages()[data_->language_of_leaf()[leaf]]];
    }
  }
  std::string text;
  for (const auto& [language, count] : counts) absl::StrAppend(&text, " ", language, ":", count);
  return text;
}

// What the first rank whose own loss is not finite says. Every rank calls it.
absl::Status Trainer::LossError(const StepPlan& plan, const std::vector<double>& own) {
  const absl::Status saved = FinishSave();
  if (!saved.ok()) LOG(WARNING) << "the last save has failed: " << saved.message();
  absl::Status status;
  if (!IsFiniteLoss(own)) {
    status = absl::InternalError(absl::StrCat(
        "the loss of step ", state_.step + 1, " is not finite: ", own[kLoss], ", z-loss ",
        own[kZLoss], "; the batch of rank ", world_.rank(), " holds", LanguageMix(plan),
        last_saved_step_ > 0 ? absl::StrCat("; the last checkpoint is from step ", last_saved_step_)
                             : "; there is no checkpoint yet"));
  }
  RETURN_IF_ERROR(AgreeOnStatus(world_, status));
  return absl::InternalError(
      absl::StrCat("the loss of step ", state_.step + 1, " overflows when ranks add it up"));
}

absl::Status Trainer::Step() {
  const auto start = std::chrono::steady_clock::now();
  world_.watchdog().SetStep(state_.step + 1);
  const StepPlan plan = data_->NextStep(mesh_->data().rank(), mesh_->data().size());
  ctx_.rng = {.seed = config_.seed(), .step = static_cast<uint64_t>(state_.step)};
  std::vector<double> sums;
  double norm = 0;
  RETURN_IF_ERROR(Learn(plan, sums, norm));
  CountStep(plan, sums, norm);
  last_step_seconds_ =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return absl::OkStatus();
}

absl::Status Trainer::Learn(const StepPlan& plan, std::vector<double>& sums,
                            double& gradient_norm) {
  const StepTraffic::Scope counted(*traffic_);
  const std::vector<double> own = RunPasses(plan);
  sums = own;
  SumNumbers(world_, sums);
  if (!IsFiniteLoss(sums)) return LossError(plan, own);
  const absl::StatusOr<double> norm = gradients_->Finish(ctx_);
  if (!norm.ok()) {
    return absl::InternalError(
        absl::StrCat("step ", state_.step + 1, ": ", std::string(norm.status().message()),
                     "; the batch of rank ", world_.rank(), " holds", LanguageMix(plan)));
  }
  gradient_norm = *norm;
  gradients_->Update(ctx_, InfoOf(ClipScale(*norm, config_.optimizer().clip_global_norm())));
  return absl::OkStatus();
}

StepInfo Trainer::InfoOf(double gradient_scale) const {
  return {.step = state_.step,
          .learning_rate = LearningRate(schedule_, state_.step),
          .gradient_scale = gradient_scale};
}

void Trainer::CountStep(const StepPlan& plan, const std::vector<double>& sums,
                        double gradient_norm) {
  ++state_.step;
  state_.stream_window = static_cast<int64_t>(plan.next.window);
  state_.stream_row = static_cast<int64_t>(plan.next.row);
  const auto examples = static_cast<int64_t>(plan.lengths.size());
  state_.examples += examples;
  state_.source_tokens += plan.source_tokens;
  state_.target_tokens += plan.target_tokens;

  ++interval_.steps;
  interval_.loss += sums[kLoss];
  interval_.z_loss += sums[kZLoss];
  interval_.grad_norm += gradient_norm;
  interval_.examples += examples;
  interval_.source_tokens += plan.source_tokens;
  interval_.target_tokens += plan.target_tokens;
  interval_.truncated += plan.truncated;
  interval_.sent_bytes += traffic_->TakeBytes();
  const size_t groups = interval_.group_nll.size();
  for (size_t i = 0; i < groups; ++i) {
    interval_.group_nll[i] += sums[kGroups + i];
    interval_.group_tokens[i] += sums[kGroups + groups + i];
  }
  if (sums[kStop] > 0) stop_agreed_ = true;
  save_flags_ = sums[kSave];
  last_step_flops_ = 0;
  for (const SideLengths& lengths : plan.lengths) {
    last_step_flops_ += 3 * T5ForwardFlops(model_->config(), lengths.source, lengths.target);
  }
}

absl::Status Trainer::Run() {
  // From here on ranks keep pace; before, one may have tokenised for hours.
  world_.watchdog().SetTimeout(config_.mesh().collective_timeout_seconds());
  if (report_ != nullptr) report_->Start(ctx_, state_);
  const absl::Status trained = RunSteps();
  // Whatever ended the steps: what has begun to be saved is not lost.
  const absl::Status saved = FinishSave();
  if (!trained.ok() && !saved.ok()) LOG(WARNING) << "the last save has failed: " << saved.message();
  RETURN_IF_ERROR(trained);
  RETURN_IF_ERROR(saved);
  if (last_saved_step_ != state_.step) {
    RETURN_IF_ERROR(Save());
    RETURN_IF_ERROR(FinishSave());
  }
  return AgreeOnStatus(
      world_, report_ != nullptr ? report_->Finish(state_, stop_agreed_) : absl::OkStatus());
}

absl::Status Trainer::RunSteps() {
  if (evaluation_pending_) RETURN_IF_ERROR(EvaluatePending());
  while (state_.step < config_.steps() && !stop_agreed_) {
    RETURN_IF_ERROR(Step());
    RETURN_IF_ERROR(AdvanceSave());
    RETURN_IF_ERROR(AfterStep());
  }
  return absl::OkStatus();
}

absl::Status Trainer::AfterStep() {
  const auto due = [&](int64_t every) { return every > 0 && state_.step % every == 0; };
  const bool is_last = state_.step == config_.steps();
  absl::Status reported;
  if (due(config_.report().every_steps()) || is_last) {
    if (report_ != nullptr) {
      reported =
          report_->ReportInterval(state_, interval_, LearningRate(schedule_, state_.step - 1));
    }
    interval_.Reset();
  }
  if (report_ != nullptr) report_->CountWork(state_, last_step_flops_, memory());
  RETURN_IF_ERROR(AgreeOnStatus(world_, reported));
  if (evaluation_ != nullptr && due(config_.eval().every_steps())) RETURN_IF_ERROR(EvaluateNow());
  if (due(config_.checkpoint().every_steps())) return Save();
  return absl::OkStatus();
}

// What is gathered here the next step need not gather: it counts as the step's, so that a line of
// metrics does not depend on where a run was interrupted.
void Trainer::CompleteWeights() {
  const StepTraffic::Scope counted(*traffic_);
  gradients_->weights().Complete(ctx_);
}

absl::Status Trainer::EvaluateNow() {
  // Until it is done; where a stop comes first, the checkpoint says that it is still to do.
  evaluation_pending_ = true;
  if (stop_agreed_) return absl::OkStatus();
  CompleteWeights();
  const absl::StatusOr<LanguageScores> scores = evaluation_->Run(ctx_, *model_, *mesh_, stop_);
  if (!scores.ok()) {
    // A stop that came in the middle: the evaluation is put off, the run is saved.
    if (!absl::IsCancelled(scores.status())) return scores.status();
    stop_agreed_ = true;
    return absl::OkStatus();
  }
  evaluation_pending_ = false;
  absl::Status status;
  if (report_ != nullptr)
    status = report_->ReportEvaluation(state_, *scores, evaluation_->template_scores());
  return AgreeOnStatus(world_, status);
}

// The evaluation that a stop has put off. Saved at once, so that it is made up for only once.
absl::Status Trainer::EvaluatePending() {
  if (evaluation_ == nullptr) {
    evaluation_pending_ = false;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(EvaluateNow());
  return evaluation_pending_ ? absl::OkStatus() : Save();
}

absl::Status Trainer::Save() {
  RETURN_IF_ERROR(FinishSave());
  RunCheckpointParts parts = {
      .optimizer = optimizer_.get(),
      .state = state_,
      .manifest = manifest_,
      .carried = {.tokenizer = tokenizer_->name(), .model_folder = config_.model().path()},
      .weights = config_.checkpoint().weights() == config::BF16 ? DType::kBF16 : DType::kF32,
      .asynchronous = config_.checkpoint().asynchronous()};
  absl::Status status;
  if (world_.rank() == 0) {
    interval_.Save(parts.state);
    if (evaluation_pending_) parts.state.counters[kEvaluationPending] = 1;
    if (report_ != nullptr) parts.state.counters[kMetricsLines] = report_->metrics_lines();
    status = report_ != nullptr ? report_->Sync() : absl::OkStatus();
  }
  RETURN_IF_ERROR(AgreeOnStatus(world_, status));
  RETURN_IF_ERROR(StartRunCheckpoint(ctx_, *saver_, *model_, parts));
  return parts.asynchronous ? absl::OkStatus() : FinishSave();
}

absl::Status Trainer::AdvanceSave() { return TakeSaved(saver_->Advance(save_flags_)); }

absl::Status Trainer::FinishSave() { return TakeSaved(saver_->Finish()); }

absl::Status Trainer::TakeSaved(const absl::StatusOr<std::optional<SavedCheckpoint>>& saved) {
  RETURN_IF_ERROR(saved.status());
  if (!saved->has_value()) return absl::OkStatus();
  last_saved_step_ = (*saved)->step;
  if (report_ != nullptr) report_->ReportSaved(**saved, last_step_seconds_);
  return absl::OkStatus();
}

}  // namespace frond
