// Runs an op case: makes its tensors, fills them, calls forward and backward.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/allocator.h"
#include "tests/core/ops/op_cases.h"

namespace frond::testing {

// The f64 contents of all tensors of a case, the same for every dtype once rounded to it.
struct CaseValues {
  Arrays inputs;    // random
  Arrays outputs;   // initial contents; NaN where assigned
  Arrays doutputs;  // random; empty for constants
  Arrays dinputs;   // initial contents; NaN where assigned; empty for constants
};

// Random values from `seed`, rounded to the dtypes the case has in `compute`.
CaseValues DrawValues(const OpCase& op, DType compute, uint64_t seed);

struct CaseResults {
  Arrays outputs, dinputs;
};

// Runs forward and, where the case has one and `with_backward`, backward in `compute`.
CaseResults RunCase(const OpCase& op, const CaseValues& values, DType compute, bool with_backward);
// The same with a context of any device.
CaseResults RunCaseOn(Context& ctx, const OpCase& op, const CaseValues& values, DType compute,
                      bool with_backward);

// |a - b| / |b| in the L2 norm; b = 0 makes it |a|. Infinite where a is not finite.
double RelativeError(const std::vector<double>& a, const std::vector<double>& b);

// Owns tensors filled with given values.
class TensorSet {
 public:
  TensorSet(Context& ctx, const std::vector<TensorSpec>& specs, const Arrays& values,
            DType compute);
  const Views& views() const { return views_; }
  Arrays Values(Context& ctx) const;

 private:
  std::vector<Tensor> tensors_;
  Views views_;
};

}  // namespace frond::testing
