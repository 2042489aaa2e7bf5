// Times the ops on a GPU at mT5-XXL's widths, each beside the device's own copy bandwidth and
// matmul peak.
//
//     gpu_bench [--filter TEXT] [--repeats N] [--small]
//
// One JSON object a line: name, milliseconds (median), and where they apply tflops, share_of_peak
// (of the best product measured in this process), gbytes_per_second, share_of_copy. --small runs
// tiny shapes, to see that everything works.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/build_config.h"
#include "core/ops/attention.h"
#include "core/ops/cuda/cudnn_attention.h"
#include "core/ops/dropout.h"
#include "core/ops/elementwise.h"
#include "core/ops/embedding.h"
#include "core/ops/gated_gelu.h"
#include "core/ops/head_loss.h"
#include "core/ops/matmul_peak.h"
#include "core/ops/rms_norm.h"
#include "core/tensor/cuda_device.h"
#include "core/tensor/transfer.h"
#include "eval/greedy_decode.h"
#include "models/t5/t5_model.h"
#include "optim/adafactor.h"

namespace frond {
namespace {

struct Options {
  std::string filter;
  int repeats = 10;
  bool small = false;
};

// The widths of mT5-XXL, or tiny ones.
struct Sizes {
  int64_t tokens = 8192, d_model = 4096, d_ff = 10240, vocabulary = 250112, head_tokens = 2048;
  int heads = 64, head_dim = 64;
  std::vector<int32_t> lengths = {512, 1024, 2048};
  int64_t copy_bytes = int64_t{1} << 30;
};

class Bench {
 public:
  Bench(Context& ctx, const Options& options, const Sizes& sizes)
      : ctx_(ctx), options_(options), sizes_(sizes) {}

  Context& ctx() { return ctx_; }
  const Sizes& sizes() const { return sizes_; }

  // Finite values of a small range; contents do not matter for time, NaNs might.
  Tensor Values(Shape shape, DType dtype) {
    Tensor tensor(ctx_, shape, dtype);
    Fill(ctx_, 0.01, tensor);
    return tensor;
  }

  // Whether lines whose names begin with `name` may be asked for: plans take time to build.
  bool Selected(const std::string& name) const {
    for (const char* end : {" forward", " gradient"}) {
      if ((name + end).find(options_.filter) != std::string::npos) return true;
    }
    return false;
  }

  void Measure(const std::string& name, double flops, double bytes,
               const std::function<void()>& run) {
    if (name.find(options_.filter) == std::string::npos && name != "copy") return;
    const double seconds = Median(run);
    nlohmann::ordered_json line = {{"name", name}, {"milliseconds", seconds * 1e3}};
    if (flops > 0) {
      line["tflops"] = flops / seconds * 1e-12;
      if (peak_ > 0) line["share_of_peak"] = flops / seconds / peak_;
    }
    if (bytes > 0) {
      line["gbytes_per_second"] = bytes / seconds * 1e-9;
      if (copy_rate_ > 0) line["share_of_copy"] = bytes / seconds / copy_rate_;
    }
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
    if (name == "copy") copy_rate_ = bytes / seconds;
  }

  // The host's time of a single run.
  void MeasureOnce(const std::string& name, const std::function<void()>& run) {
    if (name.find(options_.filter) == std::string::npos) return;
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    std::printf(
        "%s\n",
        nlohmann::ordered_json{{"name", name}, {"milliseconds", time.count()}}.dump().c_str());
  }

  void MeasurePeak() {
    peak_ = 1e9 * MeasureMatMulPeak(ctx_, DType::kBF16);
    std::printf("%s\n",
                nlohmann::ordered_json{{"name", "matmul peak bf16"}, {"tflops", peak_ / 1e12}}
                    .dump()
                    .c_str());
  }

 private:
  // Of single runs; short ones are timed five at a time, so that the launch does not count.
  double Median(const std::function<void()>& run) {
    using Clock = std::chrono::steady_clock;
    run();
    Synchronize(ctx_);
    std::vector<double> seconds;
    constexpr int kRun = 5;
    for (int r = 0; r < options_.repeats; ++r) {
      const Clock::time_point begin = Clock::now();
      for (int i = 0; i < kRun; ++i) run();
      Synchronize(ctx_);
      seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count() / kRun);
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }

