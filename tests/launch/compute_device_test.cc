#include "launch/compute_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/tensor/cuda_device.h"
#include "dist/local_communicator.h"
#include "dist/thread_communicator.h"
#include "launch/command.h"

namespace frond {
namespace {

using testing::HasSubstr;

TEST(ComputeDeviceTest, TheCpuIsThereWhateverElseIs) {
  LocalCommunicator world;
  const auto device = OpenComputeDevice(config::CPU, world);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->memory->device(), Device::kCpu);
  EXPECT_EQ(device->description, "CPU");
}

TEST(ComputeDeviceTest, GraphsAreForGpus) {
  LocalCommunicator world;
  for (const config::Device device : {config::CPU, config::AUTO}) {
    const auto refused = OpenComputeDevice(device, world, /*cuda_graphs=*/true);
    EXPECT_EQ(
        std::string(refused.status().message()),
        "the device is " + config::Device_Name(device) + "; with CUDA graphs it must be CUDA");
    EXPECT_EQ(ExitCode(refused.status()), 2);
  }
}

TEST(ComputeDeviceTest, SaysWhyThereIsNoGpu) {
  std::string why;
  if (CudaDeviceCount(&why) > 0) GTEST_SKIP() << "there is a GPU";
  RunThreadRanks(2, [&](Communicator& world) {
    const auto cuda = OpenComputeDevice(config::CUDA, world);
    ASSERT_FALSE(cuda.ok());
    EXPECT_EQ(std::string(cuda.status().message()),
              "device is CUDA, but no GPU can be used: " + why);
    EXPECT_EQ(ExitCode(cuda.status()), 2);
    const auto automatic = OpenComputeDevice(config::AUTO, world);
    ASSERT_TRUE(automatic.ok()) << automatic.status();
    EXPECT_EQ(automatic->memory->device(), Device::kCpu);
    EXPECT_EQ(automatic->description, "CPU (no GPU can be used: " + why + ")");
  });
}

TEST(ComputeDeviceTest, RanksShareTheGpusOfTheirHost) {
  const int gpus = CudaDeviceCount(nullptr);
  if (gpus == 0) GTEST_SKIP() << "NO GPU: not tested";
  RunThreadRanks(gpus + 1, [&](Communicator& world) {
    const auto device = OpenComputeDevice(config::AUTO, world);
    ASSERT_TRUE(device.ok()) << device.status();
    EXPECT_EQ(device->memory->device(), Device::kCuda);
    EXPECT_THAT(device->description,
                HasSubstr("GPU " + std::to_string(world.rank() % gpus) + " of "));
    const bool shared = world.rank() % gpus == 0;
    EXPECT_EQ(device->description.ends_with("shared by 2 ranks"), shared) << device->description;
  });
}

TEST(ComputeDeviceTest, ReadsNames) {
  EXPECT_EQ(*ParseDevice("cuda"), config::CUDA);
  EXPECT_EQ(*ParseDevice("CPU"), config::CPU);
  EXPECT_EQ(std::string(ParseDevice("gpu").status().message()),
            "the device is 'gpu', expected CPU, CUDA or AUTO");
}

TEST(ComputeDeviceTest, RatedPeaks) {
  EXPECT_EQ(RatedBf16Tflops("NVIDIA H100 80GB HBM3"), 989.4);
  EXPECT_EQ(RatedBf16Tflops("NVIDIA H100 PCIe"), 756.5);
  EXPECT_EQ(RatedBf16Tflops("emulated GPU"), 0);
}

}  // namespace
}  // namespace frond
