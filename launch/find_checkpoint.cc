#include "launch/find_checkpoint.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "checkpoint/commit_record.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "launch/agree.h"

namespace frond {
namespace {

absl::Status Prepare(CheckpointStore& store, const config::TrainConfig& config) {
  RETURN_IF_ERROR(store.Recover());
  if (config.checkpoint().resume()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<StoredCheckpoint> all, store.List());
  if (all.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("checkpoint.resume is false, but there is ", all.back().path,
                   "; use another work_dir, or remove its checkpoints"));
}

absl::Status VerifyShare(Communicator& world, const std::string& path) {
  return AgreeOnStatus(world,
                       VerifyCommitRecord(path, {.rank = world.rank(), .size = world.size()}));
}

// Rank 0 says which path comes next, and nothing at the end.
absl::StatusOr<NewestCheckpoint> LeadVerification(Communicator& world, CheckpointStore& store) {
  absl::StatusOr<NewestCheckpoint> newest = store.NewestValid([&](const std::string& path) {
    world.AllGatherBytes(path);
    return VerifyShare(world, path);
  });
  world.AllGatherBytes("");
  return newest;
}
void FollowVerification(Communicator& world) {
  while (true) {
    const std::string path = world.AllGatherBytes("")[0];
    if (path.empty()) return;
    // What is wrong is rank 0's to say.
    VerifyShare(world, path).IgnoreError();
  }
}

absl::StatusOr<std::string> Choose(const absl::StatusOr<NewestCheckpoint>& newest,
                                   const std::string& work_dir) {
  RETURN_IF_ERROR(newest.status());
  for (const std::string& warning : newest->warnings) LOG(WARNING) << warning;
  if (newest->found.has_value()) return newest->found->path;
  if (newest->warnings.empty()) return "";
  return absl::DataLossError(absl::StrCat("no checkpoint in ", work_dir, "/checkpoints is whole (",
                                          newest->warnings.size(),
                                          " damaged); to start afresh, remove them"));
}

}  // namespace

absl::StatusOr<std::string> FindCheckpoint(Communicator& world, CheckpointStore* store,
                                           const config::TrainConfig& config) {
  RETURN_IF_ERROR(
      AgreeOnStatus(world, store != nullptr ? Prepare(*store, config) : absl::OkStatus()));
  if (!config.checkpoint().resume()) return "";
  absl::StatusOr<std::string> path = "";
  if (store != nullptr) {
    path = Choose(LeadVerification(world, *store), config.work_dir());
  } else {
    FollowVerification(world);
  }
  RETURN_IF_ERROR(AgreeOnStatus(world, path.status()));
  return world.AllGatherBytes(*path)[0];
}

}  // namespace frond
