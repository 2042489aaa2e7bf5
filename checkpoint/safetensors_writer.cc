#include "checkpoint/safetensors_writer.h"

#include <algorithm>
#include <utility>

#include "checkpoint/cell_sum.h"
#include "checkpoint/stored_type.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/ops/master_pieces.h"

namespace frond {
namespace {

// Small enough to stay in the cache between conversion, checksum and write.
constexpr int64_t kChunkBytes = 1 << 19;

SafetensorsSpec SpecOf(const NamedTensor& tensor) {
  return {tensor.name, tensor.dtype(), tensor.whole_shape()};
}

// The elements [first, first + count) of `piece` as `dtype`: where they are, or converted into
// `buffer`.
absl::string_view Encoded(ConstView piece, int64_t first, int64_t count, DType dtype,
                          std::vector<char>& buffer) {
  const size_t bytes = static_cast<size_t>(count) * DTypeSize(dtype);
  if (piece.dtype == dtype) {
    return {static_cast<const char*>(piece.data) + static_cast<size_t>(first) * DTypeSize(dtype),
            bytes};
  }
  buffer.resize(kChunkBytes);
  EncodeElements(piece, first, count, dtype, buffer.data());
  return {buffer.data(), bytes};
}

}  // namespace

absl::Status SafetensorsWriter::CreateFile(const std::string& folder,
                                           const SafetensorsLayout& layout) {
  return CreateFileOfSize(JoinPath(folder, layout.path), layout.size);
}

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Open(
    const std::string& folder, const SafetensorsLayout& layout) {
  ASSIGN_OR_RETURN(std::unique_ptr<RangeWriter> file,
                   RangeWriter::Open(JoinPath(folder, layout.path)));
  return std::unique_ptr<SafetensorsWriter>(new SafetensorsWriter(std::move(file), layout));
}

absl::Status SafetensorsWriter::WriteHeader() {
  CellSum cells(layout_->header.size(), 0);
  cells.Add(layout_->header);
  shares_.push_back({.range = 0, .cells = cells.cells(), .sum = cells.sum()});
  return file_->WriteAt(0, layout_->header);
}

absl::Status SafetensorsWriter::WriteRows(size_t index, const NamedTensor& rows) {
  const SafetensorsSpec& spec = layout_->specs[index];
  const ParamSlice slice = rows.slice();
  CHECK_EQ(rows.name, spec.name);
  CHECK_EQ(rows.whole_shape(), spec.shape) << spec.name;
  CHECK_EQ(slice.cols, slice.whole_cols) << spec.name << ": whole rows are written";
  CHECK_EQ(rows.value.num_elements(), slice.num_elements()) << spec.name;
  if (slice.num_elements() == 0) return absl::OkStatus();
  const auto first_row = static_cast<uint64_t>(slice.first_row);
  CellSum cells(spec.row_bytes(), first_row);
  uint64_t at = layout_->offsets[index] + first_row * spec.row_bytes();
  const int64_t chunk = kChunkBytes / static_cast<int64_t>(DTypeSize(spec.dtype));
  RETURN_IF_ERROR(
      ReadMasterInPieces(rows.memory, rows.master(), [&](int64_t, ConstView piece) -> absl::Status {
        const int64_t count = piece.num_elements();
        for (int64_t first = 0; first < count; first += chunk) {
          const absl::string_view bytes =
              Encoded(piece, first, std::min(chunk, count - first), spec.dtype, buffer_);
          cells.Add(bytes);
          RETURN_IF_ERROR(file_->WriteAt(at, bytes));
          at += bytes.size();
        }
        return absl::OkStatus();
      }));
  CHECK_EQ(cells.cells(), static_cast<uint64_t>(slice.rows)) << spec.name;
  shares_.push_back(
      {.range = static_cast<uint32_t>(1 + index), .cells = cells.cells(), .sum = cells.sum()});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RangeShare>> SafetensorsWriter::Close() {
  RETURN_IF_ERROR(file_->Close());
  return std::move(shares_);
}

PlannedFile PlanSafetensors(const std::string& path, std::span<const NamedTensor> tensors) {
  PlannedFile file;
  for (size_t i = 0; i < tensors.size(); ++i) file.tensors.push_back(i);
  std::stable_sort(file.tensors.begin(), file.tensors.end(), [&](size_t a, size_t b) {
    return DTypeSize(tensors[a].dtype()) > DTypeSize(tensors[b].dtype());
  });
  std::vector<SafetensorsSpec> specs;
  for (const size_t i : file.tensors) specs.push_back(SpecOf(tensors[i]));
  file.layout = LayOutSafetensors(path, std::move(specs));
  return file;
}

absl::StatusOr<FileRecord> WritePlannedFile(const std::string& folder, const PlannedFile& file,
                                            std::span<const NamedTensor> tensors) {
  RETURN_IF_ERROR(SafetensorsWriter::CreateFile(folder, file.layout));
  ASSIGN_OR_RETURN(auto writer, SafetensorsWriter::Open(folder, file.layout));
  RETURN_IF_ERROR(writer->WriteHeader());
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    RETURN_IF_ERROR(writer->WriteRows(i, tensors[file.tensors[i]]));
  }
  ASSIGN_OR_RETURN(const std::vector<RangeShare> shares, writer->Close());
  return JoinShares(file.layout, shares);
}

absl::StatusOr<FileRecord> WriteSafetensors(const std::string& path,
                                            std::span<const NamedTensor> tensors) {
  return WritePlannedFile("", PlanSafetensors(path, tensors), tensors);
}

}  // namespace frond
