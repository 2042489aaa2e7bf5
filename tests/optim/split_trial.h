// Updates of parameters that lie split over ranks, to be compared with the update of the whole: the
// parameters, a rank of a mesh, and the comparison, on any device.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/tensor/transfer.h"
#include "dist/communicator.h"
#include "optim/optimizer.h"

namespace frond::testing {

using Values = std::vector<double>;
using Tensors = std::map<std::string, Values>;  // whole ones; NaN where a rank has no part of it

inline constexpr int kSteps = 10;
inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

struct Declared {
  const char* name;
  Shape shape;
  int split_dim;
};

// Split dims divide by four; rows seldom divide among the ranks that share them out, and those of
// the last ones are not enough for all.
inline std::vector<Declared> Parameters() {
  return {{"rows_split", {52, 17}, 0},      {"cols_split", {17, 52}, 1},
          {"both_whole", {19, 23}, -1},     {"few_rows_split", {8, 33}, 0},
          {"few_rows", {5, 40}, -1},        {"table_cols_split", {33, 4}, 1},
          {"table_rows_split", {44, 3}, 0}, {"vector", {29}, -1},
          {"vector_split", {12}, 0},        {"scalar", {1}, -1}};
}

// Small matrices are factored too: also those whose parts have fewer rows or columns than this.
inline constexpr int64_t kFactored = 5;

struct Recipe {
  std::function<std::unique_ptr<Optimizer>()> make;
  DType compute = DType::kF64;
  MasterFormat masters = MasterFormat::kWhole;
  uint64_t seed = std::random_device{}();
};

struct Results {
  Tensors weights, state;
};

// A rank with what it holds and owns.
class Trial {
 public:
  // `memory` outlives the trial.
  Trial(const Recipe& recipe, Allocator& memory, const AxisPlace& tensor,
        const Ownership& ownership)
      : recipe_(recipe),
        ctx_(memory),
        store_(recipe.compute, recipe.masters, tensor),
        optimizer_(recipe.make()) {
    for (const Declared& declared : Parameters()) {
      store_.Add(Scope(declared.name), {.shape = declared.shape,
                                        .partition = Partition::Split(declared.split_dim),
                                        .init = {},
                                        .use = ParamUse::kMatrix});
    }
    store_.Allocate(ctx_);
    optimizer_->Register(ctx_, store_, ownership);
    for (const auto& param : store_.params()) {
      owned_.push_back(ownership.slice == nullptr ? param->slice : ownership.slice(*param));
      Tensor weights = Draw(*param, param->slice, 0);
      WriteMaster(ctx_, weights, param->master());
    }
  }

  void Step(int64_t step) {
    std::vector<Tensor> grads;
    std::vector<ParamUpdate> updates;
    for (const auto& param : store_.params()) {
      grads.push_back(Draw(*param, OwnedOf(*param), step + 1));
      updates.push_back(
          {.param = param.get(), .master = OwnedMaster(*param), .grad = grads.back()});
    }
    ctx_.rng = {.seed = recipe_.seed, .step = static_cast<uint64_t>(step)};
    optimizer_->Update(ctx_, updates,
                       {.step = step,
                        .learning_rate = 0.05 / static_cast<double>(step + 1),
                        .gradient_scale = step % 2 == 0 ? 1 : 0.37});
  }

  Results Read() {
    Results results;
    for (const auto& param : store_.params()) {
      const ParamSlice& slice = OwnedOf(*param);
      Tensor plain(ctx_, {slice.num_elements()}, store_.master_dtype());
      ReadMaster(ctx_, OwnedMaster(*param), plain);
      results.weights[param->name] = Whole(plain, slice);
    }
    for (const OptimizerSlot& slot : optimizer_->Slots()) {
      results.state[slot.name] = Whole(slot.value, slot.slice);
    }
    return results;
  }

 private:
  const ParamSlice& OwnedOf(const Param& param) const {
    return owned_[static_cast<size_t>(param.index)];
  }
  MasterView OwnedMaster(Param& param) const {
    const ParamSlice& owned = OwnedOf(param);
    return Slice(param.master(), (owned.first_row - param.slice.first_row) * owned.cols,
                 owned.num_elements());
  }

