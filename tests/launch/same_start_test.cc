#include "launch/same_start.h"

#include <gtest/gtest.h>

#include "dist/thread_communicator.h"

namespace frond {
namespace {

// What every one of three ranks is told, where rank 2 has another program and config.
std::string MessageFor(const std::string& config, const std::string& program) {
  std::vector<std::string> messages(3);
  RunThreadRanks(3, [&](Communicator& world) {
    const bool other = world.rank() == 2;
    const absl::Status status =
        CheckSameStart(world, other ? config : "steps: 10\nseed: 1\n", other ? program : "aa");
    messages[static_cast<size_t>(world.rank())] = std::string(status.message());
  });
  EXPECT_EQ(messages[0], messages[1]);
  EXPECT_EQ(messages[0], messages[2]);
  return messages[0];
}

TEST(CheckSameStartTest, NamesTheRankAndWhatDiffers) {
  EXPECT_EQ(MessageFor("steps: 10\nseed: 1\n", "aa"), "");
  const std::string config = MessageFor("steps: 10\nseed: 2\n", "aa");
  EXPECT_EQ(config.find("rank 2 on "), 0u) << config;
  EXPECT_NE(config.find("`seed: 2` where rank 0 has `seed: 1`"), std::string::npos) << config;
  EXPECT_NE(MessageFor("steps: 10\n", "aa").find("nothing where rank 0 has `seed: 1`"),
            std::string::npos);
  const std::string program = MessageFor("steps: 10\nseed: 1\n", "bb");
  EXPECT_NE(program.find("another frond program"), std::string::npos) << program;
  EXPECT_NE(program.find("(bb, not aa)"), std::string::npos) << program;
}

TEST(ProgramHashTest, IsTheFilesOwn) { EXPECT_EQ(ProgramHash().size(), 16u); }

}  // namespace
}  // namespace frond
