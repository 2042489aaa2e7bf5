#include "data/example_reader.h"

#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr size_t kBlockBytes = 128 << 10;

}  // namespace

absl::StatusOr<bool> ExampleReader::Next(Example* example) {
  while (block_ == nullptr || next_row_ == block_->num_rows()) {
    block_.reset();
    next_row_ = 0;
    if (reader_ == nullptr) {
      if (next_file_ == files_.size()) return false;
      ASSIGN_OR_RETURN(reader_, RowReader::Open(files_[next_file_++], layout_));
    }
    ASSIGN_OR_RETURN(block_, reader_->Next(kBlockBytes));
    if (block_ == nullptr) reader_.reset();
  }
  RETURN_IF_ERROR(block_->ReadExample(next_row_++, example));
  return true;
}

}  // namespace frond
