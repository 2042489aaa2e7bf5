#include "launch/device_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"

namespace frond {
namespace {

using config::Mesh;

TEST(DeviceGroupTest, RanksOnTheCpuHaveNothingToChoose) {
  LocalCommunicator world;
  const auto group = JoinDeviceGroup(Mesh::AUTO, Device::kCpu, world);
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(&group->Ranks(world), &world);
  EXPECT_EQ(group->description, "");
  EXPECT_EQ(JoinDeviceGroup(Mesh::NCCL, Device::kCpu, world).status().message(),
            "mesh.gpu_collectives is NCCL, but the ranks compute on the CPU; set it to AUTO");
}

TEST(DeviceGroupTest, StagedTensorsGoWithTheWorld) {
  RunThreadRanks(2, [](Communicator& world) {
    const auto group = JoinDeviceGroup(Mesh::STAGED, Device::kCuda, world);
    ASSERT_TRUE(group.ok()) << group.status();
    EXPECT_EQ(&group->Ranks(world), &world);
    EXPECT_EQ(group->description, "staged through host memory");
  });
}

}  // namespace
}  // namespace frond
