// The examples of a list of data files, one after the other, for those who need no threads.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "data/example.h"
#include "data/row_reader.h"
#include "data/templates/row_templates.h"

namespace frond {

class ExampleReader {
 public:
  // With `templates`, rows hold raw fields; those of one row follow each other.
  ExampleReader(std::vector<RowFile> files, RowLayout layout,
                std::shared_ptr<const RowTemplates> templates = nullptr)
      : files_(std::move(files)), layout_(std::move(layout)), templates_(std::move(templates)) {}

  // False behind the last row of the last file. Errors read `file:line: what` and end the reading.
  absl::StatusOr<bool> Next(Example* example);

 private:
  // Makes `block_` hold the row `next_row_`; false behind the last row.
  absl::StatusOr<bool> EnterBlock();

  std::vector<RowFile> files_;
  RowLayout layout_;
  std::shared_ptr<const RowTemplates> templates_;
  size_t next_file_ = 0;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<RowBlock> block_;
  size_t next_row_ = 0;
  std::vector<Example> examples_;  // of the last row read
  size_t next_example_ = 0;
};

}  // namespace frond
