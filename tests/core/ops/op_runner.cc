#include "tests/core/ops/op_runner.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "core/base/philox.h"
#include "core/tensor/transfer.h"

namespace frond::testing {
namespace {

double RoundTo(DType dtype, double value) {
  if (dtype == DType::kF32) return static_cast<float>(value);
  if (dtype == DType::kBF16) return static_cast<float>(BFloat16(static_cast<float>(value)));
  return value;
}

std::vector<double> Draw(const TensorSpec& spec, DType compute, double spread, uint64_t key) {
  std::vector<double> values(static_cast<size_t>(spec.shape.num_elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = RoundTo(DTypeFor(spec, compute), spread * NormalAt(key, i));
  }
  return values;
}

std::vector<double> Initial(const TensorSpec& spec, DType compute, uint64_t key) {
  if (spec.accumulated) return Draw(spec, compute, 1.0, key);
  return std::vector<double>(static_cast<size_t>(spec.shape.num_elements()),
                             std::numeric_limits<double>::quiet_NaN());
}

void Store(Context& ctx, const std::vector<double>& values, View v) {
  VisitFloatType(v.dtype, [&](auto type) {
    using T = decltype(type);
    std::vector<T> target(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if constexpr (std::is_same_v<T, BFloat16>) {
        target[i] = BFloat16(static_cast<float>(values[i]));
      } else {
        target[i] = static_cast<T>(values[i]);
      }
    }
    CopyFromHost(ctx, target.data(), v);
  });
}

}  // namespace

CaseValues DrawValues(const OpCase& op, DType compute, uint64_t seed) {
  CaseValues values;
  uint64_t key = MixBits(seed);
  for (const TensorSpec& spec : op.inputs) {
    const TensorSpec drawn = {
        .name = spec.name, .shape = spec.shape, .role = spec.rounded ? Role::kCompute : spec.role};
    values.inputs.push_back(Draw(drawn, compute, spec.spread, ++key));
    values.dinputs.push_back(spec.constant ? std::vector<double>{} : Initial(spec, compute, ++key));
  }
  for (const TensorSpec& spec : op.outputs) {
    values.outputs.push_back(Initial(spec, compute, ++key));
    values.doutputs.push_back(spec.constant ? std::vector<double>{}
                                            : Draw(spec, compute, 1.0, ++key));
  }
  return values;
}

TensorSet::TensorSet(Context& ctx, const std::vector<TensorSpec>& specs, const Arrays& values,
                     DType compute) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (values[i].empty() && specs[i].shape.num_elements() > 0) {
      tensors_.emplace_back();
    } else {
      tensors_.emplace_back(ctx, specs[i].shape, DTypeFor(specs[i], compute));
      Store(ctx, values[i], tensors_.back());
    }
    views_.push_back(tensors_.back().view());
  }
}

Arrays TensorSet::Values(Context& ctx) const {
  Arrays values;
  for (const View& v : views_) {
    values.push_back(v.data == nullptr ? std::vector<double>{} : ToDoubles(ctx, v));
  }
  return values;
}

CaseResults RunCase(const OpCase& op, const CaseValues& values, DType compute, bool with_backward) {
  CpuAllocator memory;
  Context ctx(memory);
  return RunCaseOn(ctx, op, values, compute, with_backward);
}

CaseResults RunCaseOn(Context& ctx, const OpCase& op, const CaseValues& values, DType compute,
                      bool with_backward) {
  const TensorSet inputs(ctx, op.inputs, values.inputs, compute);
  const TensorSet outputs(ctx, op.outputs, values.outputs, compute);
  op.forward(ctx, inputs.views(), outputs.views());
  CaseResults results = {.outputs = outputs.Values(ctx), .dinputs = {}};
  if (!with_backward || !op.backward) return results;
  const TensorSet doutputs(ctx, op.outputs, values.doutputs, compute);
  std::vector<TensorSpec> gradients = op.inputs;
  for (TensorSpec& spec : gradients) {
    if (spec.narrow_gradient) spec.role = Role::kCompute;
  }
  const TensorSet dinputs(ctx, gradients, values.dinputs, compute);
  op.backward(ctx, inputs.views(), outputs.views(), doutputs.views(), dinputs.views());
  results.dinputs = dinputs.Values(ctx);
  return results;
}

double RelativeError(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

}  // namespace frond::testing
