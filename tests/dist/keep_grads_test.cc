// When the ranks' sums of gradients start, and that nothing is read before they have ended.
#include "dist/keep_grads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "dist/local_communicator.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Stands for two ranks with equal gradients whose sums end as late as they may.
class LateSums : public LocalCommunicator {
 public:
  int size() const override { return 2; }
  Pending AllReduce(Context&, View x, Reduce) override {
    started.push_back(x.num_elements());
    return Pending([x] {
      for (int64_t i = 0; i < x.num_elements(); ++i) x.As<float>()[i] *= 2;
    });
  }
  std::vector<int64_t> started;  // elements of every sum
};

class KeepGradsTest : public testing::Test {
 protected:
  KeepGradsTest() {
    // 16 elements each in the buffer; with 20 in a bucket: {a, b}, {c, d}, {e}.
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      store_.Add(Scope(name), {.shape = {16}, .partition = {}, .init = {}});
    }
  }
  Param& At(const char* name) { return *store_.Find(name); }
  void Contribute(KeepGrads& sink, const char* name, float value) {
    sink.Open(ctx_, At(name)).As<float>()[0] += value;
    sink.Close(ctx_, At(name));
  }

  CpuAllocator memory_;
  Context ctx_{memory_};
  ParamStore store_{DType::kF32};
};

TEST_F(KeepGradsTest, ABucketStartsOnceItAndThoseBehindItAreComplete) {
  KeepGrads sink(ctx_, store_, /*bucket_elements=*/20);
  LateSums ranks;
  for (const char* name : {"e", "d", "c", "b", "a"}) Contribute(sink, name, 1);
  EXPECT_THAT(ranks.started, IsEmpty());  // not the last pass
  sink.StartLastPass(ranks);
  Contribute(sink, "c", 1);
  Contribute(sink, "d", 1);
  EXPECT_THAT(ranks.started, IsEmpty());  // e is open
  Contribute(sink, "e", 1);
  EXPECT_THAT(ranks.started, ElementsAre(16, 32));
  Contribute(sink, "a", 1);
  EXPECT_THAT(ranks.started, ElementsAre(16, 32));
  Contribute(sink, "b", 1);
  EXPECT_THAT(ranks.started, ElementsAre(16, 32, 32));
  const absl::StatusOr<double> norm = sink.Finish(ctx_, ranks);
  ASSERT_TRUE(norm.ok()) << norm.status();
  EXPECT_FLOAT_EQ(static_cast<float>(*norm), std::sqrt(5 * 16.0f));  // 4 each, after the sums
  // The next step begins anew.
  sink.StartStep(ctx_);
  Contribute(sink, "e", 1);
  EXPECT_EQ(ranks.started.size(), 3u);
}

TEST_F(KeepGradsTest, APassWithoutExamplesStartsAllInTheSameOrder) {
  KeepGrads sink(ctx_, store_, /*bucket_elements=*/20);
  LateSums ranks;
  sink.StartLastPass(ranks);
  sink.EndPasses(ctx_);
  EXPECT_THAT(ranks.started, ElementsAre(16, 32, 32));
  ASSERT_TRUE(sink.Finish(ctx_, ranks).ok());
}

TEST_F(KeepGradsTest, AStepThatIsGivenUpLeavesNothingBehind) {
  KeepGrads sink(ctx_, store_, /*bucket_elements=*/20);
  LateSums ranks;
  sink.StartLastPass(ranks);
  Contribute(sink, "e", 1);
  sink.StartStep(ctx_);
  Contribute(sink, "e", 3);
  EXPECT_EQ(sink.Grad(At("e")).As<float>()[0], 3);
  sink.StartLastPass(ranks);
  Contribute(sink, "e", 1);  // under way when the sink goes
}

}  // namespace
}  // namespace frond
