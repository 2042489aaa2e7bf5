// frond score: a model's loss and EL2N of each row of instruction data, for the rules of
// `frond prune` that choose by score.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/batch_builder.h"
#include "data/line_writer.h"
#include "dist/local_communicator.h"
#include "eval/example_scores.h"
#include "launch/command.h"
#include "launch/compute_device.h"
#include "launch/model_folder.h"
#include "launch/prune_config.h"
#include "mixtures/pruning/row_rounds.h"

namespace frond {
namespace {

// Rows that wait to be sorted by length, so that batches hold rows of similar lengths.
constexpr size_t kMaxWaiting = 4096;

// Scores rows in blocks and writes them in their order.
class RowScorer {
 public:
  RowScorer(Context& ctx, const ModelFolder& folder, const SideLengths& limits,
            int64_t batch_tokens, LineWriter& writer)
      : ctx_(ctx),
        folder_(folder),
        builder_(limits),
        batch_tokens_(static_cast<size_t>(batch_tokens)),
        writer_(writer) {}

  absl::Status Take(const LookedRow& row) {
    waiting_.push_back(
        {.hash = Hash64(row.line), .inputs = row.example.inputs, .targets = row.example.targets});
    return waiting_.size() < kMaxWaiting ? absl::OkStatus() : Flush();
  }

  absl::Status Flush() {
    const std::vector<Encoded> encoded = Encode();
    std::vector<ExampleScore> scores(encoded.size());
    for (const std::vector<size_t>& numbers : Batches(encoded)) {
      for (const size_t i : numbers) builder_.Append(encoded[i].source, encoded[i].target, i, 0);
      const std::vector<ExampleScore> found = ScoreExamples(ctx_, *folder_.model, builder_.Take());
      for (size_t k = 0; k < numbers.size(); ++k) scores[numbers[k]] = found[k];
    }
    for (size_t i = 0; i < scores.size(); ++i) {
      loss_ += scores[i].loss;
      el2n_ += scores[i].el2n;
      RETURN_IF_ERROR(writer_.Append(absl::StrFormat(
          R"({"hash": "%s", "loss": %.6g, "el2n": %.6g, "tokens": %d})",
          HashToHex(waiting_[i].hash), scores[i].loss, scores[i].el2n, encoded[i].target.size())));
    }
    rows_ += static_cast<int64_t>(scores.size());
    waiting_.clear();
    return absl::OkStatus();
  }

  int64_t rows() const { return rows_; }
  double mean_loss() const { return loss_ / static_cast<double>(rows_); }
  double mean_el2n() const { return el2n_ / static_cast<double>(rows_); }
  const TruncationCount& truncation() const { return builder_.truncation(); }

 private:
  struct Row {
    uint64_t hash;
    std::string inputs, targets;
  };
  struct Encoded {
    std::vector<int32_t> source, target;
  };

  std::vector<Encoded> Encode() const {
    std::vector<Encoded> encoded(waiting_.size());
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < waiting_.size(); ++i) {
      const Tokenizer& tokenizer = *folder_.tokenizer;
      encoded[i] = {tokenizer.EncodeWithEos(waiting_[i].inputs),
                    tokenizer.EncodeWithEos(waiting_[i].targets)};
    }
    return encoded;
  }

  // Numbers of rows, cut into batches of similar lengths.
  std::vector<std::vector<size_t>> Batches(const std::vector<Encoded>& encoded) const {
    const auto size = [&](size_t i) { return encoded[i].source.size() + encoded[i].target.size(); };
    std::vector<size_t> order(encoded.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return size(a) < size(b); });
    std::vector<std::vector<size_t>> batches;
    size_t tokens = batch_tokens_;
    for (const size_t i : order) {
      if (batches.empty() || tokens + size(i) > batch_tokens_) {
        batches.emplace_back();
        tokens = 0;
      }
      batches.back().push_back(i);
      tokens += size(i);
    }
    return batches;
  }

  Context& ctx_;
  const ModelFolder& folder_;
  BatchBuilder builder_;
  size_t batch_tokens_;
  LineWriter& writer_;
  std::vector<Row> waiting_;
  int64_t rows_ = 0;
  double loss_ = 0;
  double el2n_ = 0;
};

