#include "configs/train_validation.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "configs/field_words.h"
#include "configs/mixture_sources.h"
#include "configs/source_schemas.h"
#include "configs/template_fields.h"
#include "core/base/status_macros.h"
#include "google/protobuf/descriptor.h"

namespace frond {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A token's dropout key is its example's number times this plus its place in the example.
constexpr int64_t kMaxTokens = int64_t{1} << 20;
// Offsets of tokens in a batch are 32 bits wide.
constexpr int64_t kMaxChunkTokens = (int64_t{1} << 31) - 1;
// A decoder's cache holds this many tokens of every sequence of a batch.
constexpr int64_t kMaxNewTokens = int64_t{1} << 16;
// It keeps zero gradients from dividing zero by zero, so it must be a number in f32.
constexpr double kLeastSquaredGradient = 1e-37;

absl::Status Missing(absl::string_view path, absl::string_view right) {
  return absl::InvalidArgumentError(absl::StrCat(path, " is missing; ", right));
}

absl::Status Wrong(absl::string_view path, absl::string_view value, absl::string_view right) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is ", OneLine(value), "; it must be ", right));
}

absl::Status AtLeast(absl::string_view path, double value, double low) {
  if (value >= low) return absl::OkStatus();
  return Wrong(path, absl::StrCat(value), absl::StrCat("at least ", low));
}

absl::Status Between(absl::string_view path, int64_t value, int64_t low, int64_t high) {
  RETURN_IF_ERROR(AtLeast(path, static_cast<double>(value), static_cast<double>(low)));
  if (value <= high) return absl::OkStatus();
  return Wrong(path, absl::StrCat(value), absl::StrCat("at most ", high));
}

absl::Status Above(absl::string_view path, double value, double low) {
  if (value > low) return absl::OkStatus();
  return Wrong(path, absl::StrCat(value), absl::StrCat("greater than ", low));
}

// A probability-like value: 0 <= value < 1.
absl::Status BelowOne(absl::string_view path, double value) {
  if (value >= 0 && value < 1) return absl::OkStatus();
  return Wrong(path, absl::StrCat(value), "at least 0 and less than 1");
}

absl::Status Finite(absl::string_view path, double value) {
  if (std::isfinite(value)) return absl::OkStatus();
  return Wrong(path, absl::StrCat(value), "a finite number");
}

// No number anywhere is NaN or infinite, so that the ranges below can be plain comparisons.
absl::Status AllFinite(const std::string& path, const Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = absl::StrCat(path, path.empty() ? "" : ".", field->name());
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
      RETURN_IF_ERROR(Finite(name, reflection.GetDouble(message, field)));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
      RETURN_IF_ERROR(Finite(name, reflection.GetFloat(message, field)));
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    } else if (!field->is_repeated()) {
      RETURN_IF_ERROR(AllFinite(name, reflection.GetMessage(message, field)));
    } else {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        RETURN_IF_ERROR(AllFinite(absl::StrCat(name, "[", i, "]"),
                                  reflection.GetRepeatedMessage(message, field, i)));
      }
    }
  }
  return absl::OkStatus();
}

// What ranks share beside the rows of the data.
absl::Status CheckSharing(const config::TrainConfig& config) {
  const int32_t stage = config.mesh().zero_stage();
  if (stage != 0 && stage != 2) return Wrong("mesh.zero_stage", absl::StrCat(stage), "0 or 2");
  if (config.mesh().sequence_parallel() && config.model().chunk_tokens() > 0) {
    return Wrong("model.chunk_tokens", absl::StrCat(config.model().chunk_tokens()),
                 "0 with mesh.sequence_parallel, whose ranks share the tokens already");
  }
  return absl::OkStatus();
}

// Graphs hold what a rank does alone on its GPU.
absl::Status CheckCudaGraphs(const config::TrainConfig& config) {
  if (!config.cuda_graphs()) return absl::OkStatus();
  if (config.device() != config::CUDA) {
    return Wrong("device", config::Device_Name(config.device()), "CUDA with cuda_graphs");
  }
  if (config.mesh().tensor() > 1) {
    return Wrong("mesh.tensor", absl::StrCat(config.mesh().tensor()),
                 "1 with cuda_graphs, which hold no sums over ranks");
  }
  if (config.mesh().zero_stage() != 0) {
    return Wrong("mesh.zero_stage", absl::StrCat(config.mesh().zero_stage()),
                 "0 with cuda_graphs, which hold no sums over ranks");
  }
  return absl::OkStatus();
}

