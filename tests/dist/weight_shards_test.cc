#include "dist/weight_shards.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "core/tensor/meta_allocator.h"
#include "core/tensor/transfer.h"
#include "dist/local_communicator.h"
#include "dist/plan_communicator.h"
#include "dist/thread_communicator.h"

namespace frond {
namespace {

struct Format {
  DType compute;
  MasterFormat masters;
};
constexpr Format kFormats[] = {{DType::kF32, MasterFormat::kWhole},
                               {DType::kBF16, MasterFormat::kWhole},
                               {DType::kBF16, MasterFormat::kSplit},
                               {DType::kBF16, MasterFormat::kStochastic}};

// Three sections: a table and all vectors; small matrices, with rows that no number of ranks
// divides; one that travels alone in every format on 2 ranks, and not on 3.
constexpr int kSections = 3;
std::unique_ptr<ParamStore> MakeStore(const Format& format, AxisPlace shards) {
  auto store = std::make_unique<ParamStore>(format.compute, format.masters, AxisPlace{}, shards);
  store->Add(Scope("table"), {.shape = {50, 8}, .use = ParamUse::kEmbedding});
  store->StartSection();
  store->Add(Scope("a"), {.shape = {7, 16}});
  store->Add(Scope("norm"), {.shape = {5}, .use = ParamUse::kVector});
  store->Add(Scope("b"), {.shape = {1, 16}});
  store->StartSection();
  store->Add(Scope("large"), {.shape = {2048, 1024}});
  CHECK_EQ(store->num_sections(), kSections);
  return store;
}

// Whole numbers that bf16 holds.
double ElementAt(const Param& param, int64_t index, int step) {
  return static_cast<double>((index * 7 + 31 * param.index + step) % 200);
}

// What an optimizer does: this rank's rows of the masters. All others hold what must not be read.
void SetMasters(Context& ctx, ParamStore& store, int step) {
  for (const auto& param : store.params()) {
    Fill(ctx, -1, param->value);
    if (param->owned.rows == 0) continue;
    Tensor values(ctx, param->owned_shape(), DType::kF32);
    for (int64_t i = 0; i < values.shape().num_elements(); ++i) {
      values.As<float>()[i] =
          static_cast<float>(ElementAt(*param, param->owned.WholeIndex(i), step));
    }
    Cast(ctx, values, param->exact.empty() ? param->OwnedRows(param->value) : param->exact.view());
  }
}

int64_t NumWrong(Context& ctx, const ParamStore& store, int step) {
  int64_t wrong = 0;
  for (const auto& param : store.params()) {
    const std::vector<double> values = ToDoubles(ctx, param->Weight());
    for (size_t i = 0; i < values.size(); ++i) {
      wrong += values[i] == ElementAt(*param, static_cast<int64_t>(i), step) ? 0 : 1;
    }
  }
  return wrong;
}

TEST(WeightShardsTest, EveryRankGetsEveryRowInEveryFormat) {
  for (const Format& format : kFormats) {
    for (const int ranks : {2, 3}) {
      RunThreadRanks(ranks, [&](Communicator& data) {
        CpuAllocator memory;
        Context ctx(memory);
        const auto store = MakeStore(format, {.rank = data.rank(), .size = ranks});
        store->Allocate(ctx);
        WeightShards weights(*store, data);
        for (int step = 0; step < 2; ++step) {
          SetMasters(ctx, *store, step);
          weights.MarkChanged(ctx);
          // Ranks may ask in steps of any size: what travels is the same.
          for (int s = 0; data.rank() % 2 == 0 && s < kSections; ++s) store->Await(ctx, s);
          weights.Complete(ctx);
          EXPECT_EQ(NumWrong(ctx, *store, step), 0)
              << ranks << " ranks, masters " << static_cast<int>(format.masters);
        }
      });
    }
  }
}

// The start and end of every gather, by its number.
class NotedGathers : public PlannedTime {
 public:
  std::function<void()> Start(CollectiveKind kind, size_t) override {
    CHECK(kind == CollectiveKind::kAllGather);
    const int number = count_++;
    absl::StrAppend(&notes_, " s", number);
    return [this, number] { absl::StrAppend(&notes_, " e", number); };
  }
  std::string Take() { return std::exchange(notes_, ""); }

