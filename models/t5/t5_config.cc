#include "models/t5/t5_config.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

struct Size {
  const char* name;
  int64_t d_model, d_ff, num_heads, num_layers;
};
// d_kv is 64 in all of them. "small" is T5 v1.1's, with 6 heads and 8 layers.
constexpr Size kSizes[] = {
    {"small", 512, 1024, 6, 8}, {"base", 768, 2048, 12, 12},  {"large", 1024, 2816, 16, 24},
    {"xl", 2048, 5120, 32, 24}, {"xxl", 4096, 10240, 64, 24},
};

// A field of config.json and where it goes.
absl::Status ReadInteger(const Json& json, const char* name, absl::string_view origin,
                         int64_t& value) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return absl::OkStatus();
  if (!found->is_number_integer()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field '", name, "' is ", found->dump(), ", expected an integer"));
  }
  value = found->get<int64_t>();
  return absl::OkStatus();
}

absl::Status ReadToken(const Json& json, const char* name, absl::string_view origin,
                       int32_t& value) {
  int64_t wide = value;
  RETURN_IF_ERROR(ReadInteger(json, name, origin, wide));
  if (wide < 0 || wide > INT32_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field '", name, "' is ", wide, ", expected a token id"));
  }
  value = static_cast<int32_t>(wide);
  return absl::OkStatus();
}

absl::Status ReadFloat(const Json& json, const char* name, absl::string_view origin, float& value) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return absl::OkStatus();
  if (!found->is_number()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field '", name, "' is ", found->dump(), ", expected a number"));
  }
  value = found->get<float>();
  return absl::OkStatus();
}

std::string TextField(const Json& json, const char* name, const char* otherwise) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

absl::Status CheckArchitecture(const Json& json, absl::string_view origin) {
  const std::string type = TextField(json, "model_type", "");
  if (type != "mt5" && type != "t5") {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": model_type '", type, "' is not supported, expected mt5 or t5"));
  }
  const std::string projection = TextField(json, "feed_forward_proj", "relu");
  if (projection != "gated-gelu") {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": feed_forward_proj '", projection,
                     "' is not supported; T5 v1.1 and mT5 use gated-gelu"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<T5Config> T5Preset(absl::string_view name) {
  std::vector<std::string> names;
  for (const char* family : {"mt5-", "t5-v1_1-"}) {
    const bool is_mt5 = absl::string_view(family) == "mt5-";
    for (const Size& size : kSizes) {
      names.push_back(absl::StrCat(family, size.name));
      if (names.back() != name) continue;
      T5Config config;
      config.vocab_size = is_mt5 ? 250112 : 32128;
      config.model_type = is_mt5 ? "mt5" : "t5";
      config.d_model = size.d_model;
      config.d_ff = size.d_ff;
      config.num_heads = size.num_heads;
      config.num_layers = config.num_decoder_layers = size.num_layers;
      return config;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown model preset '", name, "'; did you mean '", NearestName(name, names), "'?"));
}

absl::Status ValidateT5Config(const T5Config& config) {
  const std::pair<const char*, int64_t> sizes[] = {
      {"vocab_size", config.vocab_size},
      {"d_model", config.d_model},
      {"d_kv", config.d_kv},
      {"d_ff", config.d_ff},
      {"num_heads", config.num_heads},
      {"num_layers", config.num_layers},
      {"num_decoder_layers", config.num_decoder_layers},
      {"relative_attention_max_distance", config.relative_attention_max_distance},
  };
  for (const auto& [name, value] : sizes) {
    if (value <= 0 || value > (int64_t{1} << 24)) {
      return absl::InvalidArgumentError(
          absl::StrCat("model field ", name, " is ", value, ", expected 1 to 16777216"));
    }
  }
  const int64_t buckets = config.relative_attention_num_buckets;
  if (buckets < 4 || buckets % 2 != 0 || buckets > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("model field relative_attention_num_buckets is ",
                                                   buckets,
                                                   ", expected an even number from 4 to 1024"));
  }
  for (const int32_t id :
       {config.pad_token_id, config.eos_token_id, config.decoder_start_token_id}) {
    if (id < 0 || id >= config.vocab_size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "special token id ", id, " is outside the vocabulary of ", config.vocab_size));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<T5Config> T5ConfigFromJson(absl::string_view text, absl::string_view origin) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": not a JSON object"));
  }
  RETURN_IF_ERROR(CheckArchitecture(json, origin));
  T5Config config;
  config.model_type = TextField(json, "model_type", "mt5");
  config.num_decoder_layers = 0;
  const std::pair<const char*, int64_t*> integers[] = {
      {"vocab_size", &config.vocab_size},
      {"d_model", &config.d_model},
      {"d_kv", &config.d_kv},
      {"d_ff", &config.d_ff},
      {"num_heads", &config.num_heads},
      {"num_layers", &config.num_layers},
      {"num_decoder_layers", &config.num_decoder_layers},
      {"relative_attention_num_buckets", &config.relative_attention_num_buckets},
      {"relative_attention_max_distance", &config.relative_attention_max_distance},
  };
  for (const auto& [name, value] : integers) {
    RETURN_IF_ERROR(ReadInteger(json, name, origin, *value));
  }
  if (config.num_decoder_layers == 0) config.num_decoder_layers = config.num_layers;
  RETURN_IF_ERROR(ReadFloat(json, "layer_norm_epsilon", origin, config.layer_norm_epsilon));
  RETURN_IF_ERROR(ReadFloat(json, "dropout_rate", origin, config.dropout_rate));
  RETURN_IF_ERROR(ReadToken(json, "pad_token_id", origin, config.pad_token_id));
  RETURN_IF_ERROR(ReadToken(json, "eos_token_id", origin, config.eos_token_id));
  RETURN_IF_ERROR(ReadToken(json, "decoder_start_token_id", origin, config.decoder_start_token_id));
  const auto tied = json.find("tie_word_embeddings");
  // Without the field, Hugging Face's default for mt5 is untied, for t5 tied.
  config.tied_head =
      tied != json.end() && tied->is_boolean() ? tied->get<bool>() : config.model_type == "t5";
  const auto scaled = json.find("scale_decoder_outputs");
  config.scale_decoder_output = scaled != json.end() && scaled->is_boolean()
                                    ? scaled->get<bool>()
                                    : config.tied_head && config.model_type == "t5";
  RETURN_IF_ERROR(ValidateT5Config(config));
  return config;
}

