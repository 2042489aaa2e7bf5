// Cuts CSV and TSV files into records and fields (RFC 4180). Private to data/.
//
// A field that begins with a quote ends with one, holds separators and line ends as they are, and
// "" for a quote; a quote inside of another field is itself. Records end with \n or \r\n.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/byte_source.h"

namespace frond {

// Where a field lies in its record.
struct CsvField {
  size_t begin = 0;
  size_t end = 0;
  bool has_doubled_quotes = false;
};

// The text of a field.
std::string CsvText(absl::string_view record, const CsvField& field);

// Cuts the record at the front of `data` into fields, and returns the bytes it takes with its line
// end; 0 where it goes on behind `data`, which `is_all` says is not so. `data` is not empty.
absl::StatusOr<size_t> CutCsvRecord(absl::string_view data, bool is_all, char separator,
                                    bool quoting, std::vector<CsvField>* fields);

class CsvRecords {
 public:
  // Longer records are an error: a quote that nobody closes would fill the memory.
  static constexpr size_t kMaxRecordBytes = size_t{64} << 20;

  struct Record {
    absl::string_view text;
    std::vector<CsvField> fields;
    int64_t line_number = 0;  // of its first line, from 1
  };

  static absl::StatusOr<std::unique_ptr<CsvRecords>> Open(const std::string& path, char separator,
                                                          bool quoting);

  // The next record that is not a blank line; its text lives until the next call. False at the end
  // of the file. Errors read `file:line: what`.
  absl::StatusOr<bool> Next(Record* record);

 private:
  CsvRecords(std::string path, std::unique_ptr<ByteSource> source, char separator, bool quoting)
      : path_(std::move(path)),
        source_(std::move(source)),
        separator_(separator),
        quoting_(quoting) {}

  absl::Status ReadMore();

  std::string path_;
  std::unique_ptr<ByteSource> source_;
  const char separator_;
  const bool quoting_;
  std::string buffer_;
  size_t begin_ = 0;  // of the next record in buffer_
  bool at_end_ = false;
  int64_t next_line_ = 1;  // of the record at begin_
};

}  // namespace frond
