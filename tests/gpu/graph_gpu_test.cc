// Repeated work as CUDA graphs against the same work op by op: optimizers and decoding, to the bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "core/ops/argmax.h"
#include "core/ops/cuda/matmul.h"
#include "core/ops/cuda/sent_lists.h"
#include "core/ops/elementwise.h"
#include "core/ops/embedding.h"
#include "core/ops/matmul.h"
#include "core/tensor/repeated_work.h"
#include "core/tensor/transfer.h"
#include "eval/greedy_decode.h"
#include "models/t5/incremental_decoder.h"
#include "models/t5/t5_model.h"
#include "optim/adafactor.h"
#include "optim/adamw.h"
#include "tests/gpu/gpu_fixture.h"
#include "tests/gpu/tiny_t5.h"

namespace frond::testing {
namespace {

// A GPU that launches op by op, and one more context on it that captures.
struct Pair {
  Pair()
      : plain_memory(*CreateCudaAllocator(0)),
        memory(*CreateCudaAllocator(0, {.graphs = true})),
        plain(*plain_memory),
        graphs(*memory) {}

  CudaGraphCounts counts() const { return CountCudaGraphs(*memory); }

  std::unique_ptr<Allocator> plain_memory, memory;
  Context plain, graphs;
};

#define FROND_PAIR_OR_SKIP(pair)                     \
  if (std::string why; CudaDeviceCount(&why) == 0) { \
    GTEST_SKIP() << "NO GPU: not tested: " << why;   \
  }                                                  \
  Pair pair

std::vector<char> BytesOf(Context& ctx, ConstView x) {
  std::vector<char> bytes(x.bytes());
  CopyToHost(ctx, x, bytes.data());
  return bytes;
}

class RepeatedWorkTest : public ::testing::Test {
 protected:
  RepeatedWorkTest() { std::printf("seed %llu\n", static_cast<unsigned long long>(seed_)); }

  Tensor Draw(Context& ctx, const Shape& shape, double scale, uint64_t number) const {
    std::mt19937_64 random(seed_ + number);
    std::normal_distribution<float> normal(0, static_cast<float>(scale));
    std::vector<float> values(static_cast<size_t>(shape.num_elements()));
    for (float& value : values) value = normal(random);
    Tensor x(ctx, shape, DType::kF32);
    CopyFromHost(ctx, values.data(), x);
    return x;
  }

