#include "launch/rehearsal.h"

#include <memory>
#include <utility>

#include "core/base/status_macros.h"
#include "core/tensor/meta_allocator.h"
#include "dist/process_mesh.h"
#include "dist/sum_numbers.h"
#include "launch/model_builder.h"
#include "launch/optimizer_builder.h"
#include "launch/run_checkpoint.h"
#include "launch/step_gradients.h"
#include "launch/step_sums.h"
#include "mixtures/rank_share.h"

namespace frond {
namespace {

// A rank of the planned mesh, as far as it trains.
class PlannedRank {
 public:
  explicit PlannedRank(const RehearsalInput& input)
      : input_(input),
        config_(*input.config),
        memory_(input.device),
        ctx_(memory_, input.memory_only ? nullptr : &profiler_),
        clock_(profiler_, rates_),
        world_time_(clock_, rates_.world),
        data_time_(clock_, rates_.data),
        tensor_time_(clock_, rates_.tensor) {
    profiler_.LeaveOutSeconds();
    if (input.rates.has_value()) rates_ = *input.rates;
  }

  absl::Status SetUp() {
    // In the order in which Report reads the log.
    world_ = MakeGroup(input_.mesh.ranks(), &world_time_);
    std::unique_ptr<Communicator> data = MakeGroup(input_.mesh.data, &data_time_);
    std::unique_ptr<Communicator> tensor = MakeGroup(input_.mesh.tensor, &tensor_time_);
    mesh_ = std::make_unique<ProcessMesh>(
        ProcessMesh::OfAxes(*world_, std::move(data), std::move(tensor)));
    config::Model model = config_.model();
    model.clear_path();  // weights are as large whatever they are
    const TensorAxis axis(mesh_->tensor(), config_.mesh().sequence_parallel());
    const ModelPlace place = PlaceOnMesh(config_.mesh(), *mesh_, axis);
    ASSIGN_OR_RETURN(model_, BuildModel(ctx_, model, input_.model, config_.seed(), place));
    ASSIGN_OR_RETURN(optimizer_, BuildOptimizer(config_.optimizer()));
    gradients_ = std::make_unique<StepGradients>(ctx_, config_.optimizer(), model_->params(),
                                                 *optimizer_, *mesh_, axis);
    // The first pass gathers them, as every later one does.
    gradients_->weights().MarkChanged(ctx_);
    return absl::OkStatus();
  }

  absl::Status Step(int64_t step) {
    // No decay of Adafactor's is defined before its offset.
    step += config_.optimizer().adafactor().step_offset();
    ctx_.rng = {.seed = config_.seed(), .step = static_cast<uint64_t>(step)};
    const StepInfo info = {.step = step, .learning_rate = 0};
    RunPasses(gradients_->StartStep(ctx_, info));
    std::vector<double> sums(NumStepSums(static_cast<size_t>(input_.languages)));
    SumNumbers(*world_, sums);
    RETURN_IF_ERROR(gradients_->Finish(ctx_).status());
    gradients_->Update(ctx_, info);
    return absl::OkStatus();
  }

  // What has been counted and timed so far.
  Rehearsal Report() {
    Rehearsal report;
    report.memory = memory_.Report();
    if (config_.checkpoint().asynchronous()) {
      report.snapshot_bytes = SnapshotBytes(*model_, *optimizer_, input_.mesh.ranks());
    }
    for (const auto& [name, entry] : profiler_.entries()) {
      (name == "attention" ? report.attention : report.products) += entry.flops;
    }
    auto group = log_->groups.begin();
    for (CommunicationCount* count : {&report.world, &report.data, &report.tensor}) {
      *count = (group++)->count;
    }
    if (!input_.rates.has_value()) return report;
    report.seconds = clock_.Seconds();
    report.work_seconds = clock_.work();
    report.communication_seconds = clock_.communication();
    report.waited_seconds = clock_.waited();
    return report;
  }

