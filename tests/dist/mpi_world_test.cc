// Run under mpirun: the contract of a communicator with processes as ranks.
//
// With --die the last rank ends without leaving the group; mpirun must then end the others. With
// --large only counts beyond 2^31 bytes are tried (2.2 GB of memory a rank; no part of the suite).
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/string_view.h"
#include "dist/link_test.h"
#include "dist/world.h"
#include "tests/dist/communicator_contract.h"

namespace frond {
namespace {

class WorldTest : public testing::Test {
 public:
  using Check = void (*)(Communicator&);
  WorldTest(Check check, Communicator& world) : check_(check), world_(world) {}
  void TestBody() override { check_(world_); }

 private:
  Check check_;
  Communicator& world_;
};

void Register(const char* name, WorldTest::Check check, Communicator& world) {
  testing::RegisterTest("MpiWorldTest", name, nullptr, nullptr, __FILE__, __LINE__,
                        [=, &world]() -> testing::Test* { return new WorldTest(check, world); });
}

// The set of signals that a thread of this process blocks; bit n - 1 is signal n.
uint64_t BlockedSignals(const std::filesystem::path& task) {
  std::ifstream status(task / "status");
  for (std::string word; status >> word;) {
    if (word != "SigBlk:") continue;
    status >> word;
    return std::stoull(word, nullptr, 16);
  }
  return 0;
}

// A signal to the process reaches the thread that asked for it, not one of MPI's.
void CheckSignalMasks(Communicator&) {
  const std::string main_thread = std::to_string(::getpid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const bool is_main = task.path().filename() == main_thread;
    for (const int number : {SIGTERM, SIGUSR1}) {
      const bool is_blocked = BlockedSignals(task.path()) >> (number - 1) & 1;
      EXPECT_EQ(is_blocked, !is_main) << "signal " << number << ", thread " << task.path();
    }
  }
}

// Its many short-lived groups of two must all go again.
void CheckLinksOftenTested(Communicator& world) {
  CpuAllocator memory;
  Context ctx(memory);
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<LinkReport> report =
        TestLinks(ctx, world, {.check_bytes = 4000, .speed_bytes = 4000, .repeats = 1});
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(std::ssize(report->pairs), world.size() * (world.size() - 1) / 2);
  }
}

int Main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const absl::string_view mode = argc > 1 ? argv[1] : "";
  absl::StatusOr<std::unique_ptr<Communicator>> made = CreateWorldCommunicator(argc, argv);
  if (!made.ok()) {
    std::cerr << made.status() << std::endl;
    return 1;
  }
  Communicator& world = **made;
  if (mode == "--die") {
    if (world.rank() == world.size() - 1) std::_Exit(3);
    world.Barrier();  // never returns
    return 0;
  }
  if (mode == "--large") {
    Register("LargeCounts", CheckLargeCounts, world);
    return RUN_ALL_TESTS();
  }
  // First: threads that are started later block what their parent does.
  Register("SignalMasks", CheckSignalMasks, world);
  Register("Reductions", CheckReductions, world);
  Register("Movement", CheckMovement, world);
  Register("Splits", CheckSplits, world);
  Register("DeviceOperands", CheckDeviceOperands, world);
  Register("KeepGrads", CheckKeepGrads, world);
  Register("EarlySums", CheckEarlySums, world);
  Register("Mesh", CheckMesh, world);
  Register("LinksOftenTested", CheckLinksOftenTested, world);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Main(argc, argv); }