  const uint64_t seed_ = std::random_device{}();
};

TEST_F(RepeatedWorkTest, IsCapturedFromTheSecondRunOn) {
  FROND_PAIR_OR_SKIP(gpu);
  Context& ctx = gpu.graphs;
  Tensor x(ctx, {1000}, DType::kF32);
  Fill(ctx, 1, x);
  for (const double term : {2.0, 30.0, 400.0, 5000.0}) {
    RunRepeated(ctx, {.owner = this}, [&] {
      Tensor y(ctx, x.shape(), DType::kF32);
      Fill(ctx, term, y);
      AddScaled(ctx, 1, y, Write::kAccumulate, x);
    });
  }
  EXPECT_EQ(ToDoubles(ctx, x), std::vector<double>(1000, 5433));
  const CudaGraphCounts counts = gpu.counts();
  EXPECT_EQ(counts.plain_runs, 1);
  EXPECT_EQ(counts.launches, 3);
  EXPECT_EQ(counts.instantiated, 1);
  EXPECT_EQ(counts.nodes, 6);
}

TEST_F(RepeatedWorkTest, IsAPlainCallWhereNothingIsCaptured) {
  FROND_PAIR_OR_SKIP(gpu);
  CpuAllocator memory;
  Context cpu(memory);
  for (Context* ctx : {&gpu.plain, &cpu}) {
    Tensor x(*ctx, {10}, DType::kF32);
    for (int run = 0; run < 3; ++run) {
      RunRepeated(*ctx, {.owner = this}, [&] { Fill(*ctx, run, x); });
      EXPECT_EQ(ToDoubles(*ctx, x), std::vector<double>(10, run));  // the host may read in between
    }
  }
  EXPECT_EQ(CountCudaGraphs(*gpu.plain_memory).launches, 0);
  // A profiler that waits for every op cannot wait inside of a graph.
  Profiler profiler;
  profiler.WaitForDevice([&] { gpu.memory->Synchronize(); });
  Context profiled(*gpu.memory, &profiler);
  Tensor x(profiled, {10}, DType::kF32);
  for (int run = 0; run < 3; ++run) {
    RunRepeated(profiled, {.owner = this}, [&] { Fill(profiled, run, x); });
  }
  EXPECT_EQ(gpu.counts().launches, 0);
}

// Work whose launches change gets a new graph; shapes may change within the old one.
TEST_F(RepeatedWorkTest, LaunchesMayChange) {
  FROND_PAIR_OR_SKIP(gpu);
  Context& ctx = gpu.graphs;
  Tensor x(ctx, {4096}, DType::kF32);
  const auto run = [&](int64_t elements, int times) {
    Fill(ctx, 0, x);
    RunRepeated(ctx, {.owner = this, .shape = elements}, [&] {
      const View part = Rows(x.view(), 0, elements);
      Tensor one(ctx, part.shape, DType::kF32);
      Fill(ctx, 1, one);
      for (int i = 0; i < times; ++i) AddScaled(ctx, 1, one, Write::kAccumulate, part);
    });
    std::vector<double> want(4096, 0);
    std::fill_n(want.begin(), elements, times);
    EXPECT_EQ(ToDoubles(ctx, x), want);
  };
  for (const int64_t elements : {100, 4096}) run(elements, 1);
  EXPECT_EQ(gpu.counts().plain_runs, 2);
  for (const int64_t elements : {100, 4096, 100}) run(elements, 2);
  EXPECT_EQ(gpu.counts().instantiated, 1);
  for (const int times : {3, 3, 1}) run(100, times);
  EXPECT_EQ(gpu.counts().launches, 6);
  EXPECT_EQ(gpu.counts().instantiated, 3);
}

// What is freed after it, before it, and inside of it; what needs more memory than the run before.
TEST_F(RepeatedWorkTest, TensorsMayCrossItsBorders) {
  FROND_PAIR_OR_SKIP(gpu);
  Context& ctx = gpu.graphs;
  Synchronize(ctx);
  std::vector<Tensor> kept;
  for (int run = 0; run < 6; ++run) {
    Tensor outside(ctx, {300}, DType::kF32);
    Fill(ctx, run, outside);
    Tensor result;
    RunRepeated(ctx, {.owner = this}, [&] {
      // Larger than any chunk so far from the second run on, which is captured.
      Tensor inside(ctx, {300 + 2000000 * run}, DType::kF32);
      const View part = Rows(inside.view(), 0, 300);
      AddScaled(ctx, 2, outside, Write::kAssign, part);
      outside.Reset();
      Tensor after(ctx, {300}, DType::kF32);
      AddScaled(ctx, 1, part, Write::kAssign, after);
      result = std::move(after);
    });
    kept.push_back(std::move(result));
  }
  for (int run = 0; run < 6; ++run) {
    EXPECT_EQ(ToDoubles(ctx, kept[static_cast<size_t>(run)]), std::vector<double>(300, 2 * run));
  }
  EXPECT_EQ(gpu.counts().launches, 5);
  // What is kept for the work counts, whether it is free or not.
  const MemoryReport full = gpu.memory->Report();
  EXPECT_GE(full.total.live_bytes, 4 * (300 + 2000000 * 5));
  EXPECT_EQ(full.by_kind[static_cast<int>(MemoryKind::kActivations)].live_bytes, 6 * 1536);
  kept.clear();
  // The first run's went back to the pool.
  EXPECT_EQ(gpu.memory->Report().total.live_bytes, full.total.live_bytes - 1536);
  EXPECT_EQ(gpu.memory->Report().by_kind[static_cast<int>(MemoryKind::kActivations)].live_bytes, 0);
}

TEST_F(RepeatedWorkTest, HostListsAreThoseOfTheRun) {
  FROND_PAIR_OR_SKIP(gpu);
  Context& ctx = gpu.graphs;
  const Tensor table = Draw(ctx, {50, 8}, 1, 0);
  const std::vector<double> rows = ToDoubles(ctx, table);
  std::mt19937_64 random(seed_);
  for (int run = 0; run < 5; ++run) {
    std::vector<int32_t> ids(700);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 50);
    Tensor y(ctx, {700, 8}, DType::kF32);
    RunRepeated(ctx, {.owner = this}, [&, ids]() mutable {
      Embedding(ctx, table, ids, y);
      std::fill(ids.begin(), ids.end(), 0);  // the host's copy may change before the launch
    });
    const std::vector<double> got = ToDoubles(ctx, y);
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i], rows[static_cast<size_t>(ids[i / 8]) * 8 + i % 8]) << "run " << run;
    }
  }
  EXPECT_EQ(gpu.counts().launches, 4);
}

