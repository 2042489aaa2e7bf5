// Run under mpirun: the contract of a communicator with processes as ranks.
//
// With --die the last rank ends without leaving the group; mpirun must then end the others. With
// --large only counts beyond 2^31 bytes are tried (2.2 GB of memory a rank; no part of the suite).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/string_view.h"
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
  Register("Reductions", CheckReductions, world);
  Register("Movement", CheckMovement, world);
  Register("Splits", CheckSplits, world);
  Register("KeepGrads", CheckKeepGrads, world);
  Register("Mesh", CheckMesh, world);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) { return frond::Main(argc, argv); }
