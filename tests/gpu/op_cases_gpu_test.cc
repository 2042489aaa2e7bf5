// The table of op cases on a GPU: in f32 and bf16 against f64 on the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <random>

#include "tests/core/ops/op_cases.h"
#include "tests/core/ops/op_runner.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

class GpuOpCaseTest : public ::testing::TestWithParam<OpCase> {};

TEST_P(GpuOpCaseTest, AgreesWithF64OnTheCpu) {
  FROND_GPU_OR_SKIP(gpu);
  const OpCase& op = GetParam();
  const uint64_t seed = std::random_device{}();
  for (const DType dtype : op.dtypes) {
    const CaseValues values = DrawValues(op, dtype, seed);
    const CaseResults exact = RunCase(op, values, DType::kF64, /*with_backward=*/true);
    const CaseResults rounded = RunCaseOn(*gpu.ctx, op, values, dtype, /*with_backward=*/true);
    // A GPU sums in another order than the CPU: performance of both is bought with 3 times as much.
    const double tolerance = dtype == DType::kBF16 ? op.bf16_tolerance : 3 * op.f32_tolerance;
    double worst = 0;
    const auto compare = [&](const std::string& name, const std::vector<double>& a,
                             const std::vector<double>& b) {
      const double error = RelativeError(a, b);
      worst = std::max(worst, error);
      EXPECT_LE(error, tolerance) << op.name << " " << name << " in " << DTypeName(dtype)
                                  << ", seed " << seed;
    };
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      compare(op.outputs[i].name, rounded.outputs[i], exact.outputs[i]);
    }
    for (size_t i = 0; i < exact.dinputs.size(); ++i) {
      compare("d" + op.inputs[i].name, rounded.dinputs[i], exact.dinputs[i]);
    }
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

INSTANTIATE_TEST_SUITE_P(Table, GpuOpCaseTest, ::testing::ValuesIn(AllCases()), TestName);
INSTANTIATE_TEST_SUITE_P(AttentionTiles, GpuOpCaseTest, ::testing::ValuesIn(AttentionTileCases()),
                         TestName);

}  // namespace
}  // namespace frond::testing
