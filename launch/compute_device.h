// What a rank computes on: the processors of its host, or one of its host's GPUs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "configs/train.pb.h"
#include "core/tensor/allocator.h"
#include "dist/communicator.h"

namespace frond {

struct ComputeDevice {
  std::unique_ptr<Allocator> memory;
  // For people, e.g. "GPU 0 of 1: NVIDIA H100 80GB HBM3, 79.2 GiB, shared by 2 ranks".
  std::string description;
  // What the device has for this rank before anything is taken: a GPU's memory, or what the host
  // could still give, divided by the ranks that share it; negative where it is not known.
  int64_t rank_bytes = -1;
  // The maker's rate of dense bf16 products with f32 sums, in TFLOP/s; 0 where it is not known.
  double rated_bf16_tflops = 0;
};

// The device of this rank, for the calling thread. CUDA without a usable GPU is an error that says
// why, the same on every rank; AUTO takes GPUs where every rank has one, else the CPU. The ranks of
// a host are dealt to its GPUs in turn; several may share one. `cuda_graphs`: repeated work is
// launched as CUDA graphs; an error unless CUDA is wanted. Collective.
absl::StatusOr<ComputeDevice> OpenComputeDevice(config::Device wanted, Communicator& world,
                                                bool cuda_graphs = false);

// Reads AUTO, CPU or CUDA, in capitals or not.
absl::StatusOr<config::Device> ParseDevice(absl::string_view text);

// See ComputeDevice. `name` is the driver's.
double RatedBf16Tflops(absl::string_view name);

}  // namespace frond
