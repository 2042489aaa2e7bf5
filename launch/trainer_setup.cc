// Building a trainer's parts, resuming, and the table before the first step.
#include <omp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "dist/collective_watchdog.h"
#include "launch/agree.h"
#include "launch/cpu_threads.h"
#include "launch/data_manifest.h"
#include "launch/find_checkpoint.h"
#include "launch/memory_check.h"
#include "launch/model_builder.h"
#include "launch/optimizer_builder.h"
#include "launch/trainer.h"

namespace frond {
namespace {

// What is kept for and during backward.
std::string MemoryModes(const config::TrainConfig& config) {
  const config::Model& model = config.model();
  std::string text = absl::StrCat("recompute ", config::Recompute_Name(model.recompute()));
  if (model.chunk_tokens() > 0) {
    absl::StrAppend(&text, " in chunks of ", model.chunk_tokens(), " tokens");
  }
  absl::StrAppend(&text, config.optimizer().update_in_backward()
                             ? ", weights updated in backward (gradients not counted below)"
                             : ", gradients kept for the step");
  return text;
}

}  // namespace

absl::Status Trainer::SetUp() {
  ASSIGN_OR_RETURN(group_,
                   JoinDeviceGroup(config_.mesh().gpu_collectives(), ctx_.device(), world_));
  traffic_ = std::make_unique<StepTraffic>(group_.Ranks(world_));
  ASSIGN_OR_RETURN(mesh_, ProcessMesh::Create(traffic_->ranks(), config_.mesh().data(),
                                              config_.mesh().tensor()));
  tensor_ = TensorAxis(mesh_->tensor(), config_.mesh().sequence_parallel());
  if (config_.mesh().self_test() && world_.size() > 1) RETURN_IF_ERROR(TestMeshLinks());
  omp_set_num_threads(ThreadsPerRank(config_.threads(), world_));
  RETURN_IF_ERROR(AgreeOnStatus(world_, SetUpWorkFolder()));
  saver_ = std::make_unique<CheckpointSaver>(world_, mesh_->tensor(), store_.get());
  RETURN_IF_ERROR(AgreeOnStatus(world_, SetUpModel()));
  RETURN_IF_ERROR(Resume());
  RETURN_IF_ERROR(AgreeOnStatus(world_, SetUpReport()));
  return absl::OkStatus();
}

// Over the group that will carry the gradients, where they will lie.
absl::Status Trainer::TestMeshLinks() {
  // The ranks are level here: a link that hangs must not wait without a limit, as set-up may.
  world_.watchdog().SetTimeout(config_.mesh().collective_timeout_seconds());
  absl::StatusOr<LinkReport> links = TestLinks(ctx_, group_.Ranks(world_), LinkTestOptions{});
  world_.watchdog().SetTimeout(0);
  RETURN_IF_ERROR(links.status());
  links_ = *std::move(links);
  if (world_.rank() != 0) return absl::OkStatus();
  for (size_t i = 0; i < links_->num_slow; ++i) {
    LOG(WARNING) << DescribeSlowLink(*links_, links_->pairs[i]);
  }
  return absl::OkStatus();
}

absl::Status Trainer::SetUpWorkFolder() {
  if (world_.rank() != 0) return absl::OkStatus();
  RETURN_IF_ERROR(CreateDirectories(config_.work_dir()));
  ASSIGN_OR_RETURN(lock_, WorkFolderLock::Acquire(config_.work_dir()));
  store_ = std::make_unique<CheckpointStore>(config_.work_dir(), config_.checkpoint().keep_last());
  return absl::OkStatus();
}

absl::Status Trainer::SetUpModel() {
  ASSIGN_OR_RETURN(tokenizer_, LoadTokenizer(config_));
  ASSIGN_OR_RETURN(const T5Config t5, ResolveT5Config(config_.model(), *tokenizer_));
  ASSIGN_OR_RETURN(data_, TrainingData::Open(config_, *tokenizer_, omp_get_max_threads()));
  for (const std::string& line : data_->built().pruning.Lines()) LOG(INFO) << line;
  interval_ = IntervalStats(data_->languages().size() + data_->templates().size());
  if (config_.eval().every_steps() > 0) {
    ASSIGN_OR_RETURN(evaluation_, Evaluation::Open(config_, tokenizer_));
  }
  ASSIGN_OR_RETURN(schedule_, BuildSchedule(config_.schedule(), config_.steps()));
  RETURN_IF_ERROR(CheckFirstStep(t5));
  const ModelPlace place = PlaceOnMesh(config_.mesh(), *mesh_, tensor_);
  ASSIGN_OR_RETURN(model_, BuildModel(ctx_, config_.model(), t5, config_.seed(), place));
  ASSIGN_OR_RETURN(optimizer_, BuildOptimizer(config_.optimizer()));
  gradients_ = std::make_unique<StepGradients>(ctx_, config_.optimizer(), model_->params(),
                                               *optimizer_, *mesh_, tensor_);
  return absl::OkStatus();
}

// What cannot hold even the first step is refused before anything is taken.
absl::Status Trainer::CheckFirstStep(const T5Config& t5) {
  const StreamPosition start = data_->position();
  StepPlan plan = data_->NextStep(mesh_->data().rank(), mesh_->data().size());
  RETURN_IF_ERROR(data_->Seek(start));
  return CheckMemory(config_, t5, device_,
                     {.data = mesh_->data().size(), .tensor = mesh_->tensor().size()},
                     std::move(plan.batches));
}

absl::Status Trainer::Resume() {
  state_.seed = config_.seed();
  state_.manifest_hash = HashToHex(data_->mixture().manifest_hash());
  state_.config_hash = HashToHex(DataOrderHash(config_));
  manifest_ = MakeDataManifest(config_, *tokenizer_, *data_);
  ASSIGN_OR_RETURN(const std::string path, FindCheckpoint(world_, store_.get(), config_));
  if (!path.empty()) {
    RETURN_IF_ERROR(AgreeOnStatus(world_, LoadCheckpoint(path)));
    const absl::Status status = data_->Seek({.window = static_cast<uint64_t>(state_.stream_window),
                                             .row = static_cast<uint64_t>(state_.stream_row)});
    RETURN_IF_ERROR(AgreeOnStatus(world_, status));
    LOG(INFO) << "Resuming from " << path;
  }
  RETURN_IF_ERROR(AgreeOnStatus(world_, optimizer_->CheckFirstStep(state_.step)));
  // Whole from the start, so that the table counts all that the run keeps.
  gradients_->weights().MarkChanged(ctx_);
  CompleteWeights();
  return absl::OkStatus();
}

absl::Status Trainer::LoadCheckpoint(const std::string& path) {
  ASSIGN_OR_RETURN(const TrainState saved, ReadTrainState(path));
  RETURN_IF_ERROR(CheckSameData(path, saved, state_, manifest_));
  const absl::StatusOr<TrainState> read = ReadRunCheckpoint(path, *model_, *optimizer_);
  if (!read.ok()) {
    return absl::Status(read.status().code(),
                        absl::StrCat(std::string(read.status().message()),
                                     "; to train another model or with another optimizer, use "
                                     "another work_dir"));
  }
  TakeState(*read);
  return absl::OkStatus();
}

// What Save put into a checkpoint beside the state's own fields comes back out of it.
void Trainer::TakeState(TrainState saved) {
  interval_.Load(saved);
  evaluation_pending_ = saved.counters.contains(kEvaluationPending);
  const auto lines = saved.counters.find(kMetricsLines);
  if (lines != saved.counters.end()) saved_metrics_lines_ = lines->second;
  saved.counters.clear();
  saved.values.clear();
  state_ = std::move(saved);
  last_saved_step_ = state_.step;
}

absl::Status Trainer::SetUpReport() {
  if (world_.rank() != 0) return absl::OkStatus();
  // Not earlier: a config that is refused leaves the run's own in place.
  RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(config_.work_dir(), "config.textproto"), ConfigToText(config_)));
  RETURN_IF_ERROR(SaveLedgers(*data_, config_.work_dir()));
  std::function<double()> collective_seconds;
  // Of collectives that go on by themselves the host sees only the start.
  if (world_.size() > 1 && !mesh_->data().IsAsynchronous()) {
    collective_seconds = [this] { return world_.watchdog().SecondsInScopes(); };
  }
  const TrainerReport::Options options = {
      .work_dir = config_.work_dir(),
      .total_steps = config_.steps(),
      .tensorboard = config_.report().tensorboard(),
      .terminal = config_.report().terminal(),
      .compute = model_->options().compute,
      .ranks = world_.size(),
      .collective_seconds = std::move(collective_seconds),
      .languages = data_->languages(),
      .templates = data_->templates(),
      .metrics_lines = saved_metrics_lines_,
  };
  ASSIGN_OR_RETURN(report_, TrainerReport::Open(options, state_));
  report_->PrintTable(MakeRunTable());
  return absl::OkStatus();
}

