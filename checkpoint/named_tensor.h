// A tensor, or a rank's part of one, and the name it has in files.
#pragma once

#include <optional>
#include <string>

#include "core/nn/param_slice.h"
#include "core/ops/master.h"
#include "core/tensor/tensor.h"

namespace frond {

// Which part of a tensor is held. Files know whole tensors only.
struct TensorPart {
  Shape whole;
  ParamSlice slice;
};

// Borrows the memory of `value`, which stays with its owner.
struct NamedTensor {
  std::string name;
  View value;
  Allocator* memory = nullptr;  // in which `value` lies; null: the host's
  View low = {};                // of a split master, whose high half is `value`; see MasterView
  // Without it, `value` is the whole tensor. With it, `value` has the elements of the slice, in its
  // order.
  std::optional<TensorPart> part = {};

  MasterView master() const { return {value, low}; }
  // What files hold of it.
  DType dtype() const { return master().exact_dtype(); }
  Shape whole_shape() const { return part ? part->whole : value.shape; }
  ParamSlice slice() const {
    if (part) return part->slice;
    // A scalar is one row.
    return ParamSlice::Whole(value.shape.rank() == 0 ? Shape{1} : value.shape);
  }
};

}  // namespace frond