// What a launch has not read yet stays, however much is sent before and behind it.
TEST_F(RepeatedWorkTest, ManyAndLargeListsArrive) {
  FROND_PAIR_OR_SKIP(gpu);
  Context& ctx = gpu.graphs;
  constexpr int64_t kLists = static_cast<int64_t>(cuda::SentLists::kMaxLists) + 20;
  const std::vector<int32_t> outside(7 << 18, 1);  // 7 MiB
  for (int32_t run = 0; run < 4; ++run) {
    Tensor filler(ctx, {static_cast<int64_t>(outside.size())}, DType::kI32);
    CopyFromHost(ctx, outside.data(), filler);
    Tensor all(ctx, {kLists, 4000}, DType::kI32);
    RunRepeated(ctx, {.owner = this}, [&] {
      for (int32_t i = 0; i < kLists; ++i) {  // 2.3 MiB, more lists than are kept
        const std::vector<int32_t> list(4000, 1000 * run + i);
        const int32_t* device =
            ctx.Backend<cuda::SentLists>().OnDevice(ctx, std::span<const int32_t>(list));
        const View row = Rows(all.view(), i, i + 1);
        ctx.memory().CopyWithin(device, row.bytes(), row.data);
      }
    });
    std::vector<int32_t> got(static_cast<size_t>(kLists * 4000));
    CopyToHost(ctx, all, got.data());
    for (size_t at = 0; at < got.size(); at += 3999) {
      ASSERT_EQ(got[at], 1000 * run + static_cast<int32_t>(at / 4000)) << at;
    }
  }
  EXPECT_EQ(gpu.counts().launches, 3);
}

// Plans of products stay through any number of others.
TEST_F(RepeatedWorkTest, TrainingPushesOutNoPlans) {
  FROND_PAIR_OR_SKIP(gpu);
  Context& ctx = gpu.graphs;
  const Tensor a = Draw(ctx, {4200, 1}, 1, 0), b = Draw(ctx, {1, 1}, 1, 1);
  Tensor c(ctx, {4200, 1}, DType::kF32);
  const auto multiply = [&](int64_t rows) {
    MatMul(ctx, Rows(a.view(), 0, rows), Trans::kNo, b, Trans::kNo, Write::kAssign,
           Rows(c.view(), 0, rows));
  };
  const auto repeated = [&] { RunRepeated(ctx, {.owner = this}, [&] { multiply(7); }); };
  repeated();
  for (int64_t rows = 1; rows <= 4200; ++rows) multiply(rows);
  const int64_t plans = cuda::CountMatMulPlans(ctx).plans;
  repeated();
  EXPECT_EQ(cuda::CountMatMulPlans(ctx).plans, plans);
  multiply(1);  // that of the others was pushed out
  EXPECT_EQ(cuda::CountMatMulPlans(ctx).plans, plans + 1);
}

TEST_F(RepeatedWorkTest, WorkWithoutLaunchesIsNoGraph) {
  FROND_PAIR_OR_SKIP(gpu);
  for (int run = 0; run < 3; ++run) RunRepeated(gpu.graphs, {.owner = this}, [] {});
  EXPECT_EQ(gpu.counts().launches, 0);
  EXPECT_EQ(gpu.counts().instantiated, 0);
}

using RepeatedWorkDeathTest = RepeatedWorkTest;

TEST_F(RepeatedWorkDeathTest, ReadingItsValuesInsideEndsTheProcess) {
  FROND_PAIR_OR_SKIP(gpu);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Context& ctx = gpu.graphs;
  Tensor x(ctx, {2, 3}, DType::kF32);
  Fill(ctx, 1, x);
  const auto run = [&](const std::function<void()>& work) {
    for (int i = 0; i < 2; ++i) RunRepeated(ctx, {.owner = this}, work);
  };
  EXPECT_DEATH(run([&] { ArgMaxRows(ctx, x); }), "no values yet that the host could read");
  EXPECT_DEATH(run([&] { Synchronize(ctx); }), "nothing can wait for it");
  const std::vector<int32_t> large(5 << 18, 1);  // 5 MiB
  Tensor y(ctx, {static_cast<int64_t>(large.size())}, DType::kI32);
  EXPECT_DEATH(run([&] {
                 for (int i = 0; i < 2; ++i) CopyFromHost(ctx, large.data(), y);
               }),
               "sends too much");
}