  // A slice of random numbers whose sizes differ from row to row and from column to column.
  Tensor Draw(const Param& param, const ParamSlice& slice, int64_t what) {
    const int64_t n = slice.num_elements();
    const uint64_t key =
        MixBits(recipe_.seed ^ MixBits(static_cast<uint64_t>(100 * param.index + what)));
    std::vector<double> values(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = slice.WholeIndex(i);
      const auto row = static_cast<double>(at / slice.whole_cols);
      const auto col = static_cast<double>(at % slice.whole_cols);
      const double size = std::exp(std::sin(row) + 0.7 * std::cos(3 * col) + 0.02 * row);
      values[static_cast<size_t>(i)] = size * NormalAt(key, static_cast<uint64_t>(at));
    }
    Tensor x(ctx_, OwnedShape(param.spec.shape, slice), store_.master_dtype());
    if (x.dtype() == DType::kF64) {
      CopyFromHost(ctx_, values.data(), x);
    } else {
      const std::vector<float> floats(values.begin(), values.end());
      CopyFromHost(ctx_, floats.data(), x);
    }
    return x;
  }

  Values Whole(ConstView x, const ParamSlice& slice) {
    EXPECT_EQ(x.num_elements(), slice.num_elements());
    const Values part = ToDoubles(ctx_, x);
    Values whole(static_cast<size_t>(slice.whole_rows * slice.whole_cols), kMissing);
    for (int64_t i = 0; i < x.num_elements(); ++i) {
      whole[static_cast<size_t>(slice.WholeIndex(i))] = part[static_cast<size_t>(i)];
    }
    return whole;
  }

  Recipe recipe_;
  Context ctx_;
  ParamStore store_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<ParamSlice> owned_;
};

inline Results RunWhole(const Recipe& recipe, Allocator& memory) {
  Trial trial(recipe, memory, {}, {});
  for (int64_t step = 0; step < kSteps; ++step) trial.Step(step);
  return trial.Read();
}

inline Ownership OwnershipOf(Communicator& tensor, Communicator& data) {
  const AxisPlace place = {data.rank(), data.size()};
  Ownership ownership;
  ownership.slice = [place](const Param& param) { return param.slice.ShareOfRows(place); };
  ownership.tensor = &tensor;
  ownership.data = &data;
  return ownership;
}

// A rank of a mesh of tensor_ranks ranks for each one that shares rows with others. Collective over
// all of them.
inline Results RunRank(const Recipe& recipe, Allocator& memory, Communicator& world,
                       int tensor_ranks) {
  const auto tensor = world.Split(world.rank() / tensor_ranks, world.rank());
  const auto data = world.Split(world.rank() % tensor_ranks, world.rank());
  Trial trial(recipe, memory, {tensor->rank(), tensor->size()}, OwnershipOf(*tensor, *data));
  for (int64_t step = 0; step < kSteps; ++step) trial.Step(step);
  return trial.Read();
}

struct Comparison {
  double worst = 0;       // error
  int64_t differing = 0;  // elements
  int64_t elements = 0;
  int64_t missing = 0;  // elements that no rank has
};

// Of all that the ranks have of tensors, which member `of` of their results holds.
inline Comparison Compare(const std::vector<Results>& ranks, const Results& want,
                          Tensors Results::*of) {
  Comparison found;
  for (const auto& [name, whole] : want.*of) {
    double squares = 0;
    for (const double x : whole) squares += x * x;
    const double rms = std::sqrt(squares / static_cast<double>(whole.size()));
    std::vector<bool> seen(whole.size());
    for (const Results& rank : ranks) {
      const Values& part = (rank.*of).at(name);
      for (size_t i = 0; i < whole.size(); ++i) {
        if (std::isnan(part[i])) continue;
        seen[i] = true;
        ++found.elements;
        found.differing += part[i] != whole[i] ? 1 : 0;
        found.worst =
            std::max(found.worst, std::abs(part[i] - whole[i]) / std::max(std::abs(whole[i]), rms));
      }
    }
    found.missing += std::count(seen.begin(), seen.end(), false);
  }
  return found;
}

}  // namespace frond::testing
