// What ranks say to each other: counted where it is said, and the same where it is only planned.
#include "dist/communication_count.h"

#include <gtest/gtest.h>

#include <mutex>

#include "core/base/check.h"
#include "core/tensor/meta_allocator.h"
#include "dist/keep_grads.h"
#include "dist/plan_communicator.h"
#include "dist/process_mesh.h"
#include "dist/thread_communicator.h"
#include "tests/dist/communicator_contract.h"

namespace frond {
namespace {

using Kind = CollectiveKind;

TEST(CountingCommunicatorTest, IsTheGroupItWraps) {
  for (const int ranks : {1, 4}) {
    RunThreadRanks(ranks, [](Communicator& threads) {
      CountingCommunicator world(threads, std::make_shared<CommunicationLog>());
      for (const auto check : {CheckReductions, CheckMovement, CheckSplits, CheckKeepGrads,
                               CheckEarlySums, CheckMesh}) {
        check(world);
      }
    });
  }
}

// One collective of every kind.
void Speak(Context& ctx, Communicator& group) {
  const int64_t n = group.size();
  Tensor all(ctx, {5 * n, 2}, DType::kF32), part(ctx, {5, 2}, DType::kF32);
  group.AllReduce(ctx, all, Reduce::kSum).Wait();
  group.ReduceScatter(ctx, all, part, Reduce::kSum).Wait();
  group.AllGather(ctx, part, all).Wait();
  group.AllGather(ctx, part, all).Wait();
  group.Broadcast(ctx, part, 0).Wait();
  group.AllGatherBytes("seven..");
}

TEST(CountingCommunicatorTest, CountsWholeOperandsByKindAndGroup) {
  RunThreadRanks(4, [](Communicator& threads) {
    CpuAllocator memory;
    Context ctx(memory);
    const auto log = std::make_shared<CommunicationLog>();
    CountingCommunicator world(threads, log);
    const auto pair = world.Split(world.rank() / 2, 0);
    const auto alone = world.Split(world.rank(), 0);
    Speak(ctx, world);
    Speak(ctx, *pair);
    Speak(ctx, *alone);
    ASSERT_EQ(log->groups.size(), 3u);
    int sizes[] = {4, 2, 1}, g = 0;
    for (const CommunicationLog::Group& group : log->groups) {
      const int64_t n = sizes[g++];
      EXPECT_EQ(group.size, n);
      const int64_t calls = n > 1 ? 1 : 0;  // a rank does not talk to itself
      const CommunicationCount& count = group.count;
      EXPECT_EQ(count.of(Kind::kAllReduce), (CommunicationCount::Entry{calls, calls * 40 * n}));
      EXPECT_EQ(count.of(Kind::kReduceScatter), (CommunicationCount::Entry{calls, calls * 40 * n}));
      EXPECT_EQ(count.of(Kind::kAllGather), (CommunicationCount::Entry{2 * calls, calls * 80 * n}));
      EXPECT_EQ(count.of(Kind::kBroadcast), (CommunicationCount::Entry{calls, calls * 40}));
      EXPECT_EQ(count.of(Kind::kAllGatherBytes), (CommunicationCount::Entry{calls, calls * 7 * n}));
    }
  });
}

TEST(CommunicationCountTest, RingsSendWhatIsNotOnesOwn) {
  CommunicationCount count;
  count.Add(Kind::kAllReduce, 800);
  EXPECT_EQ(RingBytes(count, 1), 0);
  EXPECT_EQ(RingBytes(count, 4), 2 * 600);
  const CommunicationCount before = count;
  count.Add(Kind::kReduceScatter, 400);
  count.Add(Kind::kAllGather, 4000);
  count.Add(Kind::kBroadcast, 10);
  EXPECT_EQ(RingBytes(Difference(count, before), 4), 300 + 3000 + 10);
}

// Gradients of parameters of many sizes, summed over the ranks as one or bucket by bucket.
void SumGradients(Context& ctx, Communicator& data, bool early) {
  ParamStore store(DType::kF32);
  for (int p = 0; p < 9; ++p) {
    store.Add(Scope("p") / p, {.shape = {37 * (p + 1), 11}, .use = ParamUse::kVector});
  }
  KeepGrads grads(ctx, store, /*bucket_elements=*/3000);
  if (early) grads.StartLastPass(data);
  for (int p = 8; p >= 0; --p) {
    Param& param = *store.params()[static_cast<size_t>(p)];
    grads.Open(ctx, param);
    grads.Close(ctx, param);
  }
  CHECK_OK(grads.Finish(ctx, data).status());
}

TEST(PlanCommunicatorTest, SaysWhatTheRankOfARealGroupSays) {
  for (const bool early : {false, true}) {
    for (const int ranks : {2, 4}) {
      RunThreadRanks(ranks, [&](Communicator& threads) {
        const auto real = std::make_shared<CommunicationLog>();
        const auto planned = std::make_shared<CommunicationLog>();
        CpuAllocator memory;
        Context ctx(memory);
        CountingCommunicator world(threads, real);
        SumGradients(ctx, world, early);
        Speak(ctx, world);

        MetaAllocator nothing(Device::kCpu);
        Context meta(nothing);
        PlanCommunicator plan(threads.rank(), ranks, {});
        CountingCommunicator counted(plan, planned);
        SumGradients(meta, counted, early);
        Speak(meta, counted);
        EXPECT_EQ(planned->groups.front().count, real->groups.front().count);
        EXPECT_GT(real->groups.front().count.of(Kind::kAllReduce).calls, early ? 4 : 1);
      });
    }
  }
}

TEST(PlanCommunicatorTest, MakesAMesh) {
  PlanCommunicator world(5, 8, {});
  ProcessMesh mesh = ProcessMesh::OfAxes(
      world,
      std::make_unique<PlanCommunicator>(2, 4, PlanCommunicator::Options{.asynchronous = true}),
      std::make_unique<PlanCommunicator>(1, 2, PlanCommunicator::Options{}));
  EXPECT_EQ(mesh.data().rank(), 2);
  EXPECT_EQ(mesh.data().size(), 4);
  EXPECT_TRUE(mesh.data().IsAsynchronous());
  EXPECT_EQ(mesh.tensor().size(), 2);
  EXPECT_EQ(mesh.world().AllGatherBytes("x").size(), 8u);
}

// Notes when collectives start and are waited for.
class NotedTime : public PlannedTime {
 public:
  std::function<void()> Start(CollectiveKind kind, size_t bytes) override {
    const std::string name = std::string(CollectiveKindName(kind)) + " " + std::to_string(bytes);
    notes.push_back("start " + name);
    return [this, name] { notes.push_back("end " + name); };
  }
  std::vector<std::string> notes;
};

TEST(PlanCommunicatorTest, TellsWhenCollectivesStartAndEnd) {
  MetaAllocator memory(Device::kCuda);
  Context ctx(memory);
  NotedTime time;
  PlanCommunicator group(1, 2, {.asynchronous = true, .time = &time});
  Tensor whole(ctx, {4}, DType::kF32), half(ctx, {2}, DType::kF32);
  Pending sum = group.AllReduce(ctx, whole, Reduce::kSum);
  group.ReduceScatter(ctx, whole, half, Reduce::kSum).Wait();
  sum.Wait();
  EXPECT_EQ(time.notes, (std::vector<std::string>{"start all-reduce 16", "start reduce-scatter 16",
                                                  "end reduce-scatter 16", "end all-reduce 16"}));
}

// Scratch is taken while a reduction runs, except where operands ride with the call.
TEST(PlanCommunicatorTest, TakesScratchAsMpiDoes) {
  MetaAllocator memory(Device::kCpu);
  Context ctx(memory);
  PlanCommunicator group(0, 4, {.with_scratch = true});
  Tensor small(ctx, {100}, DType::kF32), large(ctx, {1 << 22}, DType::kF32);
  const auto scratch = [&] {
    return memory.Report().by_kind[static_cast<int>(MemoryKind::kWorkspace)].peak_bytes;
  };
  group.AllReduce(ctx, small, Reduce::kSum).Wait();
  EXPECT_EQ(scratch(), 0);
  group.AllReduce(ctx, large, Reduce::kSum).Wait();
  EXPECT_EQ(scratch(), 3 << 20);
  group.ReduceScatter(ctx, large, Rows(large.view(), 0, 1 << 20), Reduce::kSum).Wait();
  EXPECT_EQ(scratch(), 3 << 22);
}

}  // namespace
}  // namespace frond
