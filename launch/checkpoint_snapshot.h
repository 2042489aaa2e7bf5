// What a rank is to write of a checkpoint, copied while training stands still.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "checkpoint/checkpoint_files.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/row_sharing.h"
#include "dist/communicator.h"

namespace frond {

class CheckpointSnapshot {
 public:
  // Shares the rows of all tensors out among the ranks of `world`, and copies this rank's into host
  // memory, in the dtypes of the masters; without `copy` it borrows them where it can. Columns that
  // are split over `tensor`, this rank's tensor axis, are brought together for that, so that every
  // rank has whole rows: a few MB at a time travel through the memory of `ctx`, in which tensors
  // lie that are not the host's. Every rank gives the same tensors in the same order, and together
  // they hold all of them. Collective over the world.
  static CheckpointSnapshot Take(Context& ctx, Communicator& world, Communicator& tensor,
                                 std::span<const NamedTensor> tensors, int64_t min_piece_bytes,
                                 bool copy);

  std::span<const TensorRows> rows() const { return rows_; }
  // Frees the memory of rows()[i], if they are a copy.
  void Release(size_t i) { memory_[i].reset(); }

 private:
  std::vector<TensorRows> rows_;
  std::vector<std::unique_ptr<char[]>> memory_;  // of each of the rows; null: borrowed

  // Memory for the rows.
  char* Add(size_t tensor, const NamedTensor& source, const RowShare& share);
  void Borrow(size_t tensor, const NamedTensor& source, const RowShare& share);
};

}  // namespace frond
