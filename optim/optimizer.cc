#include "optim/optimizer.h"

#include <utility>

#include "core/base/check.h"
#include "core/tensor/repeated_work.h"

namespace frond {
namespace {

// Of whole parameters in a group: enough that its collectives cost nothing beside its update, few
// enough that its sums need no memory worth counting.
constexpr int64_t kGroupElements = int64_t{1} << 28;

// CHECKs that `slice` is some rows of `part`.
void CheckRows(const ParamSlice& slice, const ParamSlice& part) {
  CHECK(slice.first_col == part.first_col && slice.cols == part.cols);
  CHECK(part.first_row <= slice.first_row && slice.rows >= 0 &&
        slice.first_row + slice.rows <= part.first_row + part.rows)
      << "rows from " << slice.first_row << " on, " << slice.rows << " of them";
}

}  // namespace

Shape OwnedShape(const Shape& whole, const ParamSlice& slice) {
  return whole.rank() == 2 ? Shape{slice.rows, slice.cols} : Shape{slice.rows};
}

void Optimizer::Register(Context& ctx, const ParamStore& store, Ownership ownership) {
  CHECK(owned_.empty()) << "registered twice";
  const int tensor_ranks = ownership.tensor == nullptr ? 1 : ownership.tensor->size();
  CHECK_EQ(tensor_ranks, store.tensor().size) << "the optimizer's tensor axis and the store's";
  ownership_ = std::move(ownership);
  // An axis of one rank has no sums.
  for (Communicator** axis : {&ownership_.tensor, &ownership_.data}) {
    if (*axis != nullptr && (*axis)->size() == 1) *axis = nullptr;
  }
  for (const auto& param : store.params()) {
    CHECK_LE(param->spec.shape.rank(), 2) << param->name << " has shape " << param->spec.shape;
    const Owned owned = {
        .name = param->name,
        .slice = ownership_.slice == nullptr ? param->slice : ownership_.slice(*param),
        .tensor_dim = tensor_ranks == 1 ? -1 : param->spec.partition.split_dim};
    CheckRows(owned.slice, param->slice);
    CHECK(ownership_.data != nullptr || owned.slice.rows == param->slice.rows)
        << param->name << ": nobody owns the other rows";
    AddState(ctx, *param, owned, store.master_dtype());
    owned_.push_back(owned);
  }
}

void Optimizer::Check(const ParamUpdate& update) const {
  const Param& param = *update.param;
  CHECK_LT(static_cast<size_t>(param.index), owned_.size()) << param.name << " is not registered";
  const Owned& owned = OwnedOf(param);
  CHECK_EQ(owned.name, param.name);
  CHECK_EQ(update.grad.shape, OwnedShape(param.spec.shape, owned.slice)) << param.name;
  CHECK_EQ(update.master.value.num_elements(), update.grad.num_elements()) << param.name;
}

void Optimizer::Run(Context& ctx, std::span<const ParamUpdate> group, const StepInfo& info) {
  if (ownership_.tensor != nullptr || ownership_.data != nullptr) {
    return UpdateGroup(ctx, group, info);
  }
  const WorkKey key = {
      .owner = this, .part = group.front().param->index, .shape = std::ssize(group)};
  RunRepeated(ctx, key, [&] { UpdateGroup(ctx, group, info); });
}

void Optimizer::Update(Context& ctx, std::span<const ParamUpdate> updates, const StepInfo& info) {
  for (const ParamUpdate& update : updates) Check(update);
  // By whole sizes, so that all ranks cut alike.
  size_t begin = 0;
  int64_t elements = 0;
  for (size_t i = 0; i < updates.size(); ++i) {
    const int64_t next = updates[i].param->spec.shape.num_elements();
    if (i > begin && elements + next > kGroupElements) {
      Run(ctx, updates.subspan(begin, i - begin), info);
      begin = i;
      elements = 0;
    }
    elements += next;
  }
  if (begin < updates.size()) Run(ctx, updates.subspan(begin), info);
}

void Optimizer::Update(Context& ctx, Param& param, ConstView grad, const StepInfo& info) {
  const ParamUpdate update = {.param = &param, .master = param.master(), .grad = grad};
  Update(ctx, {&update, 1}, info);
}

}  // namespace frond