 private:
  std::unique_ptr<Communicator> MakeGroup(int size, PlannedTime* time) {
    const bool on_gpus = input_.device == Device::kCuda;
    const PlanCommunicator::Options options = {.asynchronous = on_gpus,
                                               .with_scratch = !on_gpus,
                                               .time = input_.rates.has_value() ? time : nullptr};
    return std::make_unique<CountingCommunicator>(
        std::make_unique<PlanCommunicator>(/*rank=*/0, size, options), log_);
  }

  void RunPasses(GradSink& sink) {
    for (size_t b = 0; b < input_.batches.size(); ++b) {
      const Batch& batch = input_.batches[b];
      gradients_->StartPass(/*is_last=*/b + 1 == input_.batches.size());
      const std::vector<double> weights(batch.target_ids.size(), 1.0);
      model_->ForwardBackward(ctx_, batch,
                              {.token_weights = weights,
                               .z_loss = config_.loss().z_loss(),
                               .dropout = config_.model().dropout()},
                              sink);
      gradients_->EndPass(ctx_);
    }
  }

  const RehearsalInput& input_;
  const config::TrainConfig& config_;
  Profiler profiler_;
  MetaAllocator memory_;
  Context ctx_;
  StepRates rates_;
  StepClock clock_;
  StepClock::Group world_time_, data_time_, tensor_time_;
  std::shared_ptr<CommunicationLog> log_ = std::make_shared<CommunicationLog>();
  std::unique_ptr<Communicator> world_;
  std::unique_ptr<ProcessMesh> mesh_;
  std::unique_ptr<T5Model> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<StepGradients> gradients_;
};

// What came in the second of two equal steps.
Rehearsal SecondStep(const Rehearsal& first, Rehearsal both) {
  both.products -= first.products;
  both.attention -= first.attention;
  both.world = Difference(both.world, first.world);
  both.data = Difference(both.data, first.data);
  both.tensor = Difference(both.tensor, first.tensor);
  both.seconds -= first.seconds;
  both.work_seconds -= first.work_seconds;
  both.communication_seconds -= first.communication_seconds;
  both.waited_seconds -= first.waited_seconds;
  return both;
}

// Appends `count` examples that fill `length` tokens.
void AppendRow(int length, int count, std::vector<int32_t>& ids, std::vector<int32_t>& offsets) {
  const auto begin = static_cast<int64_t>(ids.size());
  for (int64_t e = 1; e <= count; ++e) {
    offsets.push_back(static_cast<int32_t>(begin + e * length / count));
  }
  ids.resize(static_cast<size_t>(begin + length), 0);
}

}  // namespace

absl::StatusOr<Rehearsal> Rehearse(const RehearsalInput& input) {
  PlannedRank rank(input);
  RETURN_IF_ERROR(rank.SetUp());
  RETURN_IF_ERROR(rank.Step(0));
  const Rehearsal first = rank.Report();
  if (input.memory_only) return first;
  RETURN_IF_ERROR(rank.Step(1));
  return SecondStep(first, rank.Report());
}

std::vector<Batch> FullRows(const config::TrainConfig& config, int data_ranks,
                            int examples_per_row) {
  const int64_t tokens =
      int64_t{config.data().source_length()} + int64_t{config.data().target_length()};
  const std::vector<int64_t> costs(static_cast<size_t>(config.batch().rows()), tokens);
  const RankShares shares = ShareRows(costs, data_ranks, config.batch().micro_batches());
  std::vector<Batch> batches;
  for (const std::vector<int32_t>& rows : shares[0]) {
    Batch& batch = batches.emplace_back();
    for (size_t row = 0; row < rows.size(); ++row) {
      AppendRow(config.data().source_length(), examples_per_row, batch.source_ids,
                batch.source_offsets);
      AppendRow(config.data().target_length(), examples_per_row, batch.target_ids,
                batch.target_offsets);
    }
    batch.example_keys.resize(static_cast<size_t>(batch.num_examples()), 0);
    batch.leaf.resize(batch.example_keys.size(), 0);
  }
  return batches;
}

}  // namespace frond
