// The rows of a data file, in two steps: a reader cuts the file into blocks of rows, which is
// serial and cheap; a block parses its rows, on any thread. A row becomes an Example straight away,
// or JSON with all of its fields for templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/example.h"
#include "data/row_layout.h"
#include "nlohmann/json_fwd.hpp"

namespace frond {

// A file and what is known of it before it is opened.
struct RowFile {
  std::string path;
  // Not empty: the files are plain text, this one's lines the targets of those of `path`.
  std::string target_path = {};
  // What the path says; empty: nothing. Rows have it where neither they nor the layout say another.
  std::string language = {};
};

// Some rows of one file that follow each other. Immutable; it needs its reader no more.
class RowBlock {
 public:
  // What the blocks of a file share.
  struct Origin {
    RowFile file;
    RowLayout layout;
  };

  virtual ~RowBlock() = default;
  RowBlock(const RowBlock&) = delete;
  RowBlock& operator=(const RowBlock&) = delete;

  virtual size_t num_rows() const = 0;
  // Where a row stands in its file, from 1: the number of its line, or of the row where it has
  // none.
  virtual int64_t number(size_t row) const = 0;
  const std::string& path() const { return origin_->file.path; }

  // Errors of these begin with the row's place, `file:line: `. All text they give is valid UTF-8.

  // Numbers and booleans become text, null counts as missing, other fields are ignored. Errors: a
  // malformed row, a needed field that is missing or no text, an empty target.
  virtual absl::Status ReadExample(size_t row, Example* example) const = 0;

  // Sets `raw` to an object with all fields of the row under their names in the file, nested values
  // as they are. Inputs and targets need not be among them.
  virtual absl::Status ReadRaw(size_t row, nlohmann::json* raw) const = 0;

  // The row as one line of JSON: as it stands in the file where the file is JSONL whose path says
  // nothing of the language, else with the language that the path or the source gives. Lives as
  // long as the block and `storage`, which it may fill.
  virtual absl::StatusOr<absl::string_view> ReadLine(size_t row, std::string* storage) const;

  // What `raw`, which ReadRaw gave for `row`, says of an example beside its texts: everything but
  // inputs and targets. A row without language, where the source gives none either, is an error.
  absl::Status ReadNames(size_t row, const nlohmann::json& raw, Example* example) const;

  // An error about a row, with the row's place before its message.
  virtual absl::Status AtRow(size_t row, const absl::Status& status) const;

 protected:
  explicit RowBlock(std::shared_ptr<const Origin> origin) : origin_(std::move(origin)) {}
  const RowFile& file() const { return origin_->file; }
  const RowLayout& layout() const { return origin_->layout; }

  // ReadRaw with the fields in the file's order.
  virtual absl::Status ReadOrdered(size_t row, nlohmann::ordered_json* raw) const = 0;

 private:
  std::shared_ptr<const Origin> origin_;
};

// The rows of one file in order. Errors read `file:line: what`.
class RowReader {
 public:
  static absl::StatusOr<std::unique_ptr<RowReader>> Open(const RowFile& file,
                                                         const RowLayout& layout);

  virtual ~RowReader() = default;
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  // The next rows, at least one and about `bytes` of the file; nullptr at its end. Rows before a
  // place that cannot be read are given before the error is.
  virtual absl::StatusOr<std::unique_ptr<RowBlock>> Next(size_t bytes) = 0;

 protected:
  RowReader() = default;
};

}  // namespace frond