absl::Status CheckRun(const config::TrainConfig& config) {
  if (config.work_dir().empty()) return Missing("work_dir", "name the folder the run lives in");
  if (!config.has_steps()) return Missing("steps", "say how many optimizer updates the run has");
  RETURN_IF_ERROR(AtLeast("steps", config.steps(), 1));
  if (!config.batch().has_rows()) return Missing("batch.rows", "say how many rows a step has");
  RETURN_IF_ERROR(AtLeast("batch.rows", config.batch().rows(), 1));
  RETURN_IF_ERROR(AtLeast("batch.micro_batches", config.batch().micro_batches(), 1));
  RETURN_IF_ERROR(AtLeast("mesh.data", config.mesh().data(), 0));
  RETURN_IF_ERROR(AtLeast("mesh.tensor", config.mesh().tensor(), 1));
  RETURN_IF_ERROR(CheckSharing(config));
  RETURN_IF_ERROR(CheckCudaGraphs(config));
  RETURN_IF_ERROR(
      Above("mesh.collective_timeout_seconds", config.mesh().collective_timeout_seconds(), 0));
  RETURN_IF_ERROR(AtLeast("checkpoint.every_steps", config.checkpoint().every_steps(), 1));
  RETURN_IF_ERROR(AtLeast("checkpoint.keep_last", config.checkpoint().keep_last(), 1));
  RETURN_IF_ERROR(AtLeast("report.every_steps", config.report().every_steps(), 1));
  return Between("threads", config.threads(), 0, 1024);
}