RunTable Trainer::MakeRunTable() const {
  RunTable table;
  const T5Options& options = model_->options();
  const T5Config& t5 = model_->config();
  table.facts = {
      {"work folder", config_.work_dir()},
      {"model", absl::StrCat(t5.model_type, ", ", t5.num_layers, "+", t5.num_decoder_layers,
                             " layers, d_model ", t5.d_model, ", vocabulary ", t5.vocab_size,
                             config_.model().path().empty() ? ", fresh" : ", from ",
                             config_.model().path())},
      {"compute", absl::StrCat(DTypeName(options.compute),
                               options.f32_activations ? ", norms, attention and gates f32"
                               : options.residual() != options.compute ? ", residual stream f32"
                                                                       : "",
                               ", masters ", config::Model::Masters_Name(config_.model().masters()),
                               config_.model().cross_attention() == config::Model::CUDNN
                                   ? ", cross-attention by cuDNN"
                                   : "")},
      {"memory", MemoryModes(config_)},
      {"device", device_.description},
      {"mesh", absl::StrCat("data ", mesh_->data().size(), " x tensor ", mesh_->tensor().size(),
                            ", ", omp_get_max_threads(), " threads a rank",
                            group_.description.empty() ? "" : ", ", group_.description)},
      {"step", absl::StrCat(config_.batch().rows(), " rows of ", config_.data().source_length(),
                            " / ", config_.data().target_length(), " tokens, ",
                            config_.batch().micro_batches(), " micro-batches a rank")},
      {"steps", absl::StrCat(config_.steps(), state_.step > 0 ? ", resumed at " : "",
                             state_.step > 0 ? absl::StrCat(state_.step) : "")},
  };
  if (links_.has_value()) table.facts.push_back({"links", DescribeLinks(*links_)});
  int64_t embedding = 0, other = 0;
  for (const auto& param : model_->params().params()) {
    (param->spec.use == ParamUse::kVector || param->spec.shape.dim(0) != t5.vocab_size
         ? other
         : embedding) += param->spec.shape.num_elements();
  }
  table.parameters = {{"embedding and head", embedding}, {"layers", other}};
  const MemoryReport memory = device_.memory->Report();
  for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
    const int64_t bytes = memory.by_kind[kind].live_bytes;
    if (bytes > 0) {
      table.memory.push_back({std::string(MemoryKindName(static_cast<MemoryKind>(kind))), bytes});
    }
  }
  if (config_.checkpoint().asynchronous() && ctx_.device() == Device::kCpu) {
    table.memory.push_back({"copy of a save", SnapshotBytes(*model_, *optimizer_, world_.size())});
  }
  data_->Describe(config_.steps(), table);
  return table;
}

}  // namespace frond
