// Trains a SentencePiece vocabulary of mT5's form: unigram (Kudo, 2018), nmt_nfkc normalisation,
// byte fallback, padding 0, end-of-sequence 1, unknown 2, no begin-of-sequence.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace frond {

struct TokenizerTrainerOptions {
  // Pieces, the 256 byte pieces and 3 special ones included. A text that does not support so many
  // gives a smaller vocabulary.
  int32_t vocab_size = 8000;
  // Share of the text's characters that get a piece of their own; the rest falls back to bytes.
  double character_coverage = 0.9999;
  // Speed; another number may round scores differently. The result is a function of it, the options
  // and the text.
  int32_t threads = 1;
};

// Fills in one sentence of the training text and returns true, or returns false at its end.
using SentenceSource = std::function<bool(std::string* sentence)>;

// The bytes of a model file. Sentences that are empty or not UTF-8 are left out.
absl::StatusOr<std::string> TrainTokenizer(const TokenizerTrainerOptions& options,
                                           const SentenceSource& next_sentence);

}  // namespace frond
