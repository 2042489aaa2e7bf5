#include "data/csv_reader.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/csv_records.h"
#include "data/jsonl_reader.h"
#include "data/message_text.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

// A field of an Example and the column that holds it.
struct Slot {
  std::string Example::*text;
  size_t column;
};

struct Columns {
  std::vector<std::string> names;
  std::vector<Slot> slots;
  absl::Status lacks;  // what an Example needs and no column has
};

// Records that follow each other, all of as many fields as there are columns.
class CsvBlock : public RowBlock {
 public:
  CsvBlock(std::shared_ptr<const Origin> origin, std::shared_ptr<const Columns> columns)
      : RowBlock(std::move(origin)), columns_(std::move(columns)) {}

  void Append(const CsvRecords::Record& record) {
    records_.push_back({text_.size(), record.text.size(), record.line_number});
    text_.append(record.text.data(), record.text.size());
    fields_.insert(fields_.end(), record.fields.begin(), record.fields.end());
  }
  size_t num_bytes() const { return text_.size(); }

  size_t num_rows() const override { return records_.size(); }
  int64_t number(size_t row) const override { return records_[row].line_number; }

  absl::Status ReadExample(size_t row, Example* example) const override {
    *example = Example();
    RETURN_IF_ERROR(AtRow(row, columns_->lacks));
    RETURN_IF_ERROR(AtRow(row, CheckUtf8(record(row))));
    for (const Slot& slot : columns_->slots) example->*slot.text = Text(row, slot.column);
    return AtRow(row, CompleteExample(layout(), example));
  }

  absl::Status ReadRaw(size_t row, nlohmann::json* raw) const override { return Read(row, raw); }

 private:
  struct Place {
    size_t begin;  // in text_
    size_t size;
    int64_t line_number;
  };

  absl::Status ReadOrdered(size_t row, nlohmann::ordered_json* raw) const override {
    return Read(row, raw);
  }

  template <class Json>
  absl::Status Read(size_t row, Json* raw) const {
    RETURN_IF_ERROR(AtRow(row, CheckUtf8(record(row))));
    *raw = Json::object();
    for (size_t c = 0; c < columns_->names.size(); ++c) (*raw)[columns_->names[c]] = Text(row, c);
    return absl::OkStatus();
  }

  absl::string_view record(size_t row) const {
    return absl::string_view(text_).substr(records_[row].begin, records_[row].size);
  }
  std::string Text(size_t row, size_t column) const {
    return CsvText(record(row), fields_[row * columns_->names.size() + column]);
  }

  std::shared_ptr<const Columns> columns_;
  std::string text_;
  std::vector<Place> records_;
  std::vector<CsvField> fields_;  // of all records
};

class CsvReader : public RowReader {
 public:
  CsvReader(std::shared_ptr<const RowBlock::Origin> origin, std::unique_ptr<CsvRecords> records)
      : origin_(std::move(origin)), records_(std::move(records)) {}

  // Learns the columns.
  absl::Status Start() {
    auto columns = std::make_shared<Columns>();
    columns_ = columns;
    const RowLayout& layout = origin_->layout;
    ASSIGN_OR_RETURN(const bool any, records_->Next(&record_));
    if (!any) return absl::OkStatus();
    std::vector<std::string> first;
    for (const CsvField& field : record_.fields) first.push_back(CsvText(record_.text, field));
    if (layout.columns.empty()) {
      RETURN_IF_ERROR(AtRecord(CheckUtf8(record_.text)));
      columns->names = std::move(first);
    } else {
      columns->names = layout.columns;
      has_record_ = true;
      if (first == layout.columns) {
        return AtRecord(absl::InvalidArgumentError(
            "the first row holds the names that 'column' gives; take 'column' away"));
      }
    }
    return AtRecord(FillSlots(columns.get()));
  }

  absl::StatusOr<std::unique_ptr<RowBlock>> Next(size_t bytes) override {
    RETURN_IF_ERROR(status_);
    auto block = std::make_unique<CsvBlock>(origin_, columns_);
    while (block->num_bytes() < bytes) {
      status_ = Advance();
      if (!status_.ok() || !has_record_) break;
      block->Append(record_);
      has_record_ = false;
    }
    if (block->num_rows() > 0) return block;
    RETURN_IF_ERROR(status_);
    return nullptr;
  }

 private:
  // Makes record_ the next one, unless the file is at its end.
  absl::Status Advance() {
    if (!has_record_) {
      ASSIGN_OR_RETURN(has_record_, records_->Next(&record_));
    }
    const size_t wanted = columns_->names.size();
    if (!has_record_ || record_.fields.size() == wanted) return absl::OkStatus();
    return AtRecord(absl::InvalidArgumentError(
        absl::StrCat("the row has ", record_.fields.size(),
                     record_.fields.size() == 1 ? " column; " : " columns; ",
                     origin_->layout.columns.empty() ? "the first row names " : "'column' names ",
                     wanted, " (", NamesShown(columns_->names), ")")));
  }

  absl::Status FillSlots(Columns* columns) const {
    const std::vector<std::string>& names = columns->names;
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (std::find(names.begin(), name, *name) == name) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("two columns are called '", NamesShown({name, name + 1}), "'"));
    }
    for (const auto& [name, text] : ExampleFields(origin_->layout.fields)) {
      const auto found = std::find(names.begin(), names.end(), *name);
      if (found != names.end()) {
        columns->slots.push_back({text, static_cast<size_t>(found - names.begin())});
      } else if (text == &Example::inputs || text == &Example::targets) {
        columns->lacks.Update(MissingField(*name, names, kNameTheField));
      } else if (text == &Example::language && origin_->layout.default_language.empty()) {
        columns->lacks.Update(MissingField(*name, names, kNameTheLanguage));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AtRecord(const absl::Status& status) const {
    return AtLine(status, origin_->file.path, record_.line_number);
  }

  std::shared_ptr<const RowBlock::Origin> origin_;
  std::unique_ptr<CsvRecords> records_;
  std::shared_ptr<const Columns> columns_;
  CsvRecords::Record record_;
  bool has_record_ = false;  // record_ is to be given next
  absl::Status status_;      // why no more rows can be given
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenCsv(std::shared_ptr<const RowBlock::Origin> origin,
                                                   char separator) {
  ASSIGN_OR_RETURN(auto records,
                   CsvRecords::Open(origin->file.path, separator, origin->layout.quoting));
  auto reader = std::make_unique<CsvReader>(std::move(origin), std::move(records));
  RETURN_IF_ERROR(reader->Start());
  return reader;
}

}  // namespace frond
