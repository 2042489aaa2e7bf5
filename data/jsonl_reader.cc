#include "data/jsonl_reader.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "data/utf8.h"
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
constexpr size_t kLanguage = 2;
constexpr size_t kNumFields = 7;
using Slots = std::array<Slot, kNumFields>;

constexpr size_t kMaxNamesShown = 12;
constexpr size_t kMaxNameBytes = 40;
constexpr size_t kMaxReasonBytes = 200;

// Text of the file as a part of a one-line message: cut where it is long, without control
// characters.
std::string Excerpt(absl::string_view text, size_t max_bytes) {
  const bool whole = text.size() <= max_bytes;
  const absl::string_view shown = text.substr(0, max_bytes);
  std::string excerpt(shown.substr(0, ValidUtf8Prefix(shown)));
  for (char& c : excerpt) {
    if (absl::ascii_iscntrl(c)) c = ' ';
  }
  return whole ? excerpt : absl::StrCat(excerpt, "...");
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
    if (names_.size() < kMaxNamesShown) names_.push_back(Excerpt(name, kMaxNameBytes));
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: <what>"
    const absl::string_view what = e.what();
    const size_t colon = what.find(": ");
    const absl::string_view reason = colon == what.npos ? what : what.substr(colon + 2);
    error_ =
        absl::StrCat("malformed JSON at byte ", position, ": ", Excerpt(reason, kMaxReasonBytes));
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

absl::Status MissingField(const Slot& slot, const std::vector<std::string>& names,
                          absl::string_view remedy) {
  return absl::InvalidArgumentError(
      absl::StrCat("field '", slot.name, "' is missing (the row has ",
                   names.empty() ? "no fields" : absl::StrJoin(names, ", "), "); ", remedy));
}

bool IsBlankText(absl::string_view text) { return absl::StripAsciiWhitespace(text).empty(); }

}  // namespace

bool IsBlankLine(absl::string_view line) { return IsBlankText(line); }

absl::Status ParseExample(absl::string_view line, const JsonlOptions& options, Example* example) {
  *example = Example();
  const size_t valid = ValidUtf8Prefix(line);
  if (valid != line.size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "invalid UTF-8 at byte %d (0x%02X)", valid + 1, static_cast<unsigned char>(line[valid])));
  }
  const FieldNames& fields = options.fields;
  Slots slots = {{{fields.inputs, &example->inputs},
                  {fields.targets, &example->targets},
                  {fields.language, &example->language},
                  {fields.script, &example->script},
                  {fields.dataset_name, &example->dataset_name},
                  {fields.template_id, &example->template_id},
                  {fields.task_type, &example->task_type}}};
  FieldCollector collector(slots);
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &collector)) {
    return absl::InvalidArgumentError(collector.error());
  }
  for (const size_t required : {kInputs, kTargets}) {
    if (!slots[required].found) {
      return MissingField(slots[required], collector.names(), "name the right one under 'fields'");
    }
  }
  if (!options.allow_empty_targets && IsBlankText(example->targets)) {
    return absl::InvalidArgumentError(
        absl::StrCat("field '", fields.targets, "' is empty; expected the text to learn"));
  }
  if (example->language.empty()) example->language = options.default_language;
  if (example->language.empty()) {
    return MissingField(slots[kLanguage], collector.names(),
                        "name it under 'fields' or set the source's 'language'");
  }
  return absl::OkStatus();
}

absl::Status AtLine(const absl::Status& status, absl::string_view path, int64_t line_number) {
  return absl::Status(status.code(), absl::StrCat(path, ":", line_number, ": ", status.message()));
}

absl::StatusOr<std::unique_ptr<JsonlReader>> JsonlReader::Open(const std::string& path,
                                                               JsonlOptions options) {
  ASSIGN_OR_RETURN(auto lines, LineReader::Open(path));
  return std::unique_ptr<JsonlReader>(new JsonlReader(std::move(lines), std::move(options)));
}

absl::StatusOr<bool> JsonlReader::Next(Example* example) {
  absl::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, lines_->Next(&line));
    if (!more) return false;
    if (!IsBlankLine(line)) break;
  }
  const absl::Status status = ParseExample(line, options_, example);
  if (!status.ok()) return AtLine(status, lines_->path(), lines_->line_number());
  return true;
}

absl::StatusOr<std::vector<std::string>> ExpandPaths(std::span<const std::string> patterns) {
  std::vector<std::string> paths;
  std::set<std::string> seen;
  for (const std::string& pattern : patterns) {
    std::vector<std::string> matches;
    if (PathExists(pattern)) {
      matches.push_back(pattern);  // also where the name itself holds a '['
    } else {
      glob_t found = {};
      const int result = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
      if (result == 0) matches.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
      ::globfree(&found);
    }
    if (matches.empty()) {
      return absl::NotFoundError(absl::StrCat("no file matches '", pattern, "'"));
    }
    std::sort(matches.begin(), matches.end());  // glob() sorts by the locale
    for (std::string& path : matches) {
      if (IsDirectory(path)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", path, "' is a folder; expected a file, or a glob such as '",
                         JoinPath(path, "*.jsonl"), "'"));
      }
      if (!seen.insert(path).second) {
        return absl::InvalidArgumentError(absl::StrCat("'", path, "' is named twice"));
      }
      paths.push_back(std::move(path));
    }
  }
  return paths;
}

}  // namespace frond
