#include "launch/model_evaluation.h"

#include <omp.h>

#include <utility>

#include "core/base/status_macros.h"
#include "dist/collective_watchdog.h"
#include "launch/agree.h"
#include "launch/compute_device.h"
#include "launch/cpu_threads.h"
#include "launch/device_group.h"
#include "launch/model_builder.h"
#include "models/t5/t5_folder.h"

namespace frond {
namespace {

struct Prepared {
  std::unique_ptr<Evaluation> evaluation;
  std::unique_ptr<T5Model> model;
};

absl::StatusOr<Prepared> Prepare(Context& ctx, config::TrainConfig config,
                                 const ModelToEvaluate& wanted, const TensorAxis& tensor) {
  if (!wanted.folder.empty()) {
    config.mutable_model()->set_path(wanted.folder);
    if (wanted.own_tokenizer && FindTokenizerFile(wanted.folder).ok()) {
      config.mutable_data()->clear_tokenizer();
    }
  }
  Prepared prepared;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, LoadTokenizer(config));
  ASSIGN_OR_RETURN(const T5Config t5, ResolveT5Config(config.model(), *tokenizer));
  ASSIGN_OR_RETURN(prepared.evaluation, Evaluation::Open(config, tokenizer));
  if (wanted.with_baseline) RETURN_IF_ERROR(prepared.evaluation->ReadBaseline(config));
  ASSIGN_OR_RETURN(prepared.model,
                   BuildModel(ctx, config.model(), t5, config.seed(), {.tensor = tensor}));
  prepared.model->params().PrepareCompute(ctx, /*for_training=*/false);
  return prepared;
}

}  // namespace

absl::StatusOr<EvaluatedModel> EvaluateModel(const config::TrainConfig& config,
                                             const ModelToEvaluate& wanted, Communicator& world,
                                             StopSignal* stop) {
  omp_set_num_threads(ThreadsPerRank(config.threads(), world));
  ASSIGN_OR_RETURN(const ComputeDevice device,
                   OpenComputeDevice(config.device(), world, config.cuda_graphs()));
  Context ctx(*device.memory);
  const int tensor_ranks = world.size() > 1 ? config.mesh().tensor() : 1;
  DeviceGroup group;  // activations travel along a tensor axis only
  if (tensor_ranks > 1) {
    ASSIGN_OR_RETURN(group, JoinDeviceGroup(config.mesh().gpu_collectives(), ctx.device(), world));
  }
  ASSIGN_OR_RETURN(const auto mesh,
                   ProcessMesh::Create(group.Ranks(world), /*data=*/0, tensor_ranks));
  absl::StatusOr<Prepared> prepared = Prepare(ctx, config, wanted, TensorAxis(mesh->tensor()));
  RETURN_IF_ERROR(AgreeOnStatus(world, prepared.status()));
  world.watchdog().SetTimeout(config.mesh().collective_timeout_seconds());
  ASSIGN_OR_RETURN(LanguageScores scores,
                   prepared->evaluation->Run(ctx, *prepared->model, *mesh, stop));
  return EvaluatedModel{.evaluation = std::move(prepared->evaluation), .scores = std::move(scores)};
}

}  // namespace frond
