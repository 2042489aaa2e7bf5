#include "launch/find_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "checkpoint/safetensors_writer.h"
#include "dist/thread_communicator.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::HasSubstr;

// Three checkpoints of a few tensors each.
class FindCheckpointTest : public testing::Test {
 protected:
  FindCheckpointTest() : random_(FreshSeed()) {
    config_.set_work_dir(folder_.path());
    CheckpointStore store(folder_.path(), 3);
    for (int64_t step = 1; step <= 3; ++step) {
      TensorBag bag(random_());
      for (int i = 0; i < 5; ++i) bag.Add(absl::StrCat("w", i), {20, 3}, DType::kF32);
      const std::string path = *store.Begin(step);
      const auto record = WritePlannedFile(
          path, PlanSafetensors("model.safetensors", bag.tensors()), bag.tensors());
      EXPECT_TRUE(store.Commit(step, {*record}).ok());
    }
  }

  void Damage(int64_t step) {
    const std::string file = PathOf(step) + "/model.safetensors";
    std::string bytes = *ReadFile(file);
    bytes[random_() % bytes.size()] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(file, bytes).ok());
  }

  // What all ranks say, which must be the same.
  absl::StatusOr<std::string> Find(int ranks) {
    std::vector<absl::StatusOr<std::string>> found(static_cast<size_t>(ranks));
    RunThreadRanks(ranks, [&](Communicator& world) {
      std::unique_ptr<CheckpointStore> store;
      if (world.rank() == 0) store = std::make_unique<CheckpointStore>(folder_.path(), 3);
      found[static_cast<size_t>(world.rank())] = FindCheckpoint(world, store.get(), config_);
    });
    for (const auto& other : found) {
      EXPECT_EQ(other.status(), found[0].status());
      EXPECT_EQ(other.value_or(""), found[0].value_or(""));
    }
    return found[0];
  }

  std::string PathOf(int64_t step) const { return CheckpointStore(folder_.path(), 3).PathOf(step); }

  TempFolder folder_;
  std::mt19937_64 random_;
  config::TrainConfig config_;
};

TEST_F(FindCheckpointTest, TheNewestThatIsWholeOnEveryNumberOfRanks) {
  for (const int ranks : {1, 2, 4}) EXPECT_EQ(*Find(ranks), PathOf(3)) << ranks;
  Damage(3);
  for (const int ranks : {1, 2, 4}) EXPECT_EQ(*Find(ranks), PathOf(2)) << ranks;
  Damage(2);
  for (const int ranks : {4, 2, 1}) EXPECT_EQ(*Find(ranks), PathOf(1)) << ranks;
  Damage(1);
  for (const int ranks : {1, 3}) {
    const auto none = Find(ranks);
    EXPECT_EQ(none.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(none.status().message()), HasSubstr("is whole (3 damaged)"));
  }
}

TEST_F(FindCheckpointTest, AFreshStartIsNotMadeOverCheckpoints) {
  config_.mutable_checkpoint()->set_resume(false);
  for (const int ranks : {1, 2}) {
    EXPECT_THAT(std::string(Find(ranks).status().message()),
                HasSubstr("checkpoint.resume is false, but there is " + PathOf(3)));
  }
  ASSERT_TRUE(RemoveRecursively(folder_ / "checkpoints").ok());
  for (const int ranks : {1, 2}) EXPECT_EQ(*Find(ranks), "");
  config_.mutable_checkpoint()->set_resume(true);
  for (const int ranks : {1, 2}) EXPECT_EQ(*Find(ranks), "");
}

}  // namespace
}  // namespace frond
