#include "data/csv_records.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/jsonl_reader.h"

namespace frond {
namespace {

constexpr size_t kReadBytes = 1 << 18;
constexpr size_t kNone = absl::string_view::npos;

// The quote that closes a field whose text begins at `at`; `data.size()` where there is none. Sets
// whether quotes in between are doubled.
size_t ClosingQuote(absl::string_view data, size_t at, bool* has_doubled_quotes) {
  while (true) {
    at = data.find('"', at);
    if (at == kNone) return data.size();
    if (at + 1 == data.size() || data[at + 1] != '"') return at;
    *has_doubled_quotes = true;
    at += 2;
  }
}

// The first separator or line end from `at` on; `data.size()` where there is none.
size_t EndOfPlainField(absl::string_view data, size_t at, char separator) {
  while (at < data.size() && data[at] != separator && data[at] != '\n') ++at;
  return at;
}

bool IsBlank(const CsvRecords::Record& record) {
  return record.fields.size() == 1 && absl::StripAsciiWhitespace(record.text).empty();
}

}  // namespace

std::string CsvText(absl::string_view record, const CsvField& field) {
  const absl::string_view raw = record.substr(field.begin, field.end - field.begin);
  std::string text(raw);
  if (!field.has_doubled_quotes) return text;
  size_t kept = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    text[kept++] = raw[i];
    if (raw[i] == '"') ++i;  // each has its double behind it
  }
  text.resize(kept);
  return text;
}

absl::StatusOr<size_t> CutCsvRecord(absl::string_view data, bool is_all, char separator,
                                    bool quoting, std::vector<CsvField>* fields) {
  fields->clear();
  size_t at = 0;
  while (true) {
    if (!quoting || at == data.size() || data[at] != '"') {
      const size_t end = EndOfPlainField(data, at, separator);
      if (end == data.size() && !is_all) return 0;
      const bool ends_record = end == data.size() || data[end] == '\n';
      const bool drops_return = ends_record && end > at && data[end - 1] == '\r';
      fields->push_back({at, drops_return ? end - 1 : end});
      if (ends_record) return std::min(end + 1, data.size());
      at = end + 1;
      continue;
    }
    CsvField field{.begin = at + 1};
    field.end = ClosingQuote(data, at + 1, &field.has_doubled_quotes);
    // What follows the quote must be known.
    if (!is_all && field.end + 3 > data.size()) return 0;
    if (field.end == data.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the quote that opens column ", fields->size() + 1, " is never closed"));
    }
    fields->push_back(field);
    absl::string_view rest = data.substr(field.end + 1);
    if (absl::StartsWith(rest, "\r\n") || rest == "\r") rest.remove_prefix(1);
    at = data.size() - rest.size() + 1;
    if (rest.empty()) return data.size();
    if (rest[0] == '\n') return at;
    if (rest[0] != separator) {
      return absl::InvalidArgumentError(absl::StrCat(
          "text follows the closing quote of column ", fields->size(),
          "; write a quote inside of quotes twice, or set quoting: false where quotes are text"));
    }
  }
}

absl::StatusOr<std::unique_ptr<CsvRecords>> CsvRecords::Open(const std::string& path,
                                                             char separator, bool quoting) {
  ASSIGN_OR_RETURN(auto source, ByteSource::Open(path));
  std::unique_ptr<CsvRecords> records(new CsvRecords(path, std::move(source), separator, quoting));
  while (records->buffer_.size() < 3 && !records->at_end_) RETURN_IF_ERROR(records->ReadMore());
  if (absl::StartsWith(records->buffer_, "\xEF\xBB\xBF")) records->begin_ = 3;
  return records;
}

absl::Status CsvRecords::ReadMore() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t size = buffer_.size();
  if (size > kMaxRecordBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the row is longer than ", kMaxRecordBytes, " bytes",
        quoting_ ? "; a quote that opens one of its columns may never be closed" : ""));
  }
  // Twice as much each time, since the record is cut from its front again.
  const size_t wanted = std::min(std::max(kReadBytes, size), kMaxRecordBytes + kReadBytes - size);
  buffer_.resize(size + wanted);
  size_t got = 0;
  while (got < wanted && !at_end_) {
    ASSIGN_OR_RETURN(const size_t more, source_->Read(buffer_.data() + size + got, wanted - got));
    at_end_ = more == 0;
    got += more;
  }
  buffer_.resize(size + got);
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvRecords::Next(Record* record) {
  const auto at_line = [this](const absl::Status& status) {
    return AtLine(status, path_, next_line_);
  };
  while (true) {
    const absl::string_view data = absl::string_view(buffer_).substr(begin_);
    if (data.empty() && at_end_) return false;
    size_t taken = 0;
    if (!data.empty()) {
      const absl::StatusOr<size_t> cut =
          CutCsvRecord(data, at_end_, separator_, quoting_, &record->fields);
      if (!cut.ok()) return at_line(cut.status());
      taken = *cut;
    }
    if (taken == 0) {
      if (absl::Status status = ReadMore(); !status.ok()) {
        return absl::IsInvalidArgument(status) ? at_line(status) : status;
      }
      continue;
    }
    record->text = data.substr(0, taken);
    record->line_number = next_line_;
    begin_ += taken;
    next_line_ += std::count(record->text.begin(), record->text.end(), '\n');
    if (!IsBlank(*record)) return true;
  }
}

}  // namespace frond