// Optimizers.

const std::vector<Shape> kShapes = {{128, 130}, {32, 6}, {131, 1029}, {512}, {1}, {150, 516}};

struct State {
  std::vector<std::vector<char>> tensors;
  bool operator==(const State&) const = default;
};

class GraphUpdateTest : public RepeatedWorkTest {
 protected:
  using Make = std::function<std::unique_ptr<Optimizer>()>;

  // Masters and optimizer state after every step.
  std::vector<State> Run(Context& ctx, MasterFormat format, const Make& make) const {
    ParamStore store(DType::kBF16, format);
    const auto optimizer = make();
    for (size_t i = 0; i < kShapes.size(); ++i) {
      store.Add(Scope("p" + std::to_string(i)), {.shape = kShapes[i], .partition = {}, .init = {}});
    }
    store.Allocate(ctx);
    optimizer->Register(ctx, store);
    for (const auto& param : store.params()) {
      WriteMaster(ctx, Draw(ctx, param->shape, 0.05, 1000 + static_cast<uint64_t>(param->index)),
                  param->master());
    }
    std::vector<State> states;
    for (int64_t step = 0; step < 5; ++step) states.push_back(Step(ctx, store, *optimizer, step));
    return states;
  }

 private:
  State Step(Context& ctx, ParamStore& store, Optimizer& optimizer, int64_t step) const {
    std::vector<Tensor> gradients;  // elsewhere in every step
    std::vector<ParamUpdate> updates;
    for (const auto& param : store.params()) {
      const auto number = static_cast<uint64_t>(100 * step + param->index);
      gradients.push_back(Draw(ctx, param->shape, 1e-3, number));
      updates.push_back(
          {.param = param.get(), .master = param->master(), .grad = gradients.back()});
    }
    ctx.rng = {.seed = 5, .step = static_cast<uint64_t>(step)};
    optimizer.Update(ctx, updates,
                     {.step = step,
                      .learning_rate = 0.03 / static_cast<double>(step + 1),
                      .gradient_scale = step % 2 == 0 ? 1 : 0.37});
    State state;
    for (const auto& param : store.params()) {
      state.tensors.push_back(BytesOf(ctx, param->master().value));
      if (param->master().is_split()) state.tensors.push_back(BytesOf(ctx, param->master().low));
    }
    for (const OptimizerSlot& slot : optimizer.Slots()) {
      state.tensors.push_back(BytesOf(ctx, slot.value));
    }
    return state;
  }
};

TEST_F(GraphUpdateTest, IsThatOfPlainLaunchesToTheBit) {
  FROND_PAIR_OR_SKIP(gpu);
  const std::vector<Make> makers = {
      [] { return std::make_unique<Adafactor>(AdafactorOptions{}); },
      [] { return std::make_unique<AdamW>(AdamWOptions{.weight_decay = 0.01}); }};
  for (const Make& make : makers) {
    for (const MasterFormat format :
         {MasterFormat::kWhole, MasterFormat::kSplit, MasterFormat::kStochastic}) {
      const CudaGraphCounts before = gpu.counts();
      const std::vector<State> ours = Run(gpu.graphs, format, make);
      EXPECT_TRUE(ours == Run(gpu.plain, format, make)) << static_cast<int>(format);
      EXPECT_FALSE(ours[1] == ours[2]);
      const CudaGraphCounts counts = gpu.counts();
      // An optimizer may lie where one of the rounds before lay, whose graph is then taken over.
      const int64_t launches = counts.launches - before.launches;
      EXPECT_TRUE(launches == 4 || launches == 5) << launches;
      EXPECT_LE(counts.instantiated - before.instantiated, 1);
      // All of an update is in the graph: at least one kernel a parameter, for Adafactor four.
      EXPECT_GE((counts.nodes - before.nodes) / launches,
                std::ssize(kShapes) * (&make == makers.data() ? 4 : 1));
    }
  }
}

// Decoding.

class GraphDecodingTest : public RepeatedWorkTest {
 protected:
  static constexpr int64_t kPrompts = 7;

  GraphDecodingTest() {
    std::mt19937_64 random(seed_);
    for (int64_t e = 0; e < kPrompts; ++e) {
      for (uint64_t n = 2 + random() % 40; n > 0; --n) {
        batch_.source_ids.push_back(2 + static_cast<int32_t>(random() % 318));
      }
      batch_.source_offsets.push_back(static_cast<int32_t>(batch_.source_ids.size()));
      batch_.target_ids.push_back(1);
      batch_.target_offsets.push_back(static_cast<int32_t>(batch_.target_ids.size()));
      batch_.example_keys.push_back(static_cast<uint64_t>(e));
      batch_.leaf.push_back(0);
    }
  }

