#include "data/tokenizer_trainer.h"

#include <cstddef>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "data/sentencepiece_model.h"
#include "data/utf8.h"

namespace frond {
namespace {

constexpr int32_t kSpecialPieces = 3 + 256;
// The trainer leaves out longer sentences; ours are cut so that nothing is lost silently.
constexpr size_t kMaxSentenceBytes = 4096;

absl::Status CheckOptions(const TokenizerTrainerOptions& options) {
  if (options.vocab_size <= kSpecialPieces) {
    return absl::InvalidArgumentError(absl::StrCat("vocabulary size ", options.vocab_size,
                                                   " is too small; expected more than the ",
                                                   kSpecialPieces, " byte and special pieces"));
  }
  if (!(options.character_coverage > 0 && options.character_coverage <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("character coverage ", options.character_coverage,
                     " is out of range; expected more than 0, up to 1"));
  }
  if (options.threads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("threads ", options.threads, " is out of range; expected 1 or more"));
  }
  return absl::OkStatus();
}

// Cuts before a character that would not fit.
std::string TakePrefix(std::string* text) {
  if (text->size() <= kMaxSentenceBytes) {
    std::string all;
    all.swap(*text);
    return all;
  }
  size_t end = kMaxSentenceBytes;
  while ((static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  std::string prefix = text->substr(0, end);
  text->erase(0, end);
  return prefix;
}

}  // namespace

absl::StatusOr<std::string> TrainTokenizer(const TokenizerTrainerOptions& options,
                                           const SentenceSource& next_sentence) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  int64_t sentences = 0;
  std::string rest;
  const SentenceSource source = [&](std::string* sentence) {
    while (rest.empty()) {
      if (!next_sentence(&rest)) return false;
      if (!IsValidUtf8(rest)) rest.clear();
    }
    *sentence = TakePrefix(&rest);
    ++sentences;
    return true;
  };
  const std::unordered_map<std::string, std::string> settings = {
      {"model_type", "unigram"},
      {"normalization_rule_name", "nmt_nfkc"},
      {"byte_fallback", "true"},
      {"pad_id", "0"},
      {"eos_id", "1"},
      {"unk_id", "2"},
      {"bos_id", "-1"},
      {"vocab_size", absl::StrCat(options.vocab_size)},
      {"character_coverage", absl::StrCat(options.character_coverage)},
      {"num_threads", absl::StrCat(options.threads)},
      {"hard_vocab_limit", "false"},
      {"shuffle_input_sentence", "false"},
      {"max_sentence_length", absl::StrCat(kMaxSentenceBytes)},
      {"minloglevel", "2"},
  };
  std::string bytes;
  const std::string error = TrainSentencePiece(settings, source, &bytes);
  if (sentences == 0) {
    return absl::InvalidArgumentError("cannot train a tokenizer: the text has no sentences");
  }
  if (!error.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot train a tokenizer of ",
                                                   options.vocab_size, " pieces on ", sentences,
                                                   " sentences: ", error));
  }
  return bytes;
}

}  // namespace frond
