#include "checkpoint/checkpoint_store.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "checkpoint/commit_record.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr char kStepPrefix[] = "step_";
constexpr char kTemporaryPrefix[] = ".tmp_";
constexpr char kTrashPrefix[] = ".trash_";

std::string StepName(int64_t step) { return absl::StrFormat("%s%08d", kStepPrefix, step); }

std::optional<int64_t> ParseStepName(const std::string& name) {
  int64_t step = 0;
  if (!absl::StartsWith(name, kStepPrefix)) return std::nullopt;
  if (!absl::SimpleAtoi(absl::string_view(name).substr(sizeof(kStepPrefix) - 1), &step) ||
      step < 0 || StepName(step) != name) {
    return std::nullopt;
  }
  return step;
}

}  // namespace

CheckpointStore::CheckpointStore(const std::string& work_folder, int keep_last)
    : folder_(JoinPath(work_folder, "checkpoints")), keep_last_(keep_last) {
  CHECK_GE(keep_last, 1);
}

std::string CheckpointStore::PathOf(int64_t step) const {
  return JoinPath(folder_, StepName(step));
}

std::string CheckpointStore::TemporaryPathOf(int64_t step) const {
  return JoinPath(folder_, kTemporaryPrefix + StepName(step));
}

absl::Status CheckpointStore::RemoveLeftovers() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  for (const std::string& name : names) {
    if (absl::StartsWith(name, kTemporaryPrefix) || absl::StartsWith(name, kTrashPrefix)) {
      RETURN_IF_ERROR(RemoveRecursively(JoinPath(folder_, name)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckpointStore::Begin(int64_t step) {
  CHECK_GE(step, 0);
  if (!PathExists(folder_)) {
    RETURN_IF_ERROR(CreateDirectories(folder_));
    RETURN_IF_ERROR(SyncParentDirectory(folder_));
  }
  RETURN_IF_ERROR(RemoveLeftovers());
  const std::string path = TemporaryPathOf(step);
  RETURN_IF_ERROR(CreateDirectories(path));
  return path;
}

void CheckpointStore::Abandon(int64_t step) {
  const absl::Status status = RemoveRecursively(TemporaryPathOf(step));
  if (!status.ok()) LOG(WARNING) << status.message();
}

absl::Status CheckpointStore::Commit(int64_t step, const std::vector<FileRecord>& records) {
  absl::Status status = WriteCommitRecord(TemporaryPathOf(step), records);
  std::string replaced;
  if (status.ok()) status = Publish(step, &replaced);
  if (!status.ok()) {
    Abandon(step);
    return status;
  }
  // From here on the new checkpoint stands in its place and the one before it is only removed when
  // the disk knows that.
  RETURN_IF_ERROR(SyncDirectory(folder_));
  damaged_.erase(step);
  // The checkpoint is safe: what cannot be deleted is a nuisance, not a failure to save.
  status = replaced.empty() ? absl::OkStatus() : RemoveRecursively(replaced);
  status.Update(RemoveOld(step));
  if (!status.ok()) LOG(WARNING) << "old checkpoints stay: " << status.message();
  return absl::OkStatus();
}

// Renames the finished folder to its place. Where a checkpoint of that step exists, the two change
// places in one move, so that at no instant neither is there, and `replaced` is where the old one
// lies. After an error all is as it was.
absl::Status CheckpointStore::Publish(int64_t step, std::string* replaced) {
  const std::string from = TemporaryPathOf(step), to = PathOf(step);
  if (!PathExists(to)) return RenamePath(from, to);
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    *replaced = from;
    return absl::OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return absl::InternalError(
        absl::StrCat("cannot exchange '", from, "' and '", to, "': ", std::strerror(errno)));
  }
  // A file system without exchange: the old one goes to the trash first.
  const std::string trash = JoinPath(folder_, kTrashPrefix + StepName(step));
  RETURN_IF_ERROR(RenamePath(to, trash));
  const absl::Status status = RenamePath(from, to);
  if (!status.ok()) {
    const absl::Status back = RenamePath(trash, to);
    if (!back.ok()) {
      LOG(WARNING) << "'" << trash << "' holds the checkpoint before: " << back.message();
    }
    return status;
  }
  *replaced = trash;
  return absl::OkStatus();
}

absl::Status CheckpointStore::Recover() {
  if (!PathExists(folder_)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, kTemporaryPrefix)) continue;
    const std::string path = JoinPath(folder_, name);
    const std::optional<int64_t> step = ParseStepName(name.substr(sizeof(kTemporaryPrefix) - 1));
    const bool finished = step && !PathExists(PathOf(*step)) &&
                          PathExists(JoinPath(path, kCommitRecordName)) &&
                          VerifyCommitRecord(path).ok();
    if (finished) RETURN_IF_ERROR(RenamePath(path, PathOf(*step)));
  }
  return SyncDirectory(folder_);
}

// Renamed first, so that a deletion cut short leaves no half checkpoint under a checkpoint's name.
absl::Status CheckpointStore::Discard(const std::string& path) {
  const std::string trash = JoinPath(folder_, kTrashPrefix + BaseName(path));
  RETURN_IF_ERROR(RenamePath(path, trash));
  return RemoveRecursively(trash);
}

// Checkpoints after `committed` are left alone: the run went back before them, because they were
// damaged, and it will replace them.
absl::Status CheckpointStore::RemoveOld(int64_t committed) {
  ASSIGN_OR_RETURN(std::vector<StoredCheckpoint> all, List());
  std::reverse(all.begin(), all.end());
  int kept = 0;
  for (const StoredCheckpoint& checkpoint : all) {
    if (checkpoint.step > committed) continue;
    if (kept >= keep_last_) {
      RETURN_IF_ERROR(Discard(checkpoint.path));
      damaged_.erase(checkpoint.step);
      continue;
    }
    if (!damaged_.contains(checkpoint.step)) ++kept;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredCheckpoint>> CheckpointStore::List() const {
  std::vector<StoredCheckpoint> all;
  if (!PathExists(folder_)) return all;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  for (const std::string& name : names) {
    const std::optional<int64_t> step = ParseStepName(name);
    if (step && IsDirectory(JoinPath(folder_, name))) {
      all.push_back({*step, JoinPath(folder_, name)});
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return all;
}

absl::StatusOr<NewestCheckpoint> CheckpointStore::NewestValid(const Verify& verify) {
  ASSIGN_OR_RETURN(std::vector<StoredCheckpoint> all, List());
  NewestCheckpoint newest;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    const absl::Status status = verify ? verify(it->path) : VerifyCommitRecord(it->path);
    if (status.ok()) {
      newest.found = *it;
      break;
    }
    damaged_.insert(it->step);
    newest.warnings.push_back(absl::StrCat("checkpoint of step ", it->step,
                                           " is damaged and not used: ", status.message()));
  }
  return newest;
}

}  // namespace frond
