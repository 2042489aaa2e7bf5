// The door to the SentencePiece library, private to data/. Its headers declare absl::string_view
// anew and so cannot meet Abseil's in one file; this one speaks the standard library only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace frond {

// A loaded model; const calls may come from several threads. Functions that can fail return the
// reason, empty where there was none.
class SentencePieceModel {
 public:
  SentencePieceModel();
  ~SentencePieceModel();

  std::string Load(std::string_view model_bytes);
  std::string Encode(std::string_view text, std::vector<int32_t>* ids) const;
  std::string Decode(const std::vector<int32_t>& ids, std::string* text) const;

  int32_t vocab_size() const;
  // -1 where the model has no such piece.
  int32_t pad_id() const;
  int32_t bos_id() const;
  int32_t eos_id() const;
  int32_t unk_id() const;
  const std::string& piece(int32_t id) const;
  // The id of a piece; unk_id() where the model lacks it.
  int32_t IdOf(std::string_view piece) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Trains a model and sets `model_bytes`. `next_sentence` fills in one sentence and returns false at
// the end. `settings` are the trainer's own names and values.
std::string TrainSentencePiece(const std::unordered_map<std::string, std::string>& settings,
                               const std::function<bool(std::string*)>& next_sentence,
                               std::string* model_bytes);

}  // namespace frond
