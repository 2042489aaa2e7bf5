#include "data/sentencepiece_model.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <exception>

namespace frond {
namespace {

std::string Reason(const sentencepiece::util::Status& status) {
  if (status.ok()) return "";
  const std::string message = status.message();
  return message.empty() ? status.ToString() : message;
}

// SentencePiece begins with its own source line and condition, "src/x.cc(1) [condition] ".
std::string WithoutPlace(const std::string& reason) {
  const size_t end = reason.rfind(']');
  if (reason.find(".cc(") == std::string::npos || end == std::string::npos) return reason;
  const size_t text = reason.find_first_not_of(' ', end + 1);
  return text == std::string::npos ? "its bytes do not parse" : reason.substr(text);
}

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::function<bool(std::string*)>& next) : next_(next) { Next(); }
  bool done() const override { return done_; }
  void Next() override { done_ = !next_(&value_); }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::function<bool(std::string*)>& next_;
  std::string value_;
  bool done_ = false;
};

}  // namespace

struct SentencePieceModel::Impl {
  sentencepiece::SentencePieceProcessor processor;
};

SentencePieceModel::SentencePieceModel() : impl_(std::make_unique<Impl>()) {}
SentencePieceModel::~SentencePieceModel() = default;

std::string SentencePieceModel::Load(std::string_view model_bytes) {
  try {
    return WithoutPlace(Reason(impl_->processor.LoadFromSerializedProto(model_bytes)));
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::string SentencePieceModel::Encode(std::string_view text, std::vector<int32_t>* ids) const {
  return Reason(impl_->processor.Encode(text, ids));
}

std::string SentencePieceModel::Decode(const std::vector<int32_t>& ids, std::string* text) const {
  return Reason(impl_->processor.Decode(ids, text));
}

int32_t SentencePieceModel::vocab_size() const { return impl_->processor.GetPieceSize(); }
int32_t SentencePieceModel::pad_id() const { return impl_->processor.pad_id(); }
int32_t SentencePieceModel::bos_id() const { return impl_->processor.bos_id(); }
int32_t SentencePieceModel::eos_id() const { return impl_->processor.eos_id(); }
int32_t SentencePieceModel::unk_id() const { return impl_->processor.unk_id(); }

const std::string& SentencePieceModel::piece(int32_t id) const {
  return impl_->processor.IdToPiece(id);
}

int32_t SentencePieceModel::IdOf(std::string_view piece) const {
  return impl_->processor.PieceToId(piece);
}

std::string TrainSentencePiece(const std::unordered_map<std::string, std::string>& settings,
                               const std::function<bool(std::string*)>& next_sentence,
                               std::string* model_bytes) {
  try {
    Sentences sentences(next_sentence);
    return Reason(sentencepiece::SentencePieceTrainer::Train(settings, &sentences, model_bytes));
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace frond
