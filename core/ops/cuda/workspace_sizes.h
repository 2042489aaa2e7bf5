// Sizes of memory that GPU ops take for themselves, for plans that are made without a GPU.
#pragma once

#include <cstdint>

namespace frond::cuda {

// cuBLASLt's workspace, one per context: 66 MiB on an H100, for which NVIDIA advises 32 or more.
inline constexpr int64_t kCublasBytesPerMultiprocessor = int64_t{512} << 10;
// Of an H100 or H200 (an A100 has 108).
inline constexpr int64_t kPlannedMultiprocessors = 132;

// The most memory in which algorithms of a product are compared, at the first use of its shape.
// Products whose results would take more take the first proposal: what they gain is not worth a
// gigabyte.
inline constexpr int64_t kMaxMeasuringBytes = int64_t{512} << 20;

}  // namespace frond::cuda