absl::Status CheckTensorAxis(const T5Config& config, int64_t ranks) {
  struct Split {
    const char* name;
    int64_t count;
  };
  for (const Split& split : {Split{"num_heads", config.num_heads}, Split{"d_ff", config.d_ff},
                             Split{"vocab_size", config.vocab_size}}) {
    if (split.count % ranks == 0) continue;
    const int64_t all = std::gcd(std::gcd(config.num_heads, config.d_ff), config.vocab_size);
    return absl::InvalidArgumentError(
        absl::StrCat("mesh.tensor is ", ranks, ", but the model's ", split.name, " = ", split.count,
                     " is no multiple of it; it must divide ", all, " for this model"));
  }
  return absl::OkStatus();
}

std::string T5ConfigToJson(const T5Config& config) {
  const bool is_mt5 = config.model_type == "mt5";
  Json json;
  json["architectures"] = {is_mt5 ? "MT5ForConditionalGeneration" : "T5ForConditionalGeneration"};
  json["model_type"] = config.model_type;
  json["vocab_size"] = config.vocab_size;
  json["d_model"] = config.d_model;
  json["d_kv"] = config.d_kv;
  json["d_ff"] = config.d_ff;
  json["num_heads"] = config.num_heads;
  json["num_layers"] = config.num_layers;
  json["num_decoder_layers"] = config.num_decoder_layers;
  json["relative_attention_num_buckets"] = config.relative_attention_num_buckets;
  json["relative_attention_max_distance"] = config.relative_attention_max_distance;
  // Doubles made from the decimal text, so that 1e-6 is not written as 9.99999997e-07.
  json["layer_norm_epsilon"] = std::stod(absl::StrCat(config.layer_norm_epsilon));
  json["dropout_rate"] = std::stod(absl::StrCat(config.dropout_rate));
  json["feed_forward_proj"] = "gated-gelu";
  json["dense_act_fn"] = "gelu_new";
  json["is_gated_act"] = true;
  json["is_encoder_decoder"] = true;
  json["tie_word_embeddings"] = config.tied_head;
  json["scale_decoder_outputs"] = config.scale_decoder_output;
  json["initializer_factor"] = 1.0;
  json["pad_token_id"] = config.pad_token_id;
  json["eos_token_id"] = config.eos_token_id;
  json["decoder_start_token_id"] = config.decoder_start_token_id;
  json["use_cache"] = true;
  json["torch_dtype"] = "float32";
  return json.dump(2) + "\n";
}

int64_t T5ParameterCount(const T5Config& c) {
  const int64_t attention = 4 * c.d_model * c.inner_dim() + c.d_model;  // with its norm
  const int64_t feed_forward = 3 * c.d_model * c.d_ff + c.d_model;
  const int64_t encoder = c.num_layers * (attention + feed_forward) + c.d_model;
  const int64_t decoder = c.num_decoder_layers * (2 * attention + feed_forward) + c.d_model;
  const int64_t tables = 2 * c.relative_attention_num_buckets * c.num_heads;
  return encoder + decoder + tables + (c.tied_head ? 1 : 2) * c.vocab_size * c.d_model;
}

double T5ForwardFlops(const T5Config& c, int64_t source, int64_t target) {
  const double s = static_cast<double>(source), t = static_cast<double>(target);
  const double d = static_cast<double>(c.d_model), inner = static_cast<double>(c.inner_dim());
  const double ffn = 3 * d * static_cast<double>(c.d_ff);
  const double encoder_layers = static_cast<double>(c.num_layers);
  const double decoder_layers = static_cast<double>(c.num_decoder_layers);
  const double encoder = encoder_layers * (2 * s * (4 * d * inner + ffn) + 4 * inner * s * s);
  const double cross_keys = decoder_layers * 2 * s * 2 * d * inner;
  const double decoder =
      decoder_layers * (2 * t * (6 * d * inner + ffn) + 4 * inner * (t * t + t * s));
  return encoder + cross_keys + decoder + 2 * t * d * static_cast<double>(c.vocab_size);
}

}  // namespace frond
