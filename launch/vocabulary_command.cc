// frond vocabulary: trains a SentencePiece model of mT5's form on instruction data.
#include <memory>
#include <thread>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/example_reader.h"
#include "data/row_files.h"
#include "data/tokenizer.h"
#include "data/tokenizer_trainer.h"
#include "launch/command.h"

namespace frond {
namespace {

// Inputs and targets of all rows, one sentence after the other. Errors end the source and are kept.
class RowTexts {
 public:
  // The vocabulary does not care about languages.
  explicit RowTexts(std::vector<RowFile> files)
      : reader_(std::move(files), {.default_language = "und"}) {}

  bool Next(std::string* sentence) {
    if (target_is_next_) {
      target_is_next_ = false;
      *sentence = example_.targets;
      return true;
    }
    const absl::StatusOr<bool> more = reader_.Next(&example_);
    status_ = more.status();
    if (!more.ok() || !*more) return false;
    *sentence = example_.inputs;
    target_is_next_ = true;
    return true;
  }
  const absl::Status& status() const { return status_; }

 private:
  ExampleReader reader_;
  Example example_;
  bool target_is_next_ = false;
  absl::Status status_;
};

absl::Status Run(const CommandInput& input) {
  TokenizerTrainerOptions options;
  ASSIGN_OR_RETURN(const int64_t size, input.flags.GetInteger("size", 8000, 300, 1'000'000));
  options.vocab_size = static_cast<int32_t>(size);
  options.threads = static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  ASSIGN_OR_RETURN(std::vector<RowFile> files, FindRowFiles(input.flags.GetAll("input")));
  RowTexts texts(std::move(files));
  const absl::StatusOr<std::string> model =
      TrainTokenizer(options, [&](std::string* sentence) { return texts.Next(sentence); });
  RETURN_IF_ERROR(texts.status());
  RETURN_IF_ERROR(model.status());
  const std::string path = input.flags.Get("out");
  RETURN_IF_ERROR(WriteFileAtomically(path, *model));
  ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Load(path));
  LOG(INFO) << path << ": " << tokenizer->vocab_size() << " pieces"
            << (tokenizer->vocab_size() < size ? ", all that the text has" : "");
  return absl::OkStatus();
}

}  // namespace

Command VocabularyCommand() {
  return {
      .name = "vocabulary",
      .summary = "trains a SentencePiece vocabulary (unigram, byte fallback) on rows of data",
      .flags = {{.name = "input",
                 .value_hint = "FILE",
                 .help = "JSONL, CSV, TSV (.gz, .zst) or Parquet, or a glob",
                 .required = true,
                 .repeated = true},
                {.name = "out",
                 .value_hint = "FILE",
                 .help = "the model file",
                 .required = true,
                 .writes_file = true},
                {.name = "size", .value_hint = "N", .help = "number of pieces (8000)"}},
      .example = "frond vocabulary --input data/corpus/train.jsonl --size 8000 --out spiece.model",
      .run = Run};
}

}  // namespace frond
