// The examples of a list of data files, one after the other, for those who need no threads.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "data/example.h"
#include "data/row_reader.h"

namespace frond {

class ExampleReader {
 public:
  ExampleReader(std::vector<RowFile> files, RowLayout layout)
      : files_(std::move(files)), layout_(std::move(layout)) {}

  // False behind the last row of the last file. Errors read `file:line: what` and end the reading.
  absl::StatusOr<bool> Next(Example* example);

 private:
  std::vector<RowFile> files_;
  RowLayout layout_;
  size_t next_file_ = 0;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<RowBlock> block_;
  size_t next_row_ = 0;
};

}  // namespace frond