 private:
  int count_ = 0;
  std::string notes_;
};

TEST(WeightShardsTest, GathersASectionAheadAndEachOnce) {
  MetaAllocator memory(Device::kCuda);
  Context ctx(memory);
  NotedGathers gathers;
  PlanCommunicator data(0, 2, {.asynchronous = true, .time = &gathers});
  const auto store = MakeStore(kFormats[0], {.rank = 0, .size = 2});
  store->Allocate(ctx);
  WeightShards weights(*store, data);
  EXPECT_EQ(gathers.Take(), "");
  weights.MarkChanged(ctx);
  EXPECT_EQ(gathers.Take(), "") << "nothing travels before it is asked for";
  store->Await(ctx, 0);
  EXPECT_EQ(gathers.Take(), " s0 s1 e0");
  store->Await(ctx, 0);
  EXPECT_EQ(gathers.Take(), "");
  store->Await(ctx, 1);
  EXPECT_EQ(gathers.Take(), " s2 e1");
  store->Await(ctx, 2);
  EXPECT_EQ(gathers.Take(), " e2");
  weights.Complete(ctx);
  for (int s = 0; s < kSections; ++s) store->Await(ctx, s);  // a second micro-batch
  EXPECT_EQ(gathers.Take(), "");
  weights.MarkChanged(ctx);
  weights.Complete(ctx);
  EXPECT_EQ(gathers.Take(), " s3 s4 s5 e3 e4 e5");
}

TEST(WeightShardsTest, PacksWhatIsReady) {
  RunThreadRanks(2, [&](Communicator& data) {
    CpuAllocator memory;
    Context ctx(memory);
    const auto store = MakeStore(kFormats[1], {.rank = data.rank(), .size = 2});
    store->Allocate(ctx);
    WeightShards weights(*store, data);
    SetMasters(ctx, *store, 0);
    weights.MarkChanged(ctx);
    store->Await(ctx, 1);
    EXPECT_FALSE(store->Find("a")->forms.forward.empty());
    EXPECT_TRUE(store->Find("large")->forms.forward.empty());
    store->Await(ctx, 2);
    EXPECT_FALSE(store->Find("large")->forms.backward.empty());
  });
}

TEST(WeightShardsTest, AStepThatWasGivenUpEnds) {
  RunThreadRanks(2, [&](Communicator& data) {
    CpuAllocator memory;
    Context ctx(memory);
    const auto store = MakeStore(kFormats[0], {.rank = data.rank(), .size = 2});
    store->Allocate(ctx);
    {
      WeightShards weights(*store, data);
      SetMasters(ctx, *store, 0);
      weights.MarkChanged(ctx);
      store->Await(ctx, 0);
    }
    store->Await(ctx, 2);  // no gate is left
    EXPECT_FALSE(store->Find("large")->is_ready);
  });
}

TEST(WeightShardsDeathTest, NothingIsReadBeforeItIsWhole) {
  MetaAllocator memory(Device::kCuda);
  Context ctx(memory);
  PlanCommunicator data(0, 2, {});
  const auto store = MakeStore(kFormats[0], {.rank = 0, .size = 2});
  store->Allocate(ctx);
  WeightShards weights(*store, data);
  Param& a = *store->Find("a");
  EXPECT_EQ(a.Weight().num_elements(), 7 * 16);
  weights.MarkChanged(ctx);
  EXPECT_DEATH(a.Weight(), "a is read before it is whole");
  EXPECT_DEATH(a.Pack(Trans::kYes), "a is read before it is whole");
  store->Await(ctx, 0);
  EXPECT_EQ(store->Find("norm")->Weight().num_elements(), 5) << "vectors come first";
  EXPECT_DEATH(a.Weight(), "a is read before it is whole");
  EXPECT_DEATH(weights.MarkChanged(ctx), "a pass has left out the others");
  store->Await(ctx, 1);
  EXPECT_EQ(a.Weight().num_elements(), 7 * 16);
  weights.Complete(ctx);
  weights.MarkChanged(ctx);
}

TEST(WeightShardsTest, WholeMastersAreReadyAtOnce) {
  CpuAllocator memory;
  Context ctx(memory);
  LocalCommunicator data;
  const auto store = MakeStore(kFormats[0], {});
  store->Allocate(ctx);
  WeightShards weights(*store, data);
  SetMasters(ctx, *store, 0);
  weights.MarkChanged(ctx);
  EXPECT_EQ(NumWrong(ctx, *store, 0), 0);
  EXPECT_FALSE(store->Find("large")->forms.backward.empty());
}

}  // namespace
}  // namespace frond
