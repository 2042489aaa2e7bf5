#include "data/tokenizer.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "data/sentencepiece_check.h"
#include "data/sentencepiece_model.h"

namespace frond {
namespace {

int32_t PadIdOf(const SentencePieceModel& model) {
  if (model.pad_id() >= 0) return model.pad_id();
  return model.bos_id() >= 0 ? model.bos_id() : 0;
}

int32_t EosIdOf(const SentencePieceModel& model) {
  if (model.eos_id() >= 0) return model.eos_id();
  for (const char* piece : {"</s>", "<eos>", "<|endoftext|>", "[SEP]"}) {
    const int32_t id = model.IdOf(piece);
    if (id != model.unk_id()) return id;
  }
  return -1;
}

}  // namespace

Tokenizer::Tokenizer() = default;
Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  if (IsDirectory(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("tokenizer '", path, "' is a folder; expected a SentencePiece model file"));
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return FromBytes(bytes, path);
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::FromBytes(absl::string_view bytes,
                                                                      const std::string& name) {
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer());
  tokenizer->model_ = std::make_unique<SentencePieceModel>();
  SentencePieceModel& model = *tokenizer->model_;
  std::string error(CheckNormalisationTables(bytes).message());
  if (bytes.empty()) error = "it is empty";
  if (error.empty()) error = model.Load({bytes.data(), bytes.size()});
  if (error.empty() && model.vocab_size() == 0) error = "it has no pieces";
  if (!error.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' is not a SentencePiece model: ", error));
  }
  tokenizer->name_ = name;
  tokenizer->content_hash_ = Hash64(bytes);
  tokenizer->vocab_size_ = model.vocab_size();
  tokenizer->pad_id_ = PadIdOf(model);
  tokenizer->eos_id_ = EosIdOf(model);
  tokenizer->unk_id_ = model.unk_id();
  return tokenizer;
}

std::vector<int32_t> Tokenizer::Encode(absl::string_view text) const {
  std::vector<int32_t> ids;
  const std::string error = model_->Encode({text.data(), text.size()}, &ids);
  CHECK(error.empty()) << error;  // a loaded model encodes any bytes
  return ids;
}

std::vector<int32_t> Tokenizer::EncodeWithEos(absl::string_view text) const {
  std::vector<int32_t> ids = Encode(text);
  ids.push_back(eos_id_);
  return ids;
}

absl::StatusOr<std::string> Tokenizer::Decode(std::span<const int32_t> ids) const {
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size_) {
      return absl::InvalidArgumentError(absl::StrCat("token id ", id,
                                                     " is not in the vocabulary of '", name_,
                                                     "' (0 to ", vocab_size_ - 1, ")"));
    }
  }
  std::string text;
  const std::string error = model_->Decode(std::vector<int32_t>(ids.begin(), ids.end()), &text);
  if (!error.empty()) return absl::InternalError(absl::StrCat("cannot decode: ", error));
  return text;
}

const std::string& Tokenizer::piece(int32_t id) const {
  CHECK_GE(id, 0);
  CHECK_LT(id, vocab_size_);
  return model_->piece(id);
}

}  // namespace frond
