#include "data/jsonl_reader.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/line_reader.h"
#include "data/message_text.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

// A field of the row that is wanted, and what was found for it.
struct Slot {
  absl::string_view name;
  std::string* text;
  bool found = false;
  bool current = false;  // the parser is at its value
};

constexpr size_t kInputs = 0;
constexpr size_t kTargets = 1;
constexpr size_t kNumFields = 7;
using Slots = std::array<Slot, kNumFields>;

// More names than a message shows are not kept.
constexpr size_t kMaxNamesKept = 20;
constexpr size_t kMaxReasonBytes = 200;

// "[json.exception.parse_error.101] parse error at line 1, column 5: <what>" as a part of ours.
std::string MalformedJson(size_t position, const nlohmann::json::exception& e) {
  const absl::string_view what = e.what();
  const size_t colon = what.find(": ");
  const absl::string_view reason = colon == what.npos ? what : what.substr(colon + 2);
  return absl::StrCat("malformed JSON at byte ", position, ": ", Excerpt(reason, kMaxReasonBytes));
}

// Receives the parser's events and keeps the wanted fields of the outermost object. The parser
// keeps its nesting in a vector, so deep nesting costs memory in proportion to the line and no
// stack.
class FieldCollector : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit FieldCollector(Slots& slots) : slots_(slots) {}

  bool null() override { return Scalar(nullptr); }
  bool boolean(bool value) override { return Number(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Number(absl::StrCat(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Number(absl::StrCat(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Number(text); }
  bool string(string_t& value) override { return Scalar(&value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open("an object"); }
  bool start_array(size_t) override { return Open("an array"); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    wanted_ = nullptr;
    for (Slot& slot : slots_) {
      slot.current = slot.name == name;
      if (slot.current) wanted_ = &slot;
    }
    if (names_.size() < kMaxNamesKept) names_.push_back(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& e) override {
    error_ = MalformedJson(position, e);
    return false;
  }

  const std::string& error() const { return error_; }
  const std::vector<std::string>& names() const { return names_; }

 private:
  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }

  bool Number(std::string text) { return Scalar(&text); }

  bool Scalar(std::string* text) {
    if (depth_ == 0) return Fail("the line is no JSON object; expected {\"inputs\": ..., ...}");
    if (depth_ != 1 || wanted_ == nullptr) return true;
    for (Slot& slot : slots_) {  // one field may serve as several
      if (!slot.current) continue;
      slot.found = text != nullptr;
      *slot.text = text != nullptr ? *text : "";
    }
    return true;
  }

  bool Open(absl::string_view kind) {
    if (depth_ == 0 && kind == "an array") {
      return Fail("the line is an array; expected an object {\"inputs\": ..., ...}");
    }
    if (depth_ == 1 && wanted_ != nullptr) {
      return Fail(absl::StrCat("field '", wanted_->name, "' is ", kind, "; expected text"));
    }
    ++depth_;
    return true;
  }

  bool Close() {
    --depth_;
    return true;
  }

  Slots& slots_;
  const Slot* wanted_ = nullptr;  // a slot of the last key of the outermost object
  size_t depth_ = 0;
  std::vector<std::string> names_;
  std::string error_;
};

// Copying and destroying JSON recurses: deeper nesting could end the stack.
constexpr int kDeepestNesting = 500;

template <class Json>
absl::Status ParseObject(absl::string_view line, Json* raw) {
  RETURN_IF_ERROR(CheckUtf8(line));
  int deepest = 0;
  typename Json::parser_callback_t look_at_depth;  // slows the parser down, so only where needed
  const auto opens = [](char c) { return c == '[' || c == '{'; };
  if (std::count_if(line.begin(), line.end(), opens) > kDeepestNesting) {
    look_at_depth = [&](int depth, typename Json::parse_event_t, Json&) {
      deepest = std::max(deepest, depth);
      return depth <= kDeepestNesting;
    };
  }
  try {
    *raw = Json::parse(line.begin(), line.end(), look_at_depth);
  } catch (const nlohmann::json::parse_error& e) {
    return absl::InvalidArgumentError(MalformedJson(e.byte, e));
  } catch (const nlohmann::json::exception& e) {
    return absl::InvalidArgumentError(
        absl::StrCat("malformed JSON: ", Excerpt(e.what(), kMaxReasonBytes)));
  }
  if (deepest > kDeepestNesting) {
    return absl::InvalidArgumentError(
        absl::StrCat("the row nests deeper than ", kDeepestNesting, " levels"));
  }
  if (!raw->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("the line is ",
                                                   raw->is_array() ? "an array" : "no JSON object",
                                                   "; expected an object {\"inputs\": ..., ...}"));
  }
  return absl::OkStatus();
}

// Lines of a file, end to end.
class JsonlBlock : public RowBlock {
 public:
  explicit JsonlBlock(std::shared_ptr<const Origin> origin) : RowBlock(std::move(origin)) {}

  void Append(absl::string_view line, int64_t number) {
    text_.append(line.data(), line.size());
    lines_.push_back({text_.size(), number});
  }
  size_t num_bytes() const { return text_.size(); }

  size_t num_rows() const override { return lines_.size(); }
  int64_t number(size_t row) const override { return lines_[row].number; }

  absl::Status ReadExample(size_t row, Example* example) const override {
    return AtRow(row, ParseExample(line(row), layout(), example));
  }
  absl::Status ReadRaw(size_t row, nlohmann::json* raw) const override {
    return AtRow(row, ParseRaw(line(row), raw));
  }
  absl::StatusOr<absl::string_view> ReadLine(size_t row, std::string* storage) const override {
    return file().language.empty() ? line(row) : RowBlock::ReadLine(row, storage);
  }

 private:
  struct Line {
    size_t end;  // in text_; a line begins where the one before it ends
    int64_t number;
  };

  absl::Status ReadOrdered(size_t row, nlohmann::ordered_json* raw) const override {
    return AtRow(row, ParseObject(line(row), raw));
  }

  absl::string_view line(size_t row) const {
    const size_t begin = row == 0 ? 0 : lines_[row - 1].end;
    return absl::string_view(text_).substr(begin, lines_[row].end - begin);
  }

  std::string text_;
  std::vector<Line> lines_;
};

class JsonlReader : public RowReader {
 public:
  JsonlReader(std::unique_ptr<LineReader> lines, std::shared_ptr<const RowBlock::Origin> origin)
      : lines_(std::move(lines)), origin_(std::move(origin)) {}

  absl::StatusOr<std::unique_ptr<RowBlock>> Next(size_t bytes) override {
    RETURN_IF_ERROR(status_);
    auto block = std::make_unique<JsonlBlock>(origin_);
    absl::string_view line;
    while (block->num_bytes() < bytes) {
      const absl::StatusOr<bool> more = lines_->Next(&line);
      if (!more.ok()) {
        status_ = more.status();
        break;
      }
      if (!*more) break;
      if (!IsBlankLine(line)) block->Append(line, lines_->line_number());
    }
    if (block->num_rows() > 0) return block;
    RETURN_IF_ERROR(status_);
    return nullptr;
  }

 private:
  std::unique_ptr<LineReader> lines_;
  std::shared_ptr<const RowBlock::Origin> origin_;
  absl::Status status_;  // why no more lines can be read
};

}  // namespace

bool IsBlankLine(absl::string_view line) { return absl::StripAsciiWhitespace(line).empty(); }

absl::Status ParseExample(absl::string_view line, const RowLayout& layout, Example* example) {
  *example = Example();
  RETURN_IF_ERROR(CheckUtf8(line));
  const auto fields = ExampleFields(layout.fields);
  Slots slots;
  for (size_t i = 0; i < kNumFields; ++i) {
    slots[i] = {.name = *fields[i].name, .text = &(example->*fields[i].text)};
  }
  FieldCollector collector(slots);
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &collector)) {
    return absl::InvalidArgumentError(collector.error());
  }
  for (const size_t required : {kInputs, kTargets}) {
    if (!slots[required].found) {
      return MissingField(slots[required].name, collector.names(), kNameTheField);
    }
  }
  if (example->language.empty() && layout.default_language.empty()) {
    return MissingField(layout.fields.language, collector.names(), kNameTheLanguage);
  }
  return CompleteExample(layout, example);
}

absl::Status ParseRaw(absl::string_view line, nlohmann::json* raw) {
  return ParseObject(line, raw);
}

absl::Status AtLine(const absl::Status& status, absl::string_view path, int64_t line_number) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ":", line_number, ": ", status.message()));
}

absl::StatusOr<std::unique_ptr<RowReader>> OpenJsonl(
    std::shared_ptr<const RowBlock::Origin> origin) {
  ASSIGN_OR_RETURN(auto lines, LineReader::Open(origin->file.path));
  return std::make_unique<JsonlReader>(std::move(lines), std::move(origin));
}

}  // namespace frond
