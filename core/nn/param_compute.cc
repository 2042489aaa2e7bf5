// The packed forms of the parameters, rebuilt once a step.
#include "core/base/check.h"
#include "core/nn/param.h"

namespace frond {

const PackedWeight* ProductForms::For(Trans trans) const {
  if (backward.Serves(trans)) return &backward;
  return forward.Serves(trans) ? &forward : nullptr;
}

const PackedWeight* Param::Pack(Trans trans) const {
  CHECK(joined == nullptr) << name << " is multiplied together with others";
  Weight();
  return forms.For(trans);
}

const PackedWeight* JoinedParams::Pack(Trans trans) const {
  Weight();
  return forms.For(trans);
}

void ParamStore::PrepareCompute(Context& ctx, bool for_training) {
  for (int section = 0; section < num_sections(); ++section) {
    PrepareCompute(ctx, section, for_training);
  }
}

void ParamStore::PrepareCompute(Context& ctx, int section, bool for_training) {
  if (compute_ == DType::kF64) return;  // products in f64 read the masters
  for (Param* param : this->section(section)) {
    const ParamUse use = param->spec.use;
    if (use != ParamUse::kMatrix && use != ParamUse::kEmbeddingAndMatrix) continue;
    CHECK(!param->value.empty()) << param->name << " has no memory yet";
    if (param->joined == nullptr) {
      Prepare(ctx, param->value, for_training, param->forms);
    } else if (param == param->joined->parts.front()) {
      Prepare(ctx, param->joined->value, for_training, param->joined->forms);
    }
  }
}

void ParamStore::Prepare(Context& ctx, ConstView value, bool for_training,
                         ProductForms& forms) const {
  const bool plain = UsesPlainWeights(ctx);
  if (plain && value.dtype == compute_) return;  // products read the master
  PackWeight(ctx, value, Trans::kYes, compute_, forms.forward);
  if (for_training && !plain) {
    PackWeight(ctx, value, Trans::kNo, compute_, forms.backward);
  } else {
    // A form of older masters must not be found by a later backward.
    forms.backward = PackedWeight();
  }
}

}  // namespace frond
