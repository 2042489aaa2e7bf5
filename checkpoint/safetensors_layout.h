// Where the bytes of a safetensors file lie: a pure function of its tensors' names, dtypes and
// whole shapes, so that every rank that writes a part of the file knows every offset.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "core/tensor/tensor.h"

namespace frond {

// A tensor as it will stand in a file.
struct SafetensorsSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;  // of the whole tensor

  uint64_t bytes() const { return static_cast<uint64_t>(shape.num_elements()) * DTypeSize(dtype); }
  // Of one row, the unit that is written and summed by one rank; a scalar is one row.
  uint64_t row_bytes() const {
    const int64_t elements = shape.rank() == 0 ? 1 : shape.row_size();
    return static_cast<uint64_t>(elements) * DTypeSize(dtype);
  }
};

struct SafetensorsLayout {
  std::string path;    // relative to a checkpoint's folder, or whole
  std::string header;  // with its length before it
  std::vector<SafetensorsSpec> specs;
  std::vector<uint64_t> offsets;  // of each tensor's bytes, from the begin of the file
  uint64_t size = 0;
};

// `specs` in file order: names distinct, wider elements before narrower ones (CHECKed), so that
// every tensor is aligned to its element.
SafetensorsLayout LayOutSafetensors(std::string path, std::vector<SafetensorsSpec> specs);

// What one writer has written of one range of a file: range 0 is the header, range 1 + i tensor i.
struct RangeShare {
  uint32_t range = 0;
  uint64_t cells = 0;
  uint64_t sum = 0;  // of these cells; see CellSum
};

// The record of the file from the shares of all its writers. Shares that do not make up the whole
// file are an error.
absl::StatusOr<FileRecord> JoinShares(const SafetensorsLayout& layout,
                                      std::span<const RangeShare> shares);

}  // namespace frond