absl::Status ScoreAll(const Flags& flags, const PruneOptions& options, Context& ctx,
                      const std::string& partial) {
  ASSIGN_OR_RETURN(const int64_t source_length,
                   flags.GetInteger("source-length", 1024, 1, 1 << 20));
  ASSIGN_OR_RETURN(const int64_t target_length,
                   flags.GetInteger("target-length", 1024, 1, 1 << 20));
  ASSIGN_OR_RETURN(const int64_t batch_tokens, flags.GetInteger("batch-tokens", 4096, 1, 1 << 24));
  ASSIGN_OR_RETURN(const DType compute, ParseComputeType(flags.Get("compute", "f32")));
  ASSIGN_OR_RETURN(const ModelFolder folder, ReadModelFolder(ctx, flags.Get("model"), compute));
  ASSIGN_OR_RETURN(const auto writer, LineWriter::Create(partial));
  RowScorer scorer(ctx, folder,
                   {.source = static_cast<int32_t>(source_length),
                    .target = static_cast<int32_t>(target_length)},
                   batch_tokens, *writer);
  const auto start = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(
      ForEachRow({.sources = options.sources}, [&](LookedRow& row) { return scorer.Take(row); }));
  RETURN_IF_ERROR(scorer.Flush());
  RETURN_IF_ERROR(writer->Close());
  if (scorer.rows() == 0) return absl::InvalidArgumentError("the sources have no rows to score");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (scorer.truncation().examples > 0) {
    LOG(WARNING) << scorer.truncation().examples << " of " << scorer.rows() << " rows were cut to "
                 << source_length << " and " << target_length << " tokens";
  }
  std::printf("%lld rows, mean loss %.4f, mean el2n %.4f, %.0f rows/s\n",
              static_cast<long long>(scorer.rows()), scorer.mean_loss(), scorer.mean_el2n(),
              static_cast<double>(scorer.rows()) / seconds.count());
  return absl::OkStatus();
}

absl::Status Run(const CommandInput& input) {
  const Flags& flags = input.flags;
  const std::string out = flags.Get("out");
  ASSIGN_OR_RETURN(const PruneOptions options, ReadPruneConfig(flags.Get("rows")));
  ASSIGN_OR_RETURN(const config::Device wanted, ParseDevice(flags.Get("device", "CPU")));
  // Not the job's ranks: this command runs on one alone.
  LocalCommunicator alone;
  ASSIGN_OR_RETURN(const ComputeDevice device, OpenComputeDevice(wanted, alone));
  Context ctx(*device.memory);
  const std::string partial = out + ".partial" + (absl::EndsWith(out, ".zst") ? ".zst" : "");
  const absl::Status status = ScoreAll(flags, options, ctx, partial);
  if (!status.ok()) {
    RemoveRecursively(partial).IgnoreError();
    return status;
  }
  RETURN_IF_ERROR(RenamePath(partial, out));
  RETURN_IF_ERROR(SyncParentDirectory(out));
  std::printf("scores in %s\n", out.c_str());
  return absl::OkStatus();
}

}  // namespace

Command ScoreCommand() {
  return {.name = "score",
          .summary = "a model's loss and EL2N of each row, for choosing among rows",
          .flags = {{.name = "model",
                     .value_hint = "DIR",
                     .help = "a checkpoint or Hugging Face folder",
                     .required = true},
                    {.name = "rows",
                     .value_hint = "FILE",
                     .help = "a config of frond prune: the rows of its sources",
                     .required = true},
                    {.name = "out",
                     .value_hint = "FILE",
                     .help = "receives a line for each row, in their order",
                     .required = true,
                     .writes_file = true},
                    {.name = "source-length",
                     .value_hint = "N",
                     .help = "longer inputs are cut to N tokens (1024)"},
                    {.name = "target-length",
                     .value_hint = "N",
                     .help = "longer targets are cut to N tokens (1024)"},
                    {.name = "batch-tokens",
                     .value_hint = "N",
                     .help = "tokens of rows scored together (4096)"},
                    {.name = "compute", .value_hint = "DTYPE", .help = "f32 or bf16 (f32)"},
                    {.name = "device", .value_hint = "DEVICE", .help = "CPU, CUDA or AUTO (CPU)"}},
          .example =
              "frond score --model runs/a/checkpoints/step_00001000 --rows prune.textproto "
              "--out scores.jsonl",
          .run = Run};
}

}  // namespace frond
