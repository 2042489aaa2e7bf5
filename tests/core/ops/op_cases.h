// One table of op cases, driven four ways: against a slow f64 reference, against finite
// differences in f64, in f32 and bf16 against f64, and for time (bench/op_bench).
//
// To add an op: write <op>_cases.cc with a function that returns its cases and, where time matters,
// one that returns large ones; declare both below; add them to AllCases() and AllTimings() in
// op_cases.cc and the file to CMakeLists.txt. What is not a float tensor (ids, segments, seeds) is
// captured by the closures. The slow reference lives in reference/<op>.h and shares no code with
// the op.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"

namespace frond::testing {

// What dtype a tensor has when the case runs in `compute`.
enum class Role : uint8_t {
  kCompute,  // that dtype
  kMaster,   // f32 where compute is bf16: weights, statistics, losses
};

struct TensorSpec {
  std::string name;
  Shape shape;
  Role role = Role::kCompute;
  double spread = 1;  // inputs are normal with this standard deviation
  // Inputs in kMaster whose values the op rounds to the compute dtype first: drawn already rounded.
  bool rounded = false;
  // Inputs: no gradient is asked for. Outputs: not part of the differentiated result (a statistic
  // kept for the gradient); its value is still compared.
  bool constant = false;
  // Inputs in kMaster: the gradient is in the compute dtype.
  bool narrow_gradient = false;
  // Outputs: starts with random contents, which the op adds to. Inputs: the same of its gradient.
  // Others start as NaN and must be assigned.
  bool accumulated = false;
};

using Views = std::vector<View>;
using Arrays = std::vector<std::vector<double>>;

struct OpCase {
  std::string name;  // "matmul/NT/7x5x3"
  std::vector<TensorSpec> inputs, outputs;

  std::function<void(Context&, const Views& in, const Views& out)> forward;
  // Sets (or adds to) the outputs in f64.
  std::function<void(const Arrays& in, Arrays& out)> reference;
  // din from dout (one per output; null data for constants), given what forward read and wrote.
  // May be empty.
  std::function<void(Context&, const Views& in, const Views& out, const Views& dout,
                     const Views& din)>
      backward;

  std::vector<DType> dtypes = {DType::kF32, DType::kBF16};  // beside f64
  // Largest relative L2 error against f64 on the same, already rounded inputs.
  double f32_tolerance = 1e-6;
  double bf16_tolerance = 4e-3;
  // Largest relative error of a directional derivative.
  double gradient_tolerance = 1e-7;

  // Timings only: floating-point operations and bytes moved by one forward and one backward.
  double forward_flops = 0, backward_flops = 0;
  double forward_bytes = 0, backward_bytes = 0;
};

std::vector<OpCase> MatMulCases();
std::vector<OpCase> MatMulTimings();
std::vector<OpCase> EmbeddingCases();
std::vector<OpCase> EmbeddingTimings();
std::vector<OpCase> ElementwiseCases();
std::vector<OpCase> HeadLossCases();
std::vector<OpCase> HeadLossTimings();
std::vector<OpCase> AttentionCases();
// Of a case of attention with a bias: the largest |sum over buckets| / sum over buckets |.| of a
// head's bias gradients, given what they were before. Whatever shifts all scores of a query changes
// no probability, so nothing but rounding is left of the sum.
double BiasGradientImbalance(const OpCase& op, const std::vector<double>& before,
                             const std::vector<double>& after);
// Lengths and head dims around the edges of the GPU kernels' tiles: for tests on a GPU.
std::vector<OpCase> AttentionTileCases();
std::vector<OpCase> AttentionTimings();
std::vector<OpCase> RmsNormCases();
std::vector<OpCase> RmsNormTimings();
std::vector<OpCase> GatedGeluCases();
std::vector<OpCase> GatedGeluTimings();
std::vector<OpCase> DropoutCases();
std::vector<OpCase> DropoutTimings();

std::vector<OpCase> AllCases();
std::vector<OpCase> AllTimings();

// The case in bf16 alone, its first `count` inputs f32: results and all gradients stay bf16.
OpCase OfWideInputs(OpCase op, size_t count);

// The dtype of `spec` when the case runs in `compute`.
DType DTypeFor(const TensorSpec& spec, DType compute);

}  // namespace frond::testing
