// frond generate: greedy answers to a prompt, or to every line of a file.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/batch_builder.h"
#include "dist/local_communicator.h"
#include "eval/greedy_decode.h"
#include "launch/command.h"
#include "launch/compute_device.h"
#include "launch/model_folder.h"

namespace frond {
namespace {

struct Generator {
  explicit Generator(Allocator& memory) : ctx(memory) {}

  Context ctx;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<T5Model> model;
  int32_t max_source_tokens = 1024;
  int64_t max_new_tokens = 128;
  int64_t truncated = 0;  // prompts so far that lost tokens

  absl::Status Load(const std::string& folder, DType compute) {
    ASSIGN_OR_RETURN(ModelFolder read, ReadModelFolder(ctx, folder, compute));
    tokenizer = std::move(read.tokenizer);
    model = std::move(read.model);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> Answer(std::span<const std::string> prompts) {
    BatchBuilder builder({.source = max_source_tokens, .target = 1});
    const std::vector<int32_t> target = {model->config().eos_token_id};
    for (const std::string& prompt : prompts) {
      builder.Append(tokenizer->EncodeWithEos(prompt), target, 0, 0);
    }
    truncated += builder.truncation().examples;
    std::vector<std::string> answers;
    for (std::vector<int32_t>& ids : GreedyDecode(ctx, *model, builder.batch(), max_new_tokens)) {
      std::erase_if(ids, [&](int32_t id) { return id >= tokenizer->vocab_size(); });
      ASSIGN_OR_RETURN(std::string answer, tokenizer->Decode(ids));
      // Byte pieces can spell a line feed; an answer is one line.
      std::replace(answer.begin(), answer.end(), '\n', ' ');
      answers.push_back(std::move(answer));
    }
    return answers;
  }
};

absl::StatusOr<std::vector<std::string>> ReadPrompts(const Flags& flags) {
  if (flags.Has("prompt") == flags.Has("input")) {
    return absl::InvalidArgumentError("give either --prompt TEXT or --input FILE");
  }
  if (flags.Has("prompt")) return std::vector<std::string>{flags.Get("prompt")};
  ASSIGN_OR_RETURN(const std::string text, ReadFile(flags.Get("input")));
  std::vector<std::string> prompts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) prompts.push_back(line);
  return prompts;
}

absl::Status Run(const CommandInput& input) {
  const Flags& flags = input.flags;
  ASSIGN_OR_RETURN(const int64_t max_new_tokens,
                   flags.GetInteger("max-new-tokens", 128, 1, 1 << 16));
  ASSIGN_OR_RETURN(const int64_t batch_size, flags.GetInteger("batch", 64, 1, 1 << 12));
  ASSIGN_OR_RETURN(const DType compute, ParseComputeType(flags.Get("compute", "f32")));
  ASSIGN_OR_RETURN(const std::vector<std::string> prompts, ReadPrompts(flags));
  ASSIGN_OR_RETURN(const config::Device wanted, ParseDevice(flags.Get("device", "CPU")));
  // Not the job's ranks: this command runs on one alone.
  LocalCommunicator alone;
  ASSIGN_OR_RETURN(const ComputeDevice device,
                   OpenComputeDevice(wanted, alone, flags.Has("cuda-graphs")));
  Generator generator(*device.memory);
  generator.max_new_tokens = max_new_tokens;
  RETURN_IF_ERROR(generator.Load(flags.Get("model"), compute));
  std::string output;
  for (size_t begin = 0; begin < prompts.size(); begin += static_cast<size_t>(batch_size)) {
    const size_t end = std::min(prompts.size(), begin + static_cast<size_t>(batch_size));
    ASSIGN_OR_RETURN(const std::vector<std::string> answers,
                     generator.Answer(std::span(prompts).subspan(begin, end - begin)));
    for (const std::string& answer : answers) absl::StrAppend(&output, answer, "\n");
  }
  if (generator.truncated > 0) {
    LOG(WARNING) << generator.truncated << " of " << prompts.size() << " prompts were cut to "
                 << generator.max_source_tokens << " tokens";
  }
  if (flags.Has("output")) return WriteFileAtomically(flags.Get("output"), output);
  std::fputs(output.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

Command GenerateCommand() {
  return {
      .name = "generate",
      .summary = "greedy answers of a model folder to a prompt or to the lines of a file",
      .flags = {{.name = "model",
                 .value_hint = "DIR",
                 .help = "a checkpoint or Hugging Face folder",
                 .required = true},
                {.name = "prompt", .value_hint = "TEXT", .help = "one prompt"},
                {.name = "input", .value_hint = "FILE", .help = "one prompt a line"},
                {.name = "output",
                 .value_hint = "FILE",
                 .help = "one answer a line (standard output)",
                 .writes_file = true},
                {.name = "max-new-tokens",
                 .value_hint = "N",
                 .help = "length limit of an answer (128)"},
                {.name = "batch", .value_hint = "N", .help = "prompts answered together (64)"},
                {.name = "compute", .value_hint = "DTYPE", .help = "f32 or bf16 (f32)"},
                {.name = "device", .value_hint = "DEVICE", .help = "CPU, CUDA or AUTO (CPU)"},
                {.name = "cuda-graphs",
                 .help = "with --device CUDA: launch each token as one CUDA graph"}},
      .example =
          "frond generate --model runs/a/checkpoints/step_00001000 --prompt 'German: 3 kilometers'",
      .run = Run};
}

}  // namespace frond
