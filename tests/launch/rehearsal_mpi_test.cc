// Rehearsals against runs under mpirun, on the meshes of as many ranks as were launched.
//
//     mpirun -n 4 launch_rehearsal_mpi_test FOLDER
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "core/base/check.h"
#include "dist/world.h"
#include "tests/launch/rehearsed_runs.h"

namespace frond {
namespace {

class MpiRehearsalTest : public testing::Test {
 public:
  MpiRehearsalTest(std::string folder, Communicator& world)
      : folder_(std::move(folder)), world_(world) {}

  void TestBody() override {
    std::optional<RehearsedRuns> runs;  // rank 0 makes and removes the folder
    if (world_.rank() == 0) runs.emplace(folder_);
    world_.Barrier();
    int meshes = 0;
    for (const MeshShape& mesh : kComparedMeshes) {
      if (mesh.ranks() != world_.size()) continue;
      RehearsedRuns::Compare(folder_, world_, mesh);
      ++meshes;
    }
    EXPECT_GT(meshes, 0) << "no mesh of " << world_.size() << " ranks";
    world_.Barrier();
  }

 private:
  std::string folder_;
  Communicator& world_;
};

}  // namespace
}  // namespace frond

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto world = frond::CreateWorldCommunicator(argc, argv);
  CHECK_OK(world.status());
  CHECK_EQ(argc, 2) << "usage: launch_rehearsal_mpi_test FOLDER";
  const std::string folder = argv[1];
  testing::RegisterTest(
      "MpiRehearsalTest", "PredictsRuns", nullptr, nullptr, __FILE__, __LINE__,
      [&]() -> testing::Test* { return new frond::MpiRehearsalTest(folder, **world); });
  return RUN_ALL_TESTS();
}
