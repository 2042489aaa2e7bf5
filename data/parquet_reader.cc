#include "data/parquet_reader.h"

#include <arrow/api.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/arrow_json.h"
#include "data/message_text.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

constexpr int64_t kMaxBatchRows = 65536;
constexpr size_t kMaxReasonBytes = 300;

// A field of an Example and the column that holds it.
struct Slot {
  std::string Example::*text;
  int column;
};

struct Columns {
  std::vector<Slot> slots;
  absl::Status lacks;  // why no Example can be made of a row
};

class ParquetBlock : public RowBlock {
 public:
  ParquetBlock(std::shared_ptr<const Origin> origin, std::shared_ptr<const Columns> columns,
               std::shared_ptr<const arrow::RecordBatch> batch, int64_t first_row)
      : RowBlock(std::move(origin)),
        columns_(std::move(columns)),
        batch_(std::move(batch)),
        first_row_(first_row) {}

  size_t num_rows() const override { return static_cast<size_t>(batch_->num_rows()); }
  int64_t number(size_t row) const override { return first_row_ + static_cast<int64_t>(row); }

  absl::Status ReadExample(size_t row, Example* example) const override {
    *example = Example();
    RETURN_IF_ERROR(columns_->lacks);
    for (const Slot& slot : columns_->slots) {
      const absl::StatusOr<std::string> text =
          ArrowText(*batch_->column(slot.column), static_cast<int64_t>(row));
      if (!text.ok()) return AtRow(row, InColumn(slot.column, text.status()));
      example->*slot.text = *text;
    }
    return AtRow(row, CompleteExample(layout(), example));
  }

  absl::Status ReadRaw(size_t row, nlohmann::json* raw) const override { return Read(row, raw); }

  absl::Status AtRow(size_t row, const absl::Status& status) const override {
    if (status.ok()) return status;
    return absl::Status(status.code(),
                        absl::StrCat(path(), ": row ", number(row), ": ", status.message()));
  }

 private:
  absl::Status ReadOrdered(size_t row, nlohmann::ordered_json* raw) const override {
    return Read(row, raw);
  }

  template <class Json>
  absl::Status Read(size_t row, Json* raw) const {
    *raw = Json::object();
    for (int c = 0; c < batch_->num_columns(); ++c) {
      if (!ArrowIsReadable(*batch_->column(c)->type())) continue;
      const absl::Status status = ArrowJson(*batch_->column(c), static_cast<int64_t>(row),
                                            &(*raw)[batch_->schema()->field(c)->name()]);
      if (!status.ok()) return AtRow(row, InColumn(c, status));
    }
    return absl::OkStatus();
  }

  absl::Status InColumn(int column, const absl::Status& status) const {
    return absl::Status(
        status.code(),
        absl::StrCat("column '", batch_->schema()->field(column)->name(), "': ", status.message()));
  }

  std::shared_ptr<const Columns> columns_;
  std::shared_ptr<const arrow::RecordBatch> batch_;
  const int64_t first_row_;
};

absl::Status Failure(const std::string& path, const arrow::Status& status) {
  return absl::DataLossError(absl::StrCat(
      "cannot read '", path, "' as Parquet: ", Excerpt(status.message(), kMaxReasonBytes)));
}

absl::Status WrongType(const std::string& path, const arrow::Field& field) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": column '", field.name(), "' is ",
                                                 Excerpt(field.type()->ToString(), kMaxReasonBytes),
                                                 "; expected text, a number or a boolean"));
}

// Runs `work`; what Parquet throws of damaged files becomes a Result.
template <class Result, class Work>
Result Guarded(const std::string& path, const Work& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    return Failure(path, arrow::Status::Invalid(e.what()));
  }
}

