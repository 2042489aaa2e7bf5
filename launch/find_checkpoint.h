// Which checkpoint a run goes on from.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "checkpoint/checkpoint_store.h"
#include "configs/train.pb.h"
#include "dist/communicator.h"

namespace frond {

// The newest checkpoint that is whole, every rank reading its share; empty where the run starts
// afresh. Rank 0, whose `store` it is (null on others), first finishes a save that was cut short,
// and warns of damaged ones. That none is whole is an error, and so are checkpoints that the config
// does not want to resume from: a fresh start would replace them one by one. The result is the
// same on all ranks. Collective over `world`.
absl::StatusOr<std::string> FindCheckpoint(Communicator& world, CheckpointStore* store,
                                           const config::TrainConfig& config);

}  // namespace frond