  Context& ctx_;
  const Options& options_;
  const Sizes& sizes_;
  double copy_rate_ = 0, peak_ = 0;
};

void BenchCopy(Bench& bench) {
  const int64_t words = bench.sizes().copy_bytes / 4;
  const Tensor a = bench.Values({words}, DType::kF32);
  Tensor b = bench.Values({words}, DType::kF32);
  bench.Measure("copy", 0, 8.0 * static_cast<double>(words), [&] { Copy(bench.ctx(), a, b); });
}

// y = x W^T, dx = dy W and dW += dy^T x of one linear layer.
void BenchLinear(Bench& bench, const std::string& name, int64_t in, int64_t out) {
  const int64_t tokens = bench.sizes().tokens;
  Tensor x = bench.Values({tokens, in}, DType::kBF16),
         y = bench.Values({tokens, out}, DType::kBF16);
  const Tensor w = bench.Values({out, in}, DType::kBF16);
  Tensor dw = bench.Values({out, in}, DType::kF32);
  const double flops = 2.0 * static_cast<double>(tokens * in) * static_cast<double>(out);
  Context& ctx = bench.ctx();
  bench.Measure("linear " + name + " forward", flops, 0,
                [&] { MatMul(ctx, x, Trans::kNo, w, Trans::kYes, Write::kAssign, y); });
  bench.Measure("linear " + name + " input gradient", flops, 0,
                [&] { MatMul(ctx, y, Trans::kNo, w, Trans::kNo, Write::kAssign, x); });
  bench.Measure("linear " + name + " weight gradient", flops, 0,
                [&] { MatMul(ctx, y, Trans::kYes, x, Trans::kNo, Write::kAccumulate, dw); });
}

// Segments of one length, end to end.
struct EqualSegments {
  EqualSegments(int64_t tokens, int32_t length) {
    for (int32_t at = 0; at + length <= tokens; at += length) {
      begin.push_back(at);
      end.push_back(at + length);
    }
  }
  void PutInto(AttentionSpec& spec) const {
    spec.query_begin = spec.key_begin = begin;
    spec.query_end = spec.key_end = end;
  }
  std::vector<int32_t> begin, end;
};

void BenchAttention(Bench& bench, const std::string& name, int32_t length, bool causal, bool bias,
                    float dropout) {
  const EqualSegments segments(bench.sizes().tokens, length);
  const int64_t tokens = segments.end.back();
  std::vector<uint64_t> keys(static_cast<size_t>(tokens));
  for (size_t t = 0; t < keys.size(); ++t) keys[t] = t;
  AttentionSpec spec = {.num_heads = bench.sizes().heads, .head_dim = bench.sizes().head_dim};
  spec.causal = causal;
  spec.bidirectional = !causal;
  segments.PutInto(spec);
  spec.dropout_rate = dropout;
  spec.key_token_keys = keys;
  const int64_t width = int64_t{spec.num_heads} * spec.head_dim;
  const auto make = [&](int64_t columns) { return bench.Values({tokens, columns}, DType::kBF16); };
  // Side by side, as the joined product of a layer writes them.
  const Tensor qkv = make(3 * width), dout = make(width);
  Tensor out = make(width), dqkv = make(3 * width);
  const auto part = [&](auto view, int64_t i) {
    return ColumnsOf(view, i * width, (i + 1) * width);
  };
  const ConstColumns q = part(qkv.view(), 0), k = part(qkv.view(), 1), v = part(qkv.view(), 2);
  const Columns dq = part(dqkv.view(), 0), dk = part(dqkv.view(), 1), dv = part(dqkv.view(), 2);
  Tensor lse = bench.Values({tokens, spec.num_heads}, DType::kF32);
  Tensor table, dtable;
  if (bias) {
    table = bench.Values({spec.num_buckets, spec.num_heads}, DType::kF32);
    dtable = bench.Values({spec.num_buckets, spec.num_heads}, DType::kF32);
  }
  const double pairs = AttentionPairs(spec);
  const std::string size = name + " " + std::to_string(length);
  bench.Measure(size + " forward", 4.0 * spec.head_dim * pairs, 0,
                [&] { Attention(bench.ctx(), q, k, v, table, spec, out, lse); });
  bench.Measure(size + " gradient", 10.0 * spec.head_dim * pairs, 0, [&] {
    AttentionGrad(bench.ctx(), dout, q, k, v, table, out, lse, spec, dq, dk, dv, dtable);
  });
}

// Cross-attention: as many targets as fit beside sources four times their length, in segments of
// `length` keys, whose lengths vary where `ragged`. Through cuDNN a line is the whole op: the
// masks, the scaled values and the plan's workspace, as in a training step.
struct CrossSegments {
  CrossSegments(int64_t tokens, int32_t length, bool ragged) {
    int32_t query = 0, key = 0;
    for (int32_t i = 0; key + length <= tokens; ++i) {
      // 1, 3/4 and 1/2 of the length in turn.
      const int32_t keys = ragged ? length - i % 3 * (length / 4) : length;
      query_begin.push_back(query);
      key_begin.push_back(key);
      query_end.push_back(query += std::max(keys / 4, 1));
      key_end.push_back(key += keys);
    }
  }
  void PutInto(AttentionSpec& spec) const {
    spec.query_begin = query_begin;
    spec.query_end = query_end;
    spec.key_begin = key_begin;
    spec.key_end = key_end;
  }
  std::vector<int32_t> query_begin, query_end, key_begin, key_end;
};

void BenchCrossAttention(Bench& bench, int32_t length, bool ragged, float dropout,
                         AttentionEngine engine) {
  const std::string of = engine == AttentionEngine::kCudnn ? "cudnn " : "";
  const std::string name = of + "attention cross" + (ragged ? " ragged" : "") +
                           (dropout > 0 ? " dropout " : " ") + std::to_string(length);
  if (!bench.Selected(name)) return;
  const CrossSegments segments(bench.sizes().tokens, length, ragged);
  const int64_t queries = segments.query_end.back(), keys = segments.key_end.back();
  std::vector<uint64_t> token_keys(static_cast<size_t>(keys));
  for (size_t t = 0; t < token_keys.size(); ++t) token_keys[t] = t;
  AttentionSpec spec = {.num_heads = bench.sizes().heads, .head_dim = bench.sizes().head_dim};
  segments.PutInto(spec);
  spec.dropout_rate = dropout;
  spec.key_token_keys = token_keys;
  spec.engine = engine;
  const int64_t width = int64_t{spec.num_heads} * spec.head_dim;
  const auto make = [&](int64_t rows, int64_t columns) {
    return bench.Values({rows, columns}, DType::kBF16);
  };
  // k and v side by side, as the joined product of a layer writes them.
  const Tensor q = make(queries, width), kv = make(keys, 2 * width), dout = make(queries, width);
  Tensor out = make(queries, width), dq = make(queries, width), dkv = make(keys, 2 * width);
  const ConstColumns k = ColumnsOf(kv.view(), 0, width), v = ColumnsOf(kv.view(), width, 2 * width);
  const Columns dk = ColumnsOf(dkv.view(), 0, width), dv = ColumnsOf(dkv.view(), width, 2 * width);
  Tensor lse = bench.Values({queries, spec.num_heads}, DType::kF32);
  const double pairs = AttentionPairs(spec);
  bench.Measure(name + " forward", 4.0 * spec.head_dim * pairs, 0,
                [&] { Attention(bench.ctx(), q, k, v, {}, spec, out, lse); });
  bench.Measure(name + " gradient", 10.0 * spec.head_dim * pairs, 0, [&] {
    AttentionGrad(bench.ctx(), dout, q, k, v, {}, out, lse, spec, dq, dk, dv, {});
  });
}

// Of the length of segments, both with dropout and without, equal and ragged.
void BenchCrossAttentions(Bench& bench, AttentionEngine engine) {
  if (engine == AttentionEngine::kCudnn) {
    // Builds a plan of each pass, each time anew.
    const auto build = [&] {
      return CheckCudnnAttention(bench.ctx(), DType::kBF16, bench.sizes().heads,
                                 bench.sizes().head_dim);
    };
    if (const absl::Status usable = build(); !usable.ok()) {
      std::fprintf(stderr, "gpu_bench: no cuDNN: %s\n", std::string(usable.message()).c_str());
      return;
    }
    bench.MeasureOnce("cudnn attention cross, two plans built", [&] { CHECK_OK(build()); });
  }
  for (const int32_t length : bench.sizes().lengths) {
    for (const bool ragged : {false, true}) {
      for (const float dropout : {0.0f, 0.1f}) {
        BenchCrossAttention(bench, length, ragged, dropout, engine);
      }
    }
  }
}

// BenchAttention through cuDNN: with a bias as a whole tensor of scores and its gradient as
// another, which spares it the work on buckets that ours does. Without cuDNN there are no such
// lines.
void BenchCudnnAttention(Bench& bench, const std::string& name, int32_t length, bool causal,
                         const cuda::CudnnAttentionOptions& options) {
  if constexpr (kHaveCudnn) {
    const EqualSegments segments(bench.sizes().tokens, length);
    AttentionSpec spec = {.num_heads = bench.sizes().heads, .head_dim = bench.sizes().head_dim};
    spec.causal = causal;
    segments.PutInto(spec);
    const std::string size = "cudnn " + name + " " + std::to_string(length);
    if (!bench.Selected(size)) return;
    const auto cudnn = cuda::CudnnAttention::Create(bench.ctx(), spec, options);
    if (!cudnn.ok()) {
      std::fprintf(stderr, "gpu_bench: %s: %s\n", size.c_str(), cudnn.status().ToString().c_str());
      return;
    }
    const Shape wide = {segments.end.back(), int64_t{spec.num_heads} * spec.head_dim};
    const auto make = [&] { return bench.Values(wide, DType::kBF16); };
    const Tensor q = make(), k = make(), v = make(), dout = make();
    Tensor out = make(), dq = make(), dk = make(), dv = make();
    const Shape scores = {options.bias ? spec.num_heads : 0, length, length};
    const Tensor bias = bench.Values(scores, DType::kBF16);
    Tensor dbias = bench.Values(scores, DType::kBF16);
    const double pairs = AttentionPairs(spec);
    bench.Measure(size + " forward", 4.0 * spec.head_dim * pairs, 0,
                  [&] { CHECK_OK((*cudnn)->Forward(bench.ctx(), q, k, v, bias, out)); });
    bench.Measure(size + " gradient", 10.0 * spec.head_dim * pairs, 0, [&] {
      CHECK_OK((*cudnn)->Gradient(bench.ctx(), dout, q, k, v, bias, out,
                                  {.dq = dq, .dk = dk, .dv = dv, .dbias = dbias}));
    });
  }
}

void BenchRows(Bench& bench) {
  Context& ctx = bench.ctx();
  const int64_t tokens = bench.sizes().tokens, d = bench.sizes().d_model, f = bench.sizes().d_ff;
  const double row = 2.0 * static_cast<double>(tokens * d),
               hidden = 2.0 * static_cast<double>(tokens * f);
  Tensor x = bench.Values({tokens, d}, DType::kBF16), y = bench.Values({tokens, d}, DType::kBF16);
  const Tensor scale = bench.Values({d}, DType::kF32);
  Tensor rstd = bench.Values({tokens}, DType::kF32), dscale = bench.Values({d}, DType::kF32);
  bench.Measure("rms_norm", 0, 2 * row, [&] { RmsNorm(ctx, x, scale, 1e-6f, y, rstd); });
  bench.Measure("rms_norm gradient", 0, 4 * row,
                [&] { RmsNormGrad(ctx, y, x, scale, rstd, Write::kAccumulate, x, dscale); });
  std::vector<uint64_t> keys(static_cast<size_t>(tokens), 7);
  bench.Measure("dropout_add", 0, 3 * row,
                [&] { DropoutAdd(ctx, x, {.rate = 0.1f, .key = 1, .token_keys = keys}, y, y); });
  Tensor both = bench.Values({tokens, 2 * f}, DType::kBF16);  // as joined products write them
  const Columns gate = ColumnsOf(both.view(), 0, f), up = ColumnsOf(both.view(), f, 2 * f);
  Tensor product = bench.Values({tokens, f}, DType::kBF16);
  bench.Measure("gated_gelu", 0, 3 * hidden, [&] { GatedGelu(ctx, gate, up, product); });
  bench.Measure("gated_gelu gradient", 0, 5 * hidden,
                [&] { GatedGeluGrad(ctx, product, gate, up, gate, up); });
  Tensor wide = bench.Values({tokens, d}, DType::kF32);
  bench.Measure("cast f32 to bf16", 0, 3 * row, [&] { Cast(ctx, wide, x); });
  bench.Measure("add f32", 0, 6 * row, [&] { AddScaled(ctx, 1, wide, Write::kAccumulate, wide); });
}

void BenchVocabulary(Bench& bench) {
  Context& ctx = bench.ctx();
  const Sizes& s = bench.sizes();
  const Tensor table = bench.Values({s.vocabulary, s.d_model}, DType::kF32);
  Tensor dtable = bench.Values({s.vocabulary, s.d_model}, DType::kF32);
  std::vector<int32_t> ids(static_cast<size_t>(s.head_tokens));
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int32_t>((i * 7919) % static_cast<size_t>(s.vocabulary));
  }
  Tensor x = bench.Values({s.head_tokens, s.d_model}, DType::kBF16);
  const double elements = static_cast<double>(s.head_tokens * s.d_model);
  bench.Measure("embedding", 0, 6 * elements, [&] { Embedding(ctx, table, ids, x); });
  bench.Measure("embedding gradient", 0, 10 * elements,
                [&] { EmbeddingGrad(ctx, x, ids, dtable); });

