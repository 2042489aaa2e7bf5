// A training step run without memory (core/tensor/meta_allocator.h), by the code that trains: what
// a rank takes, computes and says to the others, before anything is allocated.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/train.pb.h"
#include "core/tensor/allocator.h"
#include "core/tensor/profiler.h"
#include "data/batch.h"
#include "dist/communication_count.h"
#include "launch/step_clock.h"
#include "models/t5/t5_config.h"

namespace frond {

struct RehearsalInput {
  const config::TrainConfig* config = nullptr;  // resolved; no file that it names is read
  T5Config model;
  Device device = Device::kCuda;  // whose forms of ops and whose memory
  MeshShape mesh;
  std::vector<Batch> batches;  // of the rank, one a pass
  int languages = 1;           // and templates, whose losses are summed up each step
  // Where given, the step's time is predicted.
  std::optional<StepRates> rates;
  // One step, of which only the memory is reported: enough where scratch memory does not grow.
  bool memory_only = false;
};

struct Rehearsal {
  MemoryReport memory;  // peaks of set-up and two steps; live: between steps
  // Of host memory, for a checkpoint that is written beside the training; 0 where none is.
  int64_t snapshot_bytes = 0;
  double products = 0;   // FLOPs of the step that products take, recomputation included
  double attention = 0;  // FLOPs of attention, whose hidden half is not computed
  CommunicationCount world, data, tensor;  // of one step
  // Of one step; 0 without rates.
  double seconds = 0, work_seconds = 0, communication_seconds = 0, waited_seconds = 0;

  // What the rank sends in a step, by ring algorithms.
  double SentBytes(const MeshShape& mesh) const {
    return RingBytes(data, mesh.data) + RingBytes(tensor, mesh.tensor) +
           RingBytes(world, mesh.ranks());
  }
};

// Two steps of rank 0, whose share is the largest; speeds and volumes are the second's. An error
// says why this rank cannot be built.
absl::StatusOr<Rehearsal> Rehearse(const RehearsalInput& input);

// The micro-batches of a data rank's share of a step whose rows are all full, each row cut into
// `examples_per_row` examples of equal lengths.
std::vector<Batch> FullRows(const config::TrainConfig& config, int data_ranks,
                            int examples_per_row);

}  // namespace frond