// Where the fields of an Example stand in the file.
Columns ColumnsOf(const RowBlock::Origin& origin, const arrow::Schema& schema) {
  Columns columns;
  const auto at_file = [&origin](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(origin.file.path, ": ", status.message()));
  };
  const std::vector<std::string> names = schema.field_names();
  for (const auto& [name, text] : ExampleFields(origin.layout.fields)) {
    const int column = schema.GetFieldIndex(*name);
    if (column >= 0) {
      columns.slots.push_back({text, column});
      if (!ArrowIsText(*schema.field(column)->type())) {
        columns.lacks.Update(WrongType(origin.file.path, *schema.field(column)));
      }
    } else if (text == &Example::inputs || text == &Example::targets) {
      columns.lacks.Update(at_file(MissingField(*name, names, kNameTheField)));
    } else if (text == &Example::language && origin.layout.default_language.empty()) {
      columns.lacks.Update(at_file(MissingField(*name, names, kNameTheLanguage)));
    }
  }
  return columns;
}

class ParquetReader : public RowReader {
 public:
  explicit ParquetReader(std::shared_ptr<const RowBlock::Origin> origin)
      : origin_(std::move(origin)) {}

  absl::Status Open() {
    const std::string& path = origin_->file.path;
    parquet::arrow::FileReaderBuilder builder;
    if (const auto status = builder.OpenFile(path); !status.ok()) {
      return Failure(path, status);
    }
    parquet::ArrowReaderProperties properties;
    properties.set_use_threads(false);  // rows are parsed by the threads of those who read them
    properties.set_pre_buffer(false);
    builder.properties(properties);
    auto reader = builder.Build();
    if (!reader.ok()) return Failure(path, reader.status());
    reader_ = *std::move(reader);
    std::shared_ptr<arrow::Schema> schema;
    if (const auto status = reader_->GetSchema(&schema); !status.ok()) return Failure(path, status);
    columns_ = std::make_shared<const Columns>(ColumnsOf(*origin_, *schema));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RowBlock>> Next(size_t bytes) override {
    using Result = absl::StatusOr<std::unique_ptr<RowBlock>>;
    return Guarded<Result>(origin_->file.path, [&] { return ReadBlock(bytes); });
  }

 private:
  absl::StatusOr<std::unique_ptr<RowBlock>> ReadBlock(size_t bytes) {
    const std::string& path = origin_->file.path;
    if (batches_ == nullptr) {
      reader_->set_batch_size(RowsOf(bytes));
      auto batches = reader_->GetRecordBatchReader();
      if (!batches.ok()) return Failure(path, batches.status());
      batches_ = *std::move(batches);
    }
    std::shared_ptr<arrow::RecordBatch> batch;
    do {
      if (const auto status = batches_->ReadNext(&batch); !status.ok())
        return Failure(path, status);
      if (batch == nullptr) return nullptr;
    } while (batch->num_rows() == 0);
    const int64_t first_row = std::exchange(next_row_, next_row_ + batch->num_rows());
    return std::make_unique<ParquetBlock>(origin_, columns_, std::move(batch), first_row);
  }

  // Rows of about so many bytes, if all are alike.
  int64_t RowsOf(size_t bytes) const {
    const parquet::FileMetaData& metadata = *reader_->parquet_reader()->metadata();
    int64_t total = 0;
    for (int group = 0; group < metadata.num_row_groups(); ++group) {
      total += metadata.RowGroup(group)->total_byte_size();
    }
    const int64_t row = std::max<int64_t>(total / std::max<int64_t>(metadata.num_rows(), 1), 1);
    return std::clamp<int64_t>(static_cast<int64_t>(bytes) / row, 1, kMaxBatchRows);
  }

  std::shared_ptr<const RowBlock::Origin> origin_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<const Columns> columns_;
  int64_t next_row_ = 1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenParquet(
    std::shared_ptr<const RowBlock::Origin> origin) {
  const std::string path = origin->file.path;
  auto reader = std::make_unique<ParquetReader>(std::move(origin));
  RETURN_IF_ERROR(Guarded<absl::Status>(path, [&] { return reader->Open(); }));
  return reader;
}

}  // namespace frond