  std::unique_ptr<T5Model> MakeModel(Context& ctx, DType compute, int32_t eos = 1) const {
    T5Config config = TinyConfig();
    config.eos_token_id = eos;
    auto model = std::make_unique<T5Model>(config, T5Options{.compute = compute});
    model->params().Initialize(ctx, seed_);
    model->params().PrepareCompute(ctx, /*for_training=*/false);
    return model;
  }

  Batch batch_;
};

// Logits of every step while sequences leave, one in every third step.
TEST_F(GraphDecodingTest, LogitsAreThoseOfPlainLaunchesToTheBit) {
  FROND_PAIR_OR_SKIP(gpu);
  const auto decode = [&](Context& ctx, T5Model& model) {
    std::vector<std::vector<char>> logits;
    IncrementalDecoder decoder(ctx, model, batch_, 3 * kPrompts);
    std::vector<int32_t> active(kPrompts), ids(kPrompts, 0);
    for (int32_t i = 0; i < kPrompts; ++i) active[static_cast<size_t>(i)] = i;
    while (!active.empty()) {
      const Tensor step = decoder.Step(ctx, active, ids);
      logits.push_back(BytesOf(ctx, step));
      ids = ArgMaxRows(ctx, step);
      if (decoder.position() % 3 != 0) continue;
      const auto gone = static_cast<ptrdiff_t>(seed_ % active.size());
      active.erase(active.begin() + gone);
      ids.erase(ids.begin() + gone);
    }
    return logits;
  };
  std::vector<std::unique_ptr<T5Model>> owners;  // that are told apart while they live
  for (const DType compute : {DType::kF32, DType::kBF16}) {
    owners.push_back(MakeModel(gpu.graphs, compute));
    T5Model& on_graphs = *owners.back();
    const auto plain = MakeModel(gpu.plain, compute);
    const auto want = decode(gpu.plain, *plain);
    const CudaGraphCounts before = gpu.counts();
    EXPECT_TRUE(decode(gpu.graphs, on_graphs) == want) << DTypeName(compute);
    const CudaGraphCounts first = gpu.counts();
    EXPECT_EQ(first.launches - before.launches, 2 * kPrompts);  // not the first of a number
    // Every number of sequences is known now.
    EXPECT_TRUE(decode(gpu.graphs, on_graphs) == want) << DTypeName(compute);
    const CudaGraphCounts second = gpu.counts();
    EXPECT_EQ(second.launches - first.launches, 3 * kPrompts);
    EXPECT_EQ(second.plain_runs, first.plain_runs);
    // Sequences that leave change sizes only, unless cuBLASLt takes other kernels for them.
    EXPECT_LE(second.instantiated - before.instantiated, 2 * kPrompts);
    // Two blocks of a dozen kernels each, and the lists.
    EXPECT_GE(second.nodes / second.launches, 28);
  }
}

TEST_F(GraphDecodingTest, AnswersEndWhereTheyEndWithPlainLaunches) {
  FROND_PAIR_OR_SKIP(gpu);
  constexpr int64_t kNewTokens = 20;
  const auto answer = [&](Context& ctx, int32_t eos) {
    return GreedyDecode(ctx, *MakeModel(ctx, DType::kF32, eos), batch_, kNewTokens);
  };
  // A token that ends answers of as many lengths as can be.
  const auto endless = answer(gpu.plain, -1);
  std::set<int32_t> said;
  for (const auto& tokens : endless) said.insert(tokens.begin(), tokens.end());
  size_t most_lengths = 0;
  int32_t end = -1;
  for (const int32_t token : said) {
    std::set<ptrdiff_t> lengths;
    for (const auto& tokens : endless) {
      lengths.insert(std::find(tokens.begin(), tokens.end(), token) - tokens.begin());
    }
    if (lengths.size() > most_lengths) end = token;
    most_lengths = std::max(most_lengths, lengths.size());
  }
  ASSERT_GE(most_lengths, 3u);
  const auto want = answer(gpu.plain, end);
  EXPECT_NE(want, endless);
  EXPECT_EQ(answer(gpu.graphs, end), want) << "the end is " << end;
  EXPECT_GT(gpu.counts().launches, 0);
}

}  // namespace
}  // namespace frond::testing
