#include "core/nn/param.h"

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond {

Scope Scope::operator/(absl::string_view child) const {
  if (name_.empty()) return Scope(child);
  return Scope(absl::StrCat(name_, ".", child));
}

Scope Scope::operator/(int index) const { return *this / absl::StrCat(index); }

ParamStore::ParamStore(DType compute) : compute_(compute) {
  CHECK(compute == DType::kF32 || compute == DType::kBF16 || compute == DType::kF64)
      << "parameters cannot be computed with in " << DTypeName(compute);
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
  for (const auto& param : params_) {
    if (!param->value.empty()) continue;
    param->value = Tensor(ctx, param->spec.shape, master_dtype(), MemoryKind::kParams);
  }
}

}  // namespace frond