  PackedWeight packed;
  PackWeight(ctx, table, Trans::kYes, DType::kBF16, packed);
  const std::vector<double> weights(ids.size(), 1.0 / static_cast<double>(ids.size()));
  Tensor nll = bench.Values({s.head_tokens}, DType::kF32),
         log_z = bench.Values({s.head_tokens}, DType::kF32);
  Tensor dhidden = bench.Values({s.head_tokens, s.d_model}, DType::kBF16);
  const double flops = 6.0 * elements * static_cast<double>(s.vocabulary);
  bench.Measure("head and loss with gradients", flops, 0, [&] {
    HeadLoss(ctx, x, {.value = table, .forward = &packed, .backward = &packed}, ids, weights,
             {.z_loss = 1e-4}, nll, log_z, dhidden, dtable);
  });
}

void BenchOptimizer(Bench& bench) {
  ParamStore store(DType::kBF16);
  store.Add(Scope("w"), {.shape = {bench.sizes().d_ff, bench.sizes().d_model}});
  store.Allocate(bench.ctx());
  Param& param = *store.params()[0];
  Fill(bench.ctx(), 0.01, param.value);
  const Tensor grad = bench.Values(param.spec.shape, DType::kF32);
  Adafactor optimizer{AdafactorOptions{}};
  optimizer.Register(bench.ctx(), store);
  int64_t step = 0;
  // g is read three times, p twice and written once.
  bench.Measure("adafactor", 0, 6 * 4.0 * static_cast<double>(grad.view().num_elements()), [&] {
    optimizer.Update(bench.ctx(), param, grad, {.step = step++, .learning_rate = 1e-3});
  });
}

// The update of all parameters of a model, and greedy decoding of 16 prompts: small kernels, whose
// launches count. `how`: launched one by one, or as CUDA graphs, as the context does.
void BenchRepeatedWork(Bench& bench, const std::string& how, bool small) {
  Context& ctx = bench.ctx();
  T5Config config;           // mT5-small
  config.eos_token_id = -1;  // answers never end
  if (small) {
    config.vocab_size = 320;
    config.d_model = config.d_ff = 64;
    config.d_kv = 32;
    config.num_heads = 2;
    config.num_layers = config.num_decoder_layers = 1;
  }
  T5Model model(config, {.compute = DType::kBF16});
  model.params().Initialize(ctx, 1);
  model.params().PrepareCompute(ctx, /*for_training=*/false);
  Batch prompts;
  for (int e = 0; e < 16; ++e) {
    for (int t = 0; t < 32; ++t) prompts.source_ids.push_back(2 + (e * 31 + t * 7) % 300);
    prompts.source_offsets.push_back(static_cast<int32_t>(prompts.source_ids.size()));
    prompts.target_ids.push_back(1);
    prompts.target_offsets.push_back(static_cast<int32_t>(prompts.target_ids.size()));
  }
  const int64_t tokens = small ? 3 : 32;
  bench.Measure("decoding mt5-small, 16 x " + std::to_string(tokens) + " tokens, " + how, 0, 0,
                [&] { GreedyDecode(ctx, model, prompts, tokens); });
  Adafactor optimizer{AdafactorOptions{}};
  optimizer.Register(ctx, model.params());
  std::vector<Tensor> gradients;
  std::vector<ParamUpdate> updates;
  double elements = 0;
  for (const auto& param : model.params().params()) {
    gradients.push_back(bench.Values(param->shape, DType::kF32));
    updates.push_back({.param = param.get(), .master = param->master(), .grad = gradients.back()});
    elements += static_cast<double>(param->shape.num_elements());
  }
  int64_t step = 0;
  bench.Measure("adafactor mt5-small, all parameters, " + how, 0, 6 * 4.0 * elements,
                [&] { optimizer.Update(ctx, updates, {.step = step++, .learning_rate = 1e-3}); });
}

int Run(const Options& options) {
  std::string why;
  if (CudaDeviceCount(&why) == 0) {
    std::fprintf(stderr, "gpu_bench: no GPU: %s\n", why.c_str());
    return 2;
  }
  absl::StatusOr<std::unique_ptr<Allocator>> memory = CreateCudaAllocator(0);
  CHECK_OK(memory.status());
  Context ctx(**memory);
  Sizes sizes;
  if (options.small) {
    sizes = {
        .tokens = 128, .d_model = 64, .d_ff = 96, .vocabulary = 300, .head_tokens = 40, .heads = 2};
    sizes.lengths = {64};
    sizes.copy_bytes = 1 << 16;
  }
  Bench bench(ctx, options, sizes);
  const absl::StatusOr<CudaDeviceInfo> device = ReadCudaDevice(0);
  std::printf("%s\n", nlohmann::ordered_json{{"device", device->name}}.dump().c_str());
  BenchCopy(bench);
  if (!options.small) bench.MeasurePeak();
  const int64_t inner = int64_t{sizes.heads} * sizes.head_dim;
  BenchLinear(bench, "q", sizes.d_model, inner);
  BenchLinear(bench, "qkv joined", sizes.d_model, 3 * inner);
  BenchLinear(bench, "wi", sizes.d_model, sizes.d_ff);
  BenchLinear(bench, "wi joined", sizes.d_model, 2 * sizes.d_ff);
  BenchLinear(bench, "wo", sizes.d_ff, sizes.d_model);
  for (const int32_t length : sizes.lengths) {
    BenchAttention(bench, "attention encoder", length, false, true, 0);
    BenchAttention(bench, "attention decoder", length, true, true, 0);
    BenchAttention(bench, "attention without bias", length, false, false, 0);
    BenchAttention(bench, "attention encoder dropout", length, false, true, 0.1f);
  }
  BenchCrossAttentions(bench, AttentionEngine::kFrond);
  BenchRows(bench);
  BenchOptimizer(bench);
  BenchVocabulary(bench);
  BenchRepeatedWork(bench, "launch by launch", options.small);
  {
    const auto graph_memory = CreateCudaAllocator(0, {.graphs = true});
    CHECK_OK(graph_memory.status());
    Context graph_ctx(**graph_memory);
    Bench graph_bench(graph_ctx, options, sizes);
    BenchRepeatedWork(graph_bench, "CUDA graphs", options.small);
  }
  // Last: what goes wrong in there costs no other line.
  for (const int32_t length : sizes.lengths) {
    BenchCudnnAttention(bench, "attention encoder", length, false, {.bias = true});
    BenchCudnnAttention(bench, "attention decoder", length, true, {.bias = true});
    BenchCudnnAttention(bench, "attention without bias", length, false, {});
    BenchCudnnAttention(bench, "attention without bias, repeatable", length, false,
                        {.deterministic = true});
  }
  BenchCrossAttentions(bench, AttentionEngine::kCudnn);
  return 0;
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--small") {
      options.small = true;
      options.repeats = 1;
    } else if (flag == "--filter" && i + 1 < argc) {
      options.filter = argv[++i];
    } else if (flag == "--repeats" && i + 1 < argc) {
      options.repeats = std::max(1, std::atoi(argv[++i]));
    } else {
      std::fprintf(stderr, "usage: gpu_bench [--filter TEXT] [--repeats N] [--small]\n");
      std::exit(2);
    }
  }
  return options;
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Run(frond::ParseOptions(argc, argv)); }
