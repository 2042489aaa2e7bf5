// Rehearsals against runs on ranks that are threads.
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "dist/thread_communicator.h"
#include "tests/launch/rehearsed_runs.h"

namespace frond {
namespace {

TEST(RehearsalTest, PredictsMemoryAndCommunicationOfRuns) {
  const std::string folder =
      JoinPath(testing::TempDir(), absl::StrCat("frond_rehearsal_", ::getpid()));
  const RehearsedRuns runs(folder);
  for (const MeshShape& mesh : kComparedMeshes) {
    RunThreadRanks(mesh.ranks(),
                   [&](Communicator& world) { RehearsedRuns::Compare(folder, world, mesh); });
  }
}

}  // namespace
}  // namespace frond
