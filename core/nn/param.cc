#include "core/nn/param.h"

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond {

Scope Scope::operator/(absl::string_view child) const {
  if (name_.empty()) return Scope(child);
  return Scope(absl::StrCat(name_, ".", child));
}

Scope Scope::operator/(int index) const { return *this / absl::StrCat(index); }

ParamStore::ParamStore(DType compute, MasterFormat masters) : compute_(compute), masters_(masters) {
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
  params_.push_back(std::move(param));
  by_name_[scope.name()] = params_.back().get();
  return *params_.back();
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

void ParamStore::Allocate(Context& ctx, Param& param) const {
  if (!param.value.empty()) return;
  const Shape& shape = param.spec.shape;
  const bool is_whole = masters_ == MasterFormat::kWhole || param.spec.use == ParamUse::kVector;
  param.value = Tensor(ctx, shape, is_whole ? master_dtype() : DType::kBF16, MemoryKind::kParams);
  if (!is_whole && masters_ == MasterFormat::kSplit) {
    param.low = Tensor(ctx, shape, DType::kI16, MemoryKind::kParams);
  }
}

}  // namespace frond
