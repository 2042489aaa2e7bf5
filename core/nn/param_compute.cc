// The packed forms of the parameters, rebuilt once a step.
#include "core/base/check.h"
#include "core/nn/param.h"

namespace frond {

const PackedWeight* Param::Pack(Trans trans) const {
  CHECK(is_ready) << name << " is read before it is whole: await its section, or complete all";
  if (backward.Serves(trans)) return &backward;
  return forward.Serves(trans) ? &forward : nullptr;
}

void ParamStore::PrepareCompute(Context& ctx, bool for_training) {
  for (int section = 0; section < num_sections(); ++section) {
    PrepareCompute(ctx, section, for_training);
  }
}

void ParamStore::PrepareCompute(Context& ctx, int section, bool for_training) {
  if (compute_ == DType::kF64) return;  // products in f64 read the masters
  const bool plain = UsesPlainWeights(ctx);
  for (Param* param : this->section(section)) {
    const ParamUse use = param->spec.use;
    if (use != ParamUse::kMatrix && use != ParamUse::kEmbeddingAndMatrix) continue;
    CHECK(!param->value.empty()) << param->name << " has no memory yet";
    if (plain && param->value.dtype() == compute_) continue;  // products read the master
    PackWeight(ctx, param->value, Trans::kYes, compute_, param->forward);
    if (for_training && !plain) {
      PackWeight(ctx, param->value, Trans::kNo, compute_, param->backward);
    } else {
      // A form of older masters must not be found by a later backward.
      param->backward = PackedWeight();
    }
  }
}

}  // namespace frond