absl::Status CheckShape(const config::T5Shape& shape, bool complete) {
  const google::protobuf::Reflection& reflection = *shape.GetReflection();
  for (int i = 0; i < shape.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = shape.GetDescriptor()->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_INT64) continue;
    const std::string path = absl::StrCat("model.shape.", field->name());
    if (reflection.HasField(shape, field)) {
      RETURN_IF_ERROR(AtLeast(path, reflection.GetInt64(shape, field), 1));
      continue;
    }
    const bool has_own_default =
        field->name() == "vocab_size" || field->name() == "num_decoder_layers";
    if (complete && !has_own_default) {
      return Missing(path, "a shape without model.preset must name it");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckModel(const config::Model& model) {
  const bool fresh = !model.preset().empty() || model.has_shape();
  if (model.path().empty() && !fresh) {
    return Missing("model.path", "name a model folder, or set model.preset or model.shape");
  }
  if (!model.path().empty() && fresh) {
    return Wrong("model.path", absl::StrCat("\"", model.path(), "\""),
                 "left out where model.preset or model.shape ask for a fresh model");
  }
  if (model.has_shape()) RETURN_IF_ERROR(CheckShape(model.shape(), model.preset().empty()));
  if (model.masters() != config::Model::F32 && model.compute() != config::BF16) {
    return Wrong("model.masters", config::Model::Masters_Name(model.masters()),
                 "F32 unless model.compute is BF16");
  }
  if (model.cross_attention() == config::Model::CUDNN && model.compute() != config::BF16) {
    return Wrong("model.cross_attention", "CUDNN", "FROND unless model.compute is BF16");
  }
  if (model.cross_attention() == config::Model::CUDNN && model.f32_activations()) {
    return Wrong("model.cross_attention", "CUDNN", "FROND where model.f32_activations is true");
  }
  if (model.f32_activations() && model.compute() != config::BF16) {
    return Wrong("model.f32_activations", "true", "false unless model.compute is BF16");
  }
  RETURN_IF_ERROR(Between("model.chunk_tokens", model.chunk_tokens(), 0, kMaxChunkTokens));
  if (model.chunk_tokens() > 0 && model.recompute() != config::BLOCK) {
    return Wrong("model.chunk_tokens", absl::StrCat(model.chunk_tokens()),
                 "0 unless model.recompute is BLOCK");
  }
  return BelowOne("model.dropout", model.dropout());
}

// What the model asks of the device.
absl::Status CheckDevice(const config::TrainConfig& config) {
  if (config.model().cross_attention() == config::Model::CUDNN && config.device() == config::CPU) {
    return Wrong("model.cross_attention", "CUDNN", "FROND unless device is CUDA or AUTO");
  }
  return absl::OkStatus();
}

absl::Status CheckSources(absl::string_view list,
                          const google::protobuf::RepeatedPtrField<config::Source>& sources) {
  std::map<std::string, std::string> path_of_name;
  double total = 0;
  for (int i = 0; i < sources.size(); ++i) {
    const config::Source& source = sources[i];
    const std::string at = absl::StrCat(list, "[", i, "]");
    if (source.path_size() == 0) return Missing(at + ".path", "name its files");
    RETURN_IF_ERROR(CheckReading(at, source));
    for (int k = 0; k < source.path_size(); ++k) {
      if (!source.path(k).empty()) continue;
      return Wrong(absl::StrCat(at, ".path[", k, "]"), "empty", "a file or a glob");
    }
    if (source.name().empty()) return Missing(at + ".name", "its path gives it no name");
    const auto [other, is_new] = path_of_name.emplace(source.name(), at);
    if (!is_new) {
      return Wrong(at + ".name", absl::StrCat("\"", source.name(), "\""),
                   absl::StrCat("another name than that of ", other->second));
    }
    RETURN_IF_ERROR(AtLeast(at + ".weight", source.weight(), 0));
    total += source.weight();
    if (source.fields().inputs().empty()) return Missing(at + ".fields.inputs", "name a field");
    if (source.fields().targets().empty()) return Missing(at + ".fields.targets", "name a field");
    RETURN_IF_ERROR(ValidateTemplates(at, source));
  }
  if (!sources.empty() && total == 0) {
    return Wrong(absl::StrCat("the sum of ", list, ".weight"), "0",
                 "greater than 0: give at least one source a weight");
  }
  return Finite(absl::StrCat("the sum of ", list, ".weight"), total);
}

absl::Status CheckData(const config::TrainConfig& config) {
  const config::Data& data = config.data();
  if (data.has_mixture() && !data.source().empty()) {
    return Wrong("data.source", absl::StrCat("a list of ", data.source_size()),
                 "left out where data.mixture has the datasets");
  }
  if (data.has_mixture()) {
    RETURN_IF_ERROR(ValidateMixture(data.mixture()));
  } else if (data.source().empty()) {
    return Missing("data.source", "name at least one source with a path");
  }
  RETURN_IF_ERROR(CheckSources("data.source", data.source()));
  if (data.tokenizer().empty() && config.model().path().empty()) {
    return Missing("data.tokenizer", "without model.path it must name a SentencePiece model");
  }
  RETURN_IF_ERROR(Between("data.source_length", data.source_length(), 1, kMaxTokens));
  RETURN_IF_ERROR(Between("data.target_length", data.target_length(), 1, kMaxTokens));
  return AtLeast("data.window", data.window(), 1);
}

absl::Status CheckEvaluation(const config::Evaluation& eval) {
  RETURN_IF_ERROR(AtLeast("eval.every_steps", eval.every_steps(), 0));
  if (eval.every_steps() > 0 && eval.source().empty()) {
    return Missing("eval.source", absl::StrCat("eval.every_steps is ", eval.every_steps(),
                                               ", so name what is evaluated"));
  }
  RETURN_IF_ERROR(CheckSources("eval.source", eval.source()));
  RETURN_IF_ERROR(AtLeast("eval.max_examples_per_language", eval.max_examples_per_language(), 0));
  RETURN_IF_ERROR(Between("eval.max_new_tokens", eval.max_new_tokens(), 1, kMaxNewTokens));
  return AtLeast("eval.batch_tokens", eval.batch_tokens(), 1);
}

// The ranges of optimizers and schedules are those of optim/.
absl::Status CheckAdafactor(const config::Adafactor& adafactor) {
  const std::string at = "optimizer.adafactor.";
  RETURN_IF_ERROR(Above(at + "decay_exponent", adafactor.decay_exponent(), 0));
  RETURN_IF_ERROR(AtLeast(at + "clipping_threshold", adafactor.clipping_threshold(), 0));
  RETURN_IF_ERROR(AtLeast(at + "epsilon_squared_gradient", adafactor.epsilon_squared_gradient(),
                          kLeastSquaredGradient));
  RETURN_IF_ERROR(AtLeast(at + "epsilon_parameter", adafactor.epsilon_parameter(), 0));
  RETURN_IF_ERROR(AtLeast(at + "min_dim_size_to_factor", adafactor.min_dim_size_to_factor(), 1));
  RETURN_IF_ERROR(AtLeast(at + "step_offset", adafactor.step_offset(), 0));
  return BelowOne(at + "weight_decay_rate", adafactor.weight_decay_rate());
}

absl::Status CheckOptimizer(const config::Optimizer& optimizer) {
  RETURN_IF_ERROR(AtLeast("optimizer.clip_global_norm", optimizer.clip_global_norm(), 0));
  if (!optimizer.has_adamw()) return CheckAdafactor(optimizer.adafactor());
  const config::AdamW& adamw = optimizer.adamw();
  RETURN_IF_ERROR(BelowOne("optimizer.adamw.beta1", adamw.beta1()));
  RETURN_IF_ERROR(BelowOne("optimizer.adamw.beta2", adamw.beta2()));
  RETURN_IF_ERROR(Above("optimizer.adamw.epsilon", adamw.epsilon(), 0));
  return AtLeast("optimizer.adamw.weight_decay", adamw.weight_decay(), 0);
}

// The first update comes before the last gradient is known.
absl::Status CheckUpdateInBackward(const config::TrainConfig& config) {
  if (!config.optimizer().update_in_backward()) return absl::OkStatus();
  const double norm = config.optimizer().clip_global_norm();
  if (norm > 0) {
    return Wrong("optimizer.clip_global_norm", absl::StrCat(norm),
                 "0 with optimizer.update_in_backward, which never has all gradients at once");
  }
  const int32_t micro_batches = config.batch().micro_batches();
  if (micro_batches > 1) {
    return Wrong("batch.micro_batches", absl::StrCat(micro_batches),
                 "1 with optimizer.update_in_backward; to bound activations set model.recompute "
                 "to BLOCK and model.chunk_tokens instead");
  }
  return absl::OkStatus();
}

absl::Status CheckSchedule(const config::TrainConfig& config) {
  const config::Schedule& schedule = config.schedule();
  RETURN_IF_ERROR(AtLeast("schedule.learning_rate", schedule.learning_rate(), 0));
  RETURN_IF_ERROR(AtLeast("schedule.final_learning_rate", schedule.final_learning_rate(), 0));
  RETURN_IF_ERROR(AtLeast("schedule.warmup_steps", schedule.warmup_steps(), 0));
  const bool ends =
      schedule.kind() == config::Schedule::LINEAR || schedule.kind() == config::Schedule::COSINE;
  if (ends && schedule.warmup_steps() >= config.steps()) {
    return Wrong("schedule.warmup_steps", absl::StrCat(schedule.warmup_steps()),
                 absl::StrCat("less than steps, which is ", config.steps()));
  }
  return AtLeast("loss.z_loss", config.loss().z_loss(), 0);
}

}  // namespace

absl::Status ValidateTrainConfig(const config::TrainConfig& config) {
  RETURN_IF_ERROR(AllFinite("", config));
  RETURN_IF_ERROR(CheckRun(config));
  RETURN_IF_ERROR(CheckModel(config.model()));
  RETURN_IF_ERROR(CheckDevice(config));
  RETURN_IF_ERROR(CheckData(config));
  RETURN_IF_ERROR(CheckEvaluation(config.eval()));
  RETURN_IF_ERROR(CheckOptimizer(config.optimizer()));
  RETURN_IF_ERROR(CheckUpdateInBackward(config));
  return CheckSchedule(config);
}

}  // namespace frond
