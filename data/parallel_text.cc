#include "data/parallel_text.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/jsonl_reader.h"
#include "data/line_reader.h"
#include "data/message_text.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

class ParallelBlock : public RowBlock {
 public:
  explicit ParallelBlock(std::shared_ptr<const Origin> origin) : RowBlock(std::move(origin)) {}

  void Append(absl::string_view input, absl::string_view target, int64_t number) {
    absl::StrAppend(&text_, input, target);
    pairs_.push_back({text_.size() - target.size(), text_.size(), number});
  }
  size_t num_bytes() const { return text_.size(); }

  size_t num_rows() const override { return pairs_.size(); }
  int64_t number(size_t row) const override { return pairs_[row].number; }

  absl::Status ReadExample(size_t row, Example* example) const override {
    *example = Example();
    RETURN_IF_ERROR(CheckText(row));
    example->inputs = std::string(input(row));
    example->targets = std::string(target(row));
    if (!layout().allow_empty_targets && IsBlankLine(example->targets)) {
      return AtTarget(row, absl::InvalidArgumentError("the line is empty; expected a target"));
    }
    if (layout().default_language.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path(),
                       ": the language is missing; set the source's 'language', or put "
                       "{language} where the path has it"));
    }
    return CompleteExample(layout(), example);
  }

  absl::Status ReadRaw(size_t row, nlohmann::json* raw) const override { return Read(row, raw); }

 private:
  struct Pair {
    size_t target_begin;  // in text_; the input begins where the pair before ends
    size_t end;
    int64_t number;
  };

  absl::Status ReadOrdered(size_t row, nlohmann::ordered_json* raw) const override {
    return Read(row, raw);
  }

  template <class Json>
  absl::Status Read(size_t row, Json* raw) const {
    RETURN_IF_ERROR(CheckText(row));
    *raw = Json::object();
    (*raw)[layout().fields.inputs] = std::string(input(row));
    (*raw)[layout().fields.targets] = std::string(target(row));
    return absl::OkStatus();
  }

  absl::Status CheckText(size_t row) const {
    RETURN_IF_ERROR(AtRow(row, CheckUtf8(input(row))));
    return AtTarget(row, CheckUtf8(target(row)));
  }
  absl::Status AtTarget(size_t row, const absl::Status& status) const {
    return AtLine(status, file().target_path, number(row));
  }

  absl::string_view input(size_t row) const {
    const size_t begin = row == 0 ? 0 : pairs_[row - 1].end;
    return absl::string_view(text_).substr(begin, pairs_[row].target_begin - begin);
  }
  absl::string_view target(size_t row) const {
    return absl::string_view(text_).substr(pairs_[row].target_begin,
                                           pairs_[row].end - pairs_[row].target_begin);
  }

  std::string text_;
  std::vector<Pair> pairs_;
};

// The number of lines of a file of which some may be read.
absl::StatusOr<int64_t> CountLines(LineReader* lines) {
  absl::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, lines->Next(&line));
    if (!more) return lines->line_number();
  }
}

class ParallelReader : public RowReader {
 public:
  ParallelReader(std::shared_ptr<const RowBlock::Origin> origin, std::unique_ptr<LineReader> inputs,
                 std::unique_ptr<LineReader> targets)
      : origin_(std::move(origin)), inputs_(std::move(inputs)), targets_(std::move(targets)) {}

  absl::StatusOr<std::unique_ptr<RowBlock>> Next(size_t bytes) override {
    RETURN_IF_ERROR(status_);
    auto block = std::make_unique<ParallelBlock>(origin_);
    absl::StatusOr<bool> more = true;
    while (block->num_bytes() < bytes) {
      more = ReadPair(block.get());
      if (!more.ok() || !*more) break;
    }
    status_ = more.status();
    if (block->num_rows() > 0) return block;
    RETURN_IF_ERROR(status_);
    return nullptr;
  }

 private:
  absl::StatusOr<bool> ReadPair(ParallelBlock* block) {
    absl::string_view input, target;
    ASSIGN_OR_RETURN(const bool has_input, inputs_->Next(&input));
    ASSIGN_OR_RETURN(const bool has_target, targets_->Next(&target));
    if (has_input != has_target) return UnequalCounts();
    if (!has_input) return false;
    if (!IsBlankLine(input) || !IsBlankLine(target)) {
      block->Append(input, target, inputs_->line_number());
    }
    return true;
  }

  absl::Status UnequalCounts() {
    ASSIGN_OR_RETURN(const int64_t inputs, CountLines(inputs_.get()));
    ASSIGN_OR_RETURN(const int64_t targets, CountLines(targets_.get()));
    return absl::InvalidArgumentError(
        absl::StrCat("'", inputs_->path(), "' has ", inputs, " lines, but '", targets_->path(),
                     "' has ", targets, "; expected lines that belong together"));
  }

  std::shared_ptr<const RowBlock::Origin> origin_;
  std::unique_ptr<LineReader> inputs_, targets_;
  absl::Status status_;  // why no more lines can be read
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenParallelText(
    std::shared_ptr<const RowBlock::Origin> origin) {
  ASSIGN_OR_RETURN(auto inputs, LineReader::Open(origin->file.path));
  ASSIGN_OR_RETURN(auto targets, LineReader::Open(origin->file.target_path));
  return std::make_unique<ParallelReader>(std::move(origin), std::move(inputs), std::move(targets));
}

}  // namespace frond
