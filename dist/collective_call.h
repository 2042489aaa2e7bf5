// What a rank calls: ranks exchange it ahead of the data, so that calls that do not match are named
// instead of hanging or mixing their bytes.
#pragma once

#include <cstdint>
#include <string>

#include "core/tensor/dtype.h"
#include "dist/communicator.h"

namespace frond {

enum class CallKind : uint8_t {
  kNone,
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kBarrier,
  kAllGatherBytes,
  kSplit,
  kStart,  // of NCCL
  kLeave,  // the end of the job
};

struct CollectiveCall {
  CallKind kind = CallKind::kNone;
  DType dtype = DType::kF32;
  Reduce reduce = Reduce::kSum;
  int32_t root = 0;
  int64_t count = 0;  // elements of a rank; bytes in AllGatherBytes
  int64_t step = -1;  // the optimizer step it belongs to; -1: none
  uint64_t sequence = 0;
};
static_assert(sizeof(CollectiveCall) == 32);

// True when the two can be one collective. The sizes of AllGatherBytes may differ.
bool Agree(const CollectiveCall& a, const CollectiveCall& b);

// "AllReduce (sum) of 10 f32"
std::string Describe(const CollectiveCall& call);

}  // namespace frond
