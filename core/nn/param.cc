#include "core/nn/param.h"

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond {

Scope Scope::operator/(absl::string_view child) const {
  if (name_.empty()) return Scope(child);
  return Scope(absl::StrCat(name_, ".", child));
}

Scope Scope::operator/(int index) const { return *this / absl::StrCat(index); }

namespace {

// The part of `whole` that a rank at `place` holds.
ParamSlice PartOf(const Shape& whole, int split_dim, const AxisPlace& place) {
  ParamSlice slice = ParamSlice::Whole(whole);
  if (split_dim < 0 || place.size == 1) return slice;
  CHECK(split_dim == 0 || (split_dim == 1 && whole.rank() == 2)) << split_dim << " of " << whole;
  CHECK_EQ(whole.dim(split_dim) % place.size, 0) << whole << " over " << place.size << " ranks";
  const int64_t part = whole.dim(split_dim) / place.size;
  (split_dim == 0 ? slice.rows : slice.cols) = part;
  (split_dim == 0 ? slice.first_row : slice.first_col) = place.rank * part;
  return slice;
}

}  // namespace

ConstView Param::Weight() const {
  CHECK(is_ready) << name << " is read before it is whole: await its section, or complete all";
  return value;
}

MasterView Param::master() {
  if (!exact.empty()) return {exact};
  return {OwnedRows(value), low};
}

ConstView JoinedParams::Weight() const {
  for (const Param* part : parts) part->Weight();
  return value;
}

namespace {

void AllocateJoined(Context& ctx, DType dtype, JoinedParams& joined) {
  int64_t rows = 0;
  for (const Param* part : joined.parts) rows += part->shape.dim(0);
  joined.value =
      Tensor(ctx, {rows, joined.parts.front()->shape.dim(1)}, dtype, MemoryKind::kParams);
  int64_t begin = 0;
  for (Param* part : joined.parts) {
    part->value = Tensor::PartOf(joined.value, begin, begin + part->shape.dim(0));
    begin += part->shape.dim(0);
  }
}

}  // namespace

ParamStore::ParamStore(DType compute, MasterFormat masters, AxisPlace tensor, AxisPlace shards)
    : compute_(compute), masters_(masters), tensor_(tensor), shards_(shards) {
  CHECK(compute == DType::kF32 || compute == DType::kBF16 || compute == DType::kF64)
      << "parameters cannot be computed with in " << DTypeName(compute);
  CHECK(masters == MasterFormat::kWhole || compute == DType::kBF16)
      << "masters in bf16 for products in " << DTypeName(compute);
}

Param& ParamStore::Add(const Scope& scope, const ParamSpec& spec) {
  CHECK(!scope.name().empty()) << "a parameter without a name";
  CHECK(Find(scope.name()) == nullptr) << "parameter " << scope.name() << " is declared twice";
  auto param = std::make_unique<Param>();
  param->name = scope.name();
  param->spec = spec;
  param->index = static_cast<int>(params_.size());
  param->slice = PartOf(spec.shape, spec.partition.split_dim, tensor_);
  param->shape = spec.shape.rank() == 2 ? Shape{param->slice.rows, param->slice.cols}
                                        : Shape{param->slice.rows};
  param->owned = param->slice.ShareOfRows(shards_);
  param->section = spec.use == ParamUse::kVector ? 0 : num_sections() - 1;
  sections_[static_cast<size_t>(param->section)].push_back(param.get());
  params_.push_back(std::move(param));
  by_name_[scope.name()] = params_.back().get();
  return *params_.back();
}

JoinedParams& ParamStore::Join(std::vector<Param*> parts) {
  CHECK(!parts.empty());
  auto joined = std::make_unique<JoinedParams>();
  for (Param* part : parts) {
    const Param& first = *parts.front();
    CHECK(part->spec.use == ParamUse::kMatrix) << part->name << " is not a matrix of products only";
    CHECK(part->joined == nullptr) << part->name << " is joined already";
    CHECK(part->section == first.section && part->shape.dim(1) == first.shape.dim(1) &&
          part->spec.partition.split_dim == first.spec.partition.split_dim)
        << part->name << " beside " << first.name;
    CHECK(part->value.empty()) << part->name << " has memory already";
    part->joined = joined.get();
  }
  joined->parts = std::move(parts);
  joined_.push_back(std::move(joined));
  return *joined_.back();
}

int ParamStore::StartSection() {
  sections_.emplace_back();
  return num_sections() - 1;
}

Param* ParamStore::Find(absl::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : found->second;
}

int64_t ParamStore::num_elements() const {
  int64_t total = 0;
  for (const auto& param : params_) total += param->spec.shape.num_elements();
  return total;
}

void ParamStore::Allocate(Context& ctx) {
  for (const auto& param : params_) Allocate(ctx, *param);
}

// What products and look-ups read.
DType ParamStore::ValueType(const Param& param) const {
  if (param.spec.use == ParamUse::kVector) return master_dtype();
  const bool is_master = masters_ == MasterFormat::kWhole && shards_.size == 1;
  return compute_ != DType::kBF16 || is_master ? master_dtype() : DType::kBF16;
}

void ParamStore::Allocate(Context& ctx, Param& param) const {
  const DType dtype = ValueType(param);
  if (param.value.empty()) {
    if (param.joined == nullptr) {
      param.value = Tensor(ctx, param.shape, dtype, MemoryKind::kParams);
    } else {
      AllocateJoined(ctx, dtype, *param.joined);
    }
  }
  if (dtype == master_dtype()) return;
  // Every rank keeps what it computes with, but only its own rows of what is finer.
  const Shape owned = param.owned_shape();
  if (masters_ == MasterFormat::kWhole && param.exact.empty()) {
    param.exact = Tensor(ctx, owned, DType::kF32, MemoryKind::kParams);
  }
  if (masters_ == MasterFormat::kSplit && param.low.empty()) {
    param.low = Tensor(ctx, owned, DType::kI16, MemoryKind::kParams);
  }
}

}  // namespace frond
