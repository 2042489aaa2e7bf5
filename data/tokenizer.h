// Text to token ids and back with a SentencePiece model (mT5's, T5's or any other: unigram, BPE,
// with or without byte fallback).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace frond {

class SentencePieceModel;

// Immutable after loading; const calls may come from several threads.
class Tokenizer {
 public:
  // Reads a model file. A file that is missing, empty or no SentencePiece model is an error.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Load(const std::string& path);
  // As Load, from the bytes of a model; `name` is what errors call it.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> FromBytes(absl::string_view bytes,
                                                                    const std::string& name);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // The ids of `text` after the model's own normalisation, without an end-of-sequence id.
  std::vector<int32_t> Encode(absl::string_view text) const;
  // With eos_id() at the end: a source or a target as models read it.
  std::vector<int32_t> EncodeWithEos(absl::string_view text) const;

  // Control pieces (padding, begin, end) give no text. An id outside [0, vocab_size()) is an error.
  absl::StatusOr<std::string> Decode(std::span<const int32_t> ids) const;

  int32_t vocab_size() const { return vocab_size_; }

  // Fills up rows of generated text and starts the decoder (mT5: 0). A model without a padding
  // piece (XLM-R's form) lends its begin-of-sequence piece, which no text encodes to; one without
  // both lends id 0.
  int32_t pad_id() const { return pad_id_; }
  // Ends every source and target (mT5: 1). A model that declares none lends the first of "</s>",
  // "<eos>", "<|endoftext|>", "[SEP]" that it has as a piece; -1 where it has none of them, and
  // then it serves to tokenize but not to train.
  int32_t eos_id() const { return eos_id_; }
  int32_t unk_id() const { return unk_id_; }

  // The text form of a token, with U+2581 for a space before it; for people to read.
  const std::string& piece(int32_t id) const;

  // Of the model's bytes: equal hashes encode equally.
  uint64_t content_hash() const { return content_hash_; }
  // What the tokenizer was loaded from, for messages.
  const std::string& name() const { return name_; }

 private:
  Tokenizer();

  std::unique_ptr<SentencePieceModel> model_;
  std::string name_;
  uint64_t content_hash_ = 0;
  int32_t vocab_size_ = 0;
  int32_t pad_id_ = 0;
  int32_t eos_id_ = 0;
  int32_t unk_id_ = 0;
};

}  // namespace frond
