#include "checkpoint/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "absl/strings/match.h"
#include "checkpoint/commit_record.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

absl::StatusOr<std::vector<FileRecord>> WriteSmallFiles(const std::string& folder) {
  std::vector<FileRecord> records;
  for (const char* name : {"config.json", "model.safetensors"}) {
    const auto record = WriteRecordedFile(folder, name, std::string(3000, 'm'));
    if (!record.ok()) return record.status();
    records.push_back(*record);
  }
  return records;
}

absl::Status SaveSmall(CheckpointStore& store, int64_t step) {
  const auto folder = store.Begin(step);
  if (!folder.ok()) return folder.status();
  const auto records = WriteSmallFiles(*folder);
  if (records.ok()) return store.Commit(step, *records);
  store.Abandon(step);
  return records.status();
}

std::vector<int64_t> Steps(const CheckpointStore& store) {
  std::vector<int64_t> steps;
  const auto all = store.List();
  EXPECT_TRUE(all.ok()) << all.status();
  for (const StoredCheckpoint& checkpoint : *all) steps.push_back(checkpoint.step);
  return steps;
}

void Flip(const std::string& path, size_t at) {
  std::string bytes = *ReadFile(path);
  bytes[at % bytes.size()] ^= 4;
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
}

TEST(CheckpointStoreTest, EmptyWorkFolder) {
  TempFolder folder;
  CheckpointStore store(folder / "run", 2);
  EXPECT_TRUE(store.Recover().ok());
  const auto newest = store.NewestValid();
  ASSERT_TRUE(newest.ok());
  EXPECT_FALSE(newest->found.has_value());
  EXPECT_THAT(newest->warnings, SizeIs(0));
  EXPECT_FALSE(PathExists(folder / "run"));
}

TEST(CheckpointStoreTest, KeepsTheLast) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 2);
  for (int64_t step = 100; step <= 500; step += 100) ASSERT_TRUE(SaveSmall(store, step).ok());
  EXPECT_THAT(Steps(store), ElementsAre(400, 500));
  EXPECT_THAT(*ListDirectory(folder / "checkpoints"),
              ElementsAre("step_00000400", "step_00000500"));
  const auto newest = store.NewestValid();
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(newest->found->step, 500);
  EXPECT_EQ(newest->found->path, folder / "checkpoints/step_00000500");
}

TEST(CheckpointStoreTest, ADamagedOneIsNamedAndTheOneBeforeUsed) {
  TempFolder folder;
  const uint64_t seed = FreshSeed();
  CheckpointStore store(folder.path(), 2);
  for (int64_t step = 1; step <= 2; ++step) ASSERT_TRUE(SaveSmall(store, step).ok());
  Flip(store.PathOf(2) + "/model.safetensors", seed);
  auto newest = store.NewestValid();
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(newest->found->step, 1);
  ASSERT_THAT(newest->warnings, SizeIs(1));
  EXPECT_THAT(newest->warnings[0], HasSubstr("checkpoint of step 2 is damaged"));
  EXPECT_THAT(newest->warnings[0], HasSubstr("step_00000002/model.safetensors': checksum is"));

  // A damaged one does not count among those kept.
  ASSERT_TRUE(SaveSmall(store, 3).ok());
  EXPECT_THAT(Steps(store), ElementsAre(1, 2, 3));
  ASSERT_TRUE(SaveSmall(store, 4).ok());
  EXPECT_THAT(Steps(store), ElementsAre(3, 4));
}

TEST(CheckpointStoreTest, ADamagedOneIsReplaced) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 1);
  ASSERT_TRUE(SaveSmall(store, 7).ok());
  Flip(store.PathOf(7) + "/config.json", 11);
  ASSERT_TRUE(WriteFileAtomically(store.PathOf(7) + "/stale", "x").ok());
  EXPECT_FALSE(store.NewestValid()->found.has_value());
  ASSERT_TRUE(SaveSmall(store, 7).ok());
  EXPECT_EQ(store.NewestValid()->found->step, 7);
  EXPECT_FALSE(PathExists(store.PathOf(7) + "/stale"));
  EXPECT_THAT(*ListDirectory(folder / "checkpoints"), ElementsAre("step_00000007"));
}

TEST(CheckpointStoreTest, GoingBackNeverDeletesTheFreshOne) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 1);
  ASSERT_TRUE(SaveSmall(store, 20).ok());
  Flip(store.PathOf(20) + "/config.json", 5);
  ASSERT_TRUE(SaveSmall(store, 15).ok());
  EXPECT_THAT(Steps(store), ElementsAre(15, 20));
  EXPECT_EQ(store.NewestValid()->found->step, 15);
  ASSERT_TRUE(SaveSmall(store, 25).ok());
  EXPECT_THAT(Steps(store), ElementsAre(25));
}

