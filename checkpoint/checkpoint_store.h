// The checkpoints of a run: <work folder>/checkpoints/step_00001000/, each written beside,
// committed by a record of checksums and renamed; the newest few are kept.
//
// Killed at any instant, the folder holds every checkpoint committed before. Not thread-safe; one
// process at a time (WorkFolderLock).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"

namespace frond {

struct StoredCheckpoint {
  int64_t step = 0;
  std::string path;
};

struct NewestCheckpoint {
  std::optional<StoredCheckpoint> found;
  // One line per damaged checkpoint newer than `found`, with file and reason.
  std::vector<std::string> warnings;
};

class CheckpointStore {
 public:
  // Nothing is touched before Begin. keep_last >= 1 (CHECKed).
  CheckpointStore(const std::string& work_folder, int keep_last);

  // An empty folder to write the checkpoint of `step` into. What an interrupted save or deletion
  // left behind is removed first.
  absl::StatusOr<std::string> Begin(int64_t step);

  // Makes the folder of Begin(step) the checkpoint of `step`, replacing an old one of that step;
  // `records` are the files whose checksums are known (see WriteCommitRecord). Then deletes what is
  // older than the newest keep_last checkpoints, not counting those that NewestValid found damaged.
  // An error leaves all earlier checkpoints in place and removes the unfinished folder.
  absl::Status Commit(int64_t step, const std::vector<FileRecord>& records);

  // Removes the folder of Begin(step) after a failure to fill it.
  void Abandon(int64_t step);

  // Finishes a save that was cut short between its commit record and its rename. For the owner of
  // the work folder, once, before NewestValid.
  absl::Status Recover();

  // Ascending by step, valid or not; none where the folder does not exist.
  absl::StatusOr<std::vector<StoredCheckpoint>> List() const;

  // The newest checkpoint whose every byte is as it was written, as `verify` says of a path; null:
  // VerifyCommitRecord, which reads it whole.
  using Verify = std::function<absl::Status(const std::string& path)>;
  absl::StatusOr<NewestCheckpoint> NewestValid(const Verify& verify = nullptr);

  std::string PathOf(int64_t step) const;

 private:
  std::string TemporaryPathOf(int64_t step) const;
  absl::Status RemoveLeftovers();
  absl::Status Publish(int64_t step, std::string* replaced);
  absl::Status RemoveOld(int64_t committed);
  absl::Status Discard(const std::string& path);

  std::string folder_;
  int keep_last_;
  std::set<int64_t> damaged_;
};

}  // namespace frond
