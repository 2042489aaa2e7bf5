// The tensor axis as layers see it (Shoeybi et al., "Megatron-LM", 2019; sequence parallelism:
// Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", 2022).
//
// Between blocks every rank holds its own rows of the activations: all of them, or, with sequence
// parallelism, an equal share. A block's input is made whole (Whole), its column-parallel products
// give each rank a part of the features, and its row-parallel product a partial sum of every row
// (Sum). Gradients go the same way back. One rank alone holds all and every call is free.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/nn/param_slice.h"
#include "core/tensor/tensor.h"
#include "dist/communicator.h"

namespace frond {

class TensorAxis {
 public:
  // An axis of one rank.
  TensorAxis() = default;
  // `ranks` outlives the axis.
  explicit TensorAxis(Communicator& ranks, bool sequence_parallel = false);

  int size() const { return ranks_ == nullptr ? 1 : ranks_->size(); }
  AxisPlace place() const {
    return {.rank = ranks_ == nullptr ? 0 : ranks_->rank(), .size = size()};
  }
  // This rank's part of `count` heads, features or ids, a multiple of the axis's size.
  int64_t Part(int64_t count) const;
  // The first of them.
  int64_t PartBegin(int64_t count) const { return place().rank * Part(count); }
  // The same ranks without sequence parallelism: for few rows, of any number.
  TensorAxis WithWholeRows() const;

  // Rows of a side are a multiple of it.
  int64_t row_unit() const { return shares_rows_ ? size() : 1; }
  // This rank's own rows of `rows`, of which it has the OwnBegin-th to the OwnBegin + Own-th.
  int64_t Own(int64_t rows) const;
  int64_t OwnBegin(int64_t rows) const { return shares_rows_ ? place().rank * Own(rows) : 0; }

  // All rows [T, d] from each rank's own [Own(T), d]. The result may borrow `own`, or lie in
  // `buffer`. Collective.
  ConstView Whole(Context& ctx, ConstView own, Tensor& buffer) const;
  Tensor Whole(Context& ctx, Tensor own) const;

  // A sum under way. Wait must be called.
  class StartedSum {
   public:
    Tensor Wait();

   private:
    friend class TensorAxis;
    Tensor partial_, own_;
    Pending pending_;
  };
  // This rank's own rows [Own(T), d] of the sum of all ranks' `partial` [T, d]. The other form
  // goes on while the caller does what does not need it. Collective.
  Tensor Sum(Context& ctx, Tensor partial) const;
  StartedSum StartSum(Context& ctx, Tensor partial) const;

  // `target` += what `add` adds to a view like it, over the own rows of all ranks, where `add`
  // works on this rank's own rows: the gradient of a parameter that every rank holds. Collective.
  void AddOverRows(Context& ctx, View target, const std::function<void(View)>& add) const;

  // All columns [R, n C] from each rank's part of them [R, C]. Collective.
  Tensor WholeColumns(Context& ctx, Tensor part) const;

  // parts [n R, ...]: rank r's `part` [R, ...] at rows [r R, (r + 1) R). Collective.
  void Gather(Context& ctx, ConstView part, View parts) const;

  // Numbers that every rank of the axis has, made zero on all but the first: ready for a sum over
  // all ranks of a mesh.
  void CountOnce(std::span<double> numbers) const;

  // Of host-side facts. Collective.
  void SumNumbers(std::span<double> numbers) const;
  std::vector<std::string> AllGatherBytes(absl::string_view bytes) const;

 private:
  Communicator* ranks_ = nullptr;
  bool shares_rows_ = false;
};

}  // namespace frond
