#include "checkpoint/work_folder_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::HasSubstr;

TEST(WorkFolderLockTest, SecondOwnerIsToldWhoHasIt) {
  TempFolder folder;
  const std::string work = folder / "run";
  auto lock = WorkFolderLock::Acquire(work);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const auto second = WorkFolderLock::Acquire(work);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("is in use by process ", ::getpid(), " on ")));
  lock->reset();
  EXPECT_TRUE(WorkFolderLock::Acquire(work).ok());
}

TEST(WorkFolderLockTest, DiesWithItsProcess) {
  TempFolder folder;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = WorkFolderLock::Acquire(folder.path());
    const char held = lock.ok() ? 'y' : 'n';
    if (::write(ends[1], &held, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char held = 0;
  ASSERT_EQ(::read(ends[0], &held, 1), 1);
  EXPECT_EQ(held, 'y');
  EXPECT_THAT(std::string(WorkFolderLock::Acquire(folder.path()).status().message()),
              HasSubstr(absl::StrCat("process ", child)));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(WorkFolderLock::Acquire(folder.path()).ok());
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace frond
