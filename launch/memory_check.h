// Refuses a run that cannot fit before it takes memory.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "configs/train.pb.h"
#include "data/batch.h"
#include "launch/compute_device.h"
#include "launch/step_clock.h"
#include "models/t5/t5_config.h"

namespace frond {

// Rehearses a step of a rank of `mesh` with `batches`, the rank's own, and compares its peak with
// what the device has for the rank. On the CPU the copy that a save writes beside the training lies
// in the same memory. An error says what is needed, what there is and what needs
// most. Nothing is known, and nothing refused, where the device does not say what it has.
absl::Status CheckMemory(const config::TrainConfig& config, const T5Config& model,
                         const ComputeDevice& device, const MeshShape& mesh,
                         std::vector<Batch> batches);

// "most for parameters (51.7 GB) and activations (20.1 GB)": the two kinds with the highest peaks.
std::string MostUsed(const MemoryReport& report);

}  // namespace frond
