#include "data/example_reader.h"

#include <utility>

#include "core/base/status_macros.h"
#include "data/row_examples.h"

namespace frond {
namespace {

constexpr size_t kBlockBytes = 128 << 10;

}  // namespace

absl::StatusOr<bool> ExampleReader::Next(Example* example) {
  while (next_example_ == examples_.size()) {
    ASSIGN_OR_RETURN(const bool more, EnterBlock());
    if (!more) return false;
    next_example_ = 0;
    RETURN_IF_ERROR(ReadExamples(*block_, next_row_++, templates_.get(), &examples_));
  }
  *example = std::move(examples_[next_example_++]);
  return true;
}

absl::StatusOr<bool> ExampleReader::EnterBlock() {
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
  return true;
}

}  // namespace frond
