// Drives the table of op cases: reference, gradient, dtypes. Each prints its worst error.
#include "tests/core/ops/op_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/base/philox.h"
#include "tests/core/ops/op_runner.h"

namespace frond::testing {
namespace {

constexpr double kReferenceTolerance = 1e-12;

class OpCaseTest : public ::testing::TestWithParam<OpCase> {
 protected:
  OpCaseTest() : seed_(std::random_device{}()) { RecordProperty("seed", std::to_string(seed_)); }

  // What a failure must tell to be repeated.
  std::string Where(const std::string& tensor) const {
    return GetParam().name + " " + tensor + ", seed " + std::to_string(seed_);
  }

  uint64_t seed_;
};

TEST_P(OpCaseTest, EqualsTheSlowReference) {
  const OpCase& op = GetParam();
  if (!op.reference) GTEST_SKIP() << "no reference: compared through its gradient only";
  const CaseValues values = DrawValues(op, DType::kF64, seed_);
  const CaseResults results = RunCase(op, values, DType::kF64, /*with_backward=*/false);
  Arrays expected = values.outputs;
  op.reference(values.inputs, expected);
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    EXPECT_LE(RelativeError(results.outputs[i], expected[i]), kReferenceTolerance)
        << Where(op.outputs[i].name);
  }
}

// sum of doutputs * outputs: the scalar whose gradient backward computes.
double Objective(const OpCase& op, const CaseValues& values) {
  const CaseResults results = RunCase(op, values, DType::kF64, /*with_backward=*/false);
  double sum = 0;
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    for (size_t j = 0; j < values.doutputs[i].size(); ++j) {
      sum += values.doutputs[i][j] * results.outputs[i][j];
    }
  }
  return sum;
}

// The derivative of Objective along `direction` of input `i`, by central differences of fourth
// order.
double Slope(const OpCase& op, const CaseValues& values, size_t i,
             const std::vector<double>& direction) {
  const auto at = [&](double step) {
    CaseValues moved = values;
    for (size_t j = 0; j < direction.size(); ++j) moved.inputs[i][j] += step * direction[j];
    return Objective(op, moved);
  };
  constexpr double kStep = 1e-3;
  return (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
}

TEST_P(OpCaseTest, GradientEqualsFiniteDifferences) {
  const OpCase& op = GetParam();
  if (!op.backward) GTEST_SKIP() << "no gradient";
  const CaseValues values = DrawValues(op, DType::kF64, seed_);
  const CaseResults results = RunCase(op, values, DType::kF64, /*with_backward=*/true);
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.inputs[i].constant || values.inputs[i].empty()) continue;
    for (uint64_t trial = 0; trial < 3; ++trial) {
      const uint64_t key = MixBits(seed_ + trial);
      std::vector<double> direction(values.inputs[i].size());
      double analytic = 0, scale = 0;
      for (size_t j = 0; j < direction.size(); ++j) {
        // Every other trial looks at few elements, where an error of one stands out.
        const bool in = trial != 1 || j % 7 == seed_ % 7;
        direction[j] = in ? NormalAt(key, j) / std::sqrt(double(direction.size())) : 0;
        const double before = op.inputs[i].accumulated ? values.dinputs[i][j] : 0;
        const double term = (results.dinputs[i][j] - before) * direction[j];
        analytic += term;
        scale += term * term;
      }
      const double numeric = Slope(op, values, i, direction);
      EXPECT_LE(std::abs(analytic - numeric),
                op.gradient_tolerance * std::max({std::abs(numeric), std::sqrt(scale), 1e-3}))
          << Where(op.inputs[i].name) << ": analytic " << analytic << ", numeric " << numeric;
    }
  }
}

TEST_P(OpCaseTest, LowPrecisionAgreesWithF64) {
  const OpCase& op = GetParam();
  for (const DType dtype : op.dtypes) {
    const CaseValues values = DrawValues(op, dtype, seed_);
    const CaseResults exact = RunCase(op, values, DType::kF64, /*with_backward=*/true);
    const CaseResults rounded = RunCase(op, values, dtype, /*with_backward=*/true);
    const double tolerance = dtype == DType::kBF16 ? op.bf16_tolerance : op.f32_tolerance;
    double worst = 0;
    const auto compare = [&](const std::string& name, const std::vector<double>& a,
                             const std::vector<double>& b) {
      const double error = RelativeError(a, b);
      worst = std::max(worst, error);
      EXPECT_LE(error, tolerance) << Where(name) << " in " << DTypeName(dtype);
    };
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      compare(op.outputs[i].name, rounded.outputs[i], exact.outputs[i]);
    }
    for (size_t i = 0; i < exact.dinputs.size(); ++i) {
      compare("d" + op.inputs[i].name, rounded.dinputs[i], exact.dinputs[i]);
    }
    RecordProperty(std::string(DTypeName(dtype)), std::to_string(worst));

    std::printf("    %-44s %s %.1e\n", op.name.c_str(), std::string(DTypeName(dtype)).c_str(),
                worst);
  }
}

std::string TestName(const ::testing::TestParamInfo<OpCase>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Table, OpCaseTest, ::testing::ValuesIn(AllCases()), TestName);

}  // namespace
}  // namespace frond::testing
