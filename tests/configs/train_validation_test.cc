#include "configs/train_validation.h"

#include <string>
#include <vector>

#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "core/base/check.h"
#include "gtest/gtest.h"

namespace frond {
namespace {

constexpr char kValid[] =
    "work_dir: 'runs/a' steps: 5 batch { rows: 4 } model { preset: 'mt5-small' }\n"
    "data { tokenizer: 'spm.model' source { path: 'a.jsonl' } source { path: 'b.jsonl' } }\n"
    "eval { source { path: 'v.jsonl' } }\n";

std::string ErrorAfter(const std::vector<std::string>& sets, const std::string& text = kValid) {
  auto config = ParseConfig(text, "config", sets);
  CHECK_OK(config.status());
  ResolveDefaults(*config);
  const absl::Status status = ValidateTrainConfig(*config);
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ValidateTrainConfig, AcceptsGoodConfigs) {
  EXPECT_EQ(ErrorAfter({}), "");
  EXPECT_EQ(ErrorAfter({"model.preset=", "model.path=dir", "data.tokenizer="}), "");
  EXPECT_EQ(ErrorAfter({"data.source[0].weight=0"}), "");
  EXPECT_EQ(ErrorAfter({"model.preset=",
                        "model.shape={d_model: 8 d_kv: 4 d_ff: 8 num_heads: 2 num_layers: 1}"}),
            "");
  EXPECT_EQ(ErrorAfter({"optimizer.adamw={}"}), "");
  EXPECT_EQ(ErrorAfter({"model.recompute=BLOCK", "model.chunk_tokens=512"}), "");
  EXPECT_EQ(ErrorAfter({"model.compute=BF16", "model.masters=SPLIT"}), "");
  for (const char* device : {"device=CUDA", "device=AUTO"}) {
    EXPECT_EQ(ErrorAfter({"model.compute=BF16", "model.cross_attention=CUDNN", device}), "");
  }
}

TEST(ValidateTrainConfig, NamesMissingFields) {
  EXPECT_EQ(ErrorAfter({"work_dir="}), "work_dir is missing; name the folder the run lives in");
  EXPECT_EQ(ErrorAfter({}, "work_dir: 'a'"),
            "steps is missing; say how many optimizer updates the run has");
  EXPECT_EQ(ErrorAfter({}, "work_dir: 'a' steps: 1"),
            "batch.rows is missing; say how many rows a step has");
  EXPECT_EQ(ErrorAfter({}, "work_dir: 'a' steps: 1 batch { rows: 1 }"),
            "model.path is missing; name a model folder, or set model.preset or model.shape");
  EXPECT_EQ(
      ErrorAfter({}, "work_dir: 'a' steps: 1 batch { rows: 1 } model { preset: 'mt5-small' }"),
      "data.source is missing; name at least one source with a path");
  EXPECT_EQ(ErrorAfter({"data.source[2].weight=1"}),
            "data.source[2].path is missing; name its files");
  EXPECT_EQ(ErrorAfter({"data.tokenizer="}),
            "data.tokenizer is missing; without model.path it must name a SentencePiece model");
  EXPECT_EQ(ErrorAfter({"model.preset=", "model.shape.d_model=8"}),
            "model.shape.d_kv is missing; a shape without model.preset must name it");
  EXPECT_EQ(ErrorAfter({}, std::string(kValid).substr(0, std::string(kValid).find("eval")) +
                               "eval { every_steps: 3 }"),
            "eval.source is missing; eval.every_steps is 3, so name what is evaluated");
  EXPECT_EQ(ErrorAfter({"data.source[0].fields.inputs="}),
            "data.source[0].fields.inputs is missing; name a field");
  EXPECT_EQ(ErrorAfter({"eval.source[0].fields.targets="}),
            "eval.source[0].fields.targets is missing; name a field");
}

TEST(ValidateTrainConfig, NamesWrongWeights) {
  EXPECT_EQ(ErrorAfter({"data.source[1].weight=-1"}),
            "data.source[1].weight is -1; it must be at least 0");
  EXPECT_EQ(ErrorAfter({"data.source[1].weight=nan"}),
            "data.source[1].weight is nan; it must be a finite number");
  EXPECT_EQ(ErrorAfter({"data.source[1].weight=inf"}),
            "data.source[1].weight is inf; it must be a finite number");
  EXPECT_EQ(ErrorAfter({"data.source[0].weight=0", "data.source[1].weight=0"}),
            "the sum of data.source.weight is 0; it must be greater than 0: give at least one "
            "source a weight");
  EXPECT_EQ(ErrorAfter({"data.source[0].weight=1e308", "data.source[1].weight=1e308"}),
            "the sum of data.source.weight is inf; it must be a finite number");
  EXPECT_EQ(ErrorAfter({"data.source[0].path[1]="}),
            "data.source[0].path[1] is empty; it must be a file or a glob");
  EXPECT_EQ(ErrorAfter({"data.source[1].path[0]=sub/a.jsonl"}),
            "data.source[1].name is \"a\"; it must be another name than that of data.source[0]");
}

TEST(ValidateTrainConfig, NamesModelsThatContradict) {
  EXPECT_EQ(ErrorAfter({"model.path=dir"}),
            "model.path is \"dir\"; it must be left out where model.preset or model.shape ask for "
            "a fresh model");
}

TEST(ValidateTrainConfig, RefusesWhatUpdateInBackwardCannotDo) {
  const std::string in_backward = "optimizer.update_in_backward=true";
  EXPECT_EQ(ErrorAfter({in_backward, "model.recompute=BLOCK", "model.chunk_tokens=64"}), "");
  EXPECT_EQ(ErrorAfter({in_backward, "optimizer.clip_global_norm=1"}),
            "optimizer.clip_global_norm is 1; it must be 0 with optimizer.update_in_backward, "
            "which never has all gradients at once");
  EXPECT_EQ(ErrorAfter({in_backward, "batch.micro_batches=4"}),
            "batch.micro_batches is 4; it must be 1 with optimizer.update_in_backward; to bound "
            "activations set model.recompute to BLOCK and model.chunk_tokens instead");
}

TEST(ValidateTrainConfig, CudnnIsForGpus) {
  EXPECT_EQ(ErrorAfter({"model.compute=BF16", "model.cross_attention=CUDNN"}),
            "model.cross_attention is CUDNN; it must be FROND unless device is CUDA or AUTO");
}

TEST(ValidateTrainConfig, RefusesWhatCudaGraphsCannotHold) {
  const std::string on = "cuda_graphs=true", gpu = "device=CUDA";
  EXPECT_EQ(ErrorAfter({on, gpu}), "");
  EXPECT_EQ(ErrorAfter({"cuda_graphs=false"}), "");
  EXPECT_EQ(ErrorAfter({on}), "device is CPU; it must be CUDA with cuda_graphs");
  EXPECT_EQ(ErrorAfter({on, "device=AUTO"}), "device is AUTO; it must be CUDA with cuda_graphs");
  EXPECT_EQ(ErrorAfter({on, gpu, "mesh.tensor=2"}),
            "mesh.tensor is 2; it must be 1 with cuda_graphs, which hold no sums over ranks");
  EXPECT_EQ(ErrorAfter({on, gpu, "mesh.zero_stage=2"}),
            "mesh.zero_stage is 2; it must be 0 with cuda_graphs, which hold no sums over ranks");
}

// An override and the error it leads to.
struct Case {
  const char* set;
  const char* error;
};

TEST(ValidateTrainConfig, NamesTheFieldOutOfRange) {
  const Case cases[] = {
      {"steps=0", "steps is 0; it must be at least 1"},
      {"batch.rows=0", "batch.rows is 0; it must be at least 1"},
      {"batch.micro_batches=0", "batch.micro_batches is 0; it must be at least 1"},
      {"mesh.data=-1", "mesh.data is -1; it must be at least 0"},
      {"mesh.tensor=0", "mesh.tensor is 0; it must be at least 1"},
      {"mesh.collective_timeout_seconds=0",
       "mesh.collective_timeout_seconds is 0; it must be greater than 0"},
      {"checkpoint.every_steps=0", "checkpoint.every_steps is 0; it must be at least 1"},
      {"checkpoint.keep_last=0", "checkpoint.keep_last is 0; it must be at least 1"},
      {"report.every_steps=0", "report.every_steps is 0; it must be at least 1"},
      {"threads=-1", "threads is -1; it must be at least 0"},
      {"model.shape.d_ff=0", "model.shape.d_ff is 0; it must be at least 1"},
      {"model.masters=SPLIT",
       "model.masters is SPLIT; it must be F32 unless model.compute is BF16"},
      {"model.cross_attention=CUDNN",
       "model.cross_attention is CUDNN; it must be FROND unless model.compute is BF16"},
      {"model.chunk_tokens=-1", "model.chunk_tokens is -1; it must be at least 0"},
      {"model.chunk_tokens=2147483648",
       "model.chunk_tokens is 2147483648; it must be at most 2147483647"},
      {"model.chunk_tokens=512",
       "model.chunk_tokens is 512; it must be 0 unless model.recompute is BLOCK"},
      {"model.dropout=1", "model.dropout is 1; it must be at least 0 and less than 1"},
      {"model.dropout=-0.5", "model.dropout is -0.5; it must be at least 0 and less than 1"},
      {"model.dropout=nan", "model.dropout is nan; it must be a finite number"},
      {"data.source_length=0", "data.source_length is 0; it must be at least 1"},
      {"data.target_length=-2", "data.target_length is -2; it must be at least 1"},
      {"data.source_length=1048577", "data.source_length is 1048577; it must be at most 1048576"},
      {"data.target_length=2000000", "data.target_length is 2000000; it must be at most 1048576"},
      {"eval.max_new_tokens=65537", "eval.max_new_tokens is 65537; it must be at most 65536"},
      {"data.window=0", "data.window is 0; it must be at least 1"},
      {"eval.every_steps=-1", "eval.every_steps is -1; it must be at least 0"},
      {"eval.max_examples_per_language=-1",
       "eval.max_examples_per_language is -1; it must be at least 0"},
      {"eval.max_new_tokens=0", "eval.max_new_tokens is 0; it must be at least 1"},
      {"eval.batch_tokens=0", "eval.batch_tokens is 0; it must be at least 1"},
      {"loss.z_loss=-1", "loss.z_loss is -1; it must be at least 0"},
      {"schedule.learning_rate=-1", "schedule.learning_rate is -1; it must be at least 0"},
      {"schedule.learning_rate=nan", "schedule.learning_rate is nan; it must be a finite number"},
      {"schedule.final_learning_rate=-1",
       "schedule.final_learning_rate is -1; it must be at least 0"},
      {"schedule.warmup_steps=-1", "schedule.warmup_steps is -1; it must be at least 0"},
  };
  for (const Case& c : cases) EXPECT_EQ(ErrorAfter({c.set}), c.error) << c.set;
  EXPECT_EQ(ErrorAfter({"schedule.kind=COSINE", "schedule.warmup_steps=5"}),
            "schedule.warmup_steps is 5; it must be less than steps, which is 5");
}

TEST(ValidateTrainConfig, NamesTheOptimizerFieldOutOfRange) {
  const Case cases[] = {
      {"optimizer.clip_global_norm=-1", "optimizer.clip_global_norm is -1; it must be at least 0"},
      {"optimizer.adafactor.decay_exponent=0",
       "optimizer.adafactor.decay_exponent is 0; it must be greater than 0"},
      {"optimizer.adafactor.clipping_threshold=-1",
       "optimizer.adafactor.clipping_threshold is -1; it must be at least 0"},
      {"optimizer.adafactor.epsilon_squared_gradient=0",
       "optimizer.adafactor.epsilon_squared_gradient is 0; it must be at least 1e-37"},
      {"optimizer.adafactor.epsilon_parameter=-1",
       "optimizer.adafactor.epsilon_parameter is -1; it must be at least 0"},
      {"optimizer.adafactor.min_dim_size_to_factor=0",
       "optimizer.adafactor.min_dim_size_to_factor is 0; it must be at least 1"},
      {"optimizer.adafactor.step_offset=-1",
       "optimizer.adafactor.step_offset is -1; it must be at least 0"},
      {"optimizer.adafactor.weight_decay_rate=1",
       "optimizer.adafactor.weight_decay_rate is 1; it must be at least 0 and less than 1"},
      {"optimizer.adamw.beta1=1",
       "optimizer.adamw.beta1 is 1; it must be at least 0 and less than 1"},
      {"optimizer.adamw.beta2=-1",
       "optimizer.adamw.beta2 is -1; it must be at least 0 and less than 1"},
      {"optimizer.adamw.epsilon=0", "optimizer.adamw.epsilon is 0; it must be greater than 0"},
      {"optimizer.adamw.weight_decay=-1",
       "optimizer.adamw.weight_decay is -1; it must be at least 0"},
  };
  for (const Case& c : cases) EXPECT_EQ(ErrorAfter({c.set}), c.error) << c.set;
}

}  // namespace
}  // namespace frond