TEST(CheckpointStoreTest, LeftoversAreRemovedAndOthersLeftAlone) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 1);
  for (const char* name : {".tmp_step_00000003", ".trash_step_00000001", "step_final", "step_12"}) {
    ASSERT_TRUE(CreateDirectories(folder / "checkpoints/" + name).ok());
  }
  EXPECT_FALSE(store.NewestValid()->found.has_value());
  ASSERT_TRUE(SaveSmall(store, 9).ok());
  EXPECT_THAT(*ListDirectory(folder / "checkpoints"),
              ElementsAre("step_00000009", "step_12", "step_final"));
}

TEST(CheckpointStoreTest, RecoversASaveCutShortBeforeItsRename) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 1);
  const auto path = store.Begin(5);
  ASSERT_TRUE(WriteCommitRecord(*path, *WriteSmallFiles(*path)).ok());
  EXPECT_FALSE(store.NewestValid()->found.has_value());
  ASSERT_TRUE(store.Recover().ok());
  EXPECT_EQ(store.NewestValid()->found->step, 5);

  ASSERT_TRUE(WriteSmallFiles(*store.Begin(6)).ok());  // no commit record
  ASSERT_TRUE(store.Recover().ok());
  EXPECT_EQ(store.NewestValid()->found->step, 5);
  EXPECT_THAT(store.NewestValid()->warnings, SizeIs(0));
}

// Runs `body` in a child; its exit code.
template <class Body>
int InChild(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A file-size limit stands for the full disk: both make write() fail.
TEST(CheckpointStoreTest, AFullDiskKeepsTheLastCheckpoint) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 1);
  ASSERT_TRUE(SaveSmall(store, 1).ok());
  for (const rlim_t limit : {0, 100, 2999}) {
    const int code = InChild([&] {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit size = {limit, limit};
      if (::setrlimit(RLIMIT_FSIZE, &size) != 0) return 1;
      const absl::Status status = SaveSmall(store, 2);
      if (status.code() != absl::StatusCode::kResourceExhausted) return 2;
      return absl::StrContains(status.message(), "config.json") ? 0 : 3;
    });
    EXPECT_EQ(code, 0) << limit;
    EXPECT_THAT(*ListDirectory(folder / "checkpoints"), ElementsAre("step_00000001"));
    EXPECT_EQ(store.NewestValid()->found->step, 1);
  }
  // The files fit, the commit record does not.
  const int code = InChild([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto path = store.Begin(3);
    const auto records = WriteSmallFiles(*path);
    const rlimit size = {100, 100};
    if (!records.ok() || ::setrlimit(RLIMIT_FSIZE, &size) != 0) return 1;
    return store.Commit(3, *records).code() == absl::StatusCode::kResourceExhausted ? 0 : 2;
  });
  EXPECT_EQ(code, 0);
  EXPECT_THAT(*ListDirectory(folder / "checkpoints"), ElementsAre("step_00000001"));
}

TEST(CheckpointStoreTest, AnAbandonedFolderIsRemoved) {
  TempFolder folder;
  CheckpointStore store(folder.path(), 1);
  const auto path = store.Begin(4);
  ASSERT_TRUE(path.ok() && WriteSmallFiles(*path).ok());
  store.Abandon(4);
  EXPECT_THAT(*ListDirectory(folder / "checkpoints"), SizeIs(0));
}

// Saves steps without end and reports each one that is committed.
[[noreturn]] void SaveForever(const std::string& work_folder, int64_t first, int report_fd) {
  CheckpointStore store(work_folder, 2);
  for (int64_t step = first;; ++step) {
    if (!SaveSmall(store, step).ok()) ::_exit(1);
    if (::write(report_fd, &step, sizeof(step)) != sizeof(step)) ::_exit(2);
  }
}

// Killed at a random instant, nothing reported as saved is lost and nothing half-made is taken for
// a checkpoint.
TEST(CheckpointStoreTest, KilledAtAnyInstant) {
  TempFolder folder;
  std::mt19937_64 random(FreshSeed());
  int64_t reported = 0;
  for (int trial = 0; trial < 20; ++trial) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) SaveForever(folder.path(), reported + 1, ends[1]);
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(random() % 120000));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    for (int64_t step; ::read(ends[0], &step, sizeof(step)) == sizeof(step);) reported = step;
    ::close(ends[0]);

    CheckpointStore store(folder.path(), 2);
    ASSERT_TRUE(store.Recover().ok());
    const auto newest = store.NewestValid();
    ASSERT_TRUE(newest.ok()) << newest.status();
    EXPECT_THAT(newest->warnings, SizeIs(0));
    ASSERT_TRUE(newest->found.has_value() || reported == 0);
    if (!newest->found) continue;
    EXPECT_GE(newest->found->step, reported);
    EXPECT_LE(newest->found->step, reported + 1);
    reported = newest->found->step;
  }
  EXPECT_GT(reported, 0);
}

}  // namespace
}  // namespace frond
