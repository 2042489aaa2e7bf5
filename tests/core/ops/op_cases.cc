#include "tests/core/ops/op_cases.h"

#include <initializer_list>
#include <iterator>

namespace frond::testing {
namespace {

using CaseList = std::vector<OpCase> (*)();

std::vector<OpCase> Join(std::initializer_list<CaseList> lists) {
  std::vector<OpCase> all;
  for (const CaseList list : lists) {
    std::vector<OpCase> cases = list();
    all.insert(all.end(), std::make_move_iterator(cases.begin()),
               std::make_move_iterator(cases.end()));
  }
  return all;
}

}  // namespace

OpCase OfWideInputs(OpCase op, size_t count) {
  op.name += "/of_wide";
  op.dtypes = {DType::kBF16};
  for (size_t i = 0; i < count; ++i) {
    op.inputs[i].role = Role::kMaster;
    op.inputs[i].narrow_gradient = true;
  }
  return op;
}

std::vector<OpCase> AllCases() {
  return Join({
      MatMulCases,
      EmbeddingCases,
      ElementwiseCases,
      HeadLossCases,
      AttentionCases,
      RmsNormCases,
      GatedGeluCases,
      DropoutCases,
  });
}

std::vector<OpCase> AllTimings() {
  return Join({
      MatMulTimings,
      EmbeddingTimings,
      HeadLossTimings,
      AttentionTimings,
      RmsNormTimings,
      GatedGeluTimings,
      DropoutTimings,
  });
}

DType DTypeFor(const TensorSpec& spec, DType compute) {
  return spec.role == Role::kMaster && compute == DType::kBF16 ? DType::kF32 : compute;
}

}  // namespace frond::testing
