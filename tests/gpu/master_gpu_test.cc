// Master weights on a GPU: the same bits as on the CPU, in every format, aligned or not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <random>

#include "core/ops/master.h"
#include "core/tensor/transfer.h"
#include "tests/gpu/gpu_fixture.h"

namespace frond::testing {
namespace {

std::string BytesOf(Context& ctx, ConstView x) {
  std::string bytes(x.bytes(), '\0');
  CopyToHost(ctx, x, bytes.data());
  return bytes;
}

// What every op of this file makes of `x`, as bytes. The tensors begin `skip` elements into theirs.
std::vector<std::string> Results(Context& ctx, const std::vector<float>& x, int64_t skip) {
  const auto n = static_cast<int64_t>(x.size());
  const auto part = [&](Tensor& whole) { return Rows(whole.view(), skip, skip + n); };
  Tensor source(ctx, {skip + n}, DType::kF32), high(ctx, {skip + n}, DType::kBF16);
  Tensor low(ctx, {skip + n}, DType::kI16), back(ctx, {skip + n}, DType::kF32);
  CopyFromHost(ctx, x.data(), part(source));
  std::vector<std::string> results;
  const auto keep = [&](Tensor& tensor) { results.push_back(BytesOf(ctx, part(tensor))); };
  WriteMaster(ctx, part(source), {part(high), part(low)});
  keep(high);
  keep(low);
  ReadMaster(ctx, {part(high), part(low)}, part(back));
  keep(back);
  WriteMaster(ctx, part(source), {part(high)});
  keep(high);
  ReadMaster(ctx, {part(high)}, part(back));
  keep(back);
  for (const int64_t first : {int64_t{0}, int64_t{4}, int64_t{13}}) {
    CastStochastic(ctx, part(source), 99, {.first = first}, part(high));
    keep(high);
  }
  // Parts of a weight with more columns: rows that can be moved in fours, and others.
  for (const ElementNumbers& numbers : {ElementNumbers{.first = 20, .cols = 8, .whole_cols = 24},
                                        ElementNumbers{.first = 21, .cols = 8, .whole_cols = 24},
                                        ElementNumbers{.first = 20, .cols = 3, .whole_cols = 24},
                                        ElementNumbers{.first = 4, .cols = 8, .whole_cols = 21}}) {
    CastStochastic(ctx, part(source), 99, numbers, part(high));
    keep(high);
  }
  return results;
}

TEST(MasterGpuTest, TheBitsAreTheCpus) {
  FROND_GPU_OR_SKIP(gpu);
  CpuAllocator memory;
  Context cpu(memory);
  std::mt19937 random(std::random_device{}());
  for (const int64_t n : {1, 7, 64, 10003}) {
    std::vector<float> x(static_cast<size_t>(n));
    for (float& value : x) value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    // What random bits seldom are: -0, what rounds to -0 and to infinity, infinity.
    constexpr std::array<uint32_t, 4> kRare = {0x80000000u, 0x80001234u, 0x7F7FFFFFu, 0xFF800000u};
    for (size_t i = 0; i < std::min(x.size(), kRare.size()); ++i) {
      x[x.size() - 1 - i] = std::bit_cast<float>(kRare[i]);
    }
    for (const int64_t skip : {0, 1}) {
      const std::vector<std::string> want = Results(cpu, x, skip);
      const std::vector<std::string> got = Results(*gpu.ctx, x, skip);
      for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(got[i], want[i]) << n << " result " << i;
    }
  }
}

}  // namespace
}  // namespace frond::testing
