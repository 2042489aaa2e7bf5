#include "tests/dist/communicator_contract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "core/tensor/transfer.h"
#include "dist/keep_grads.h"
#include "dist/process_mesh.h"
#include "tests/core/tensor/far_memory.h"

namespace frond {
namespace {

struct Rank {
  CpuAllocator memory;
  Context ctx{memory};
};

template <class T>
T Draw(int rank, int64_t i) {
  // 24 random bits in [-4, 4): sums of them round.
  const uint64_t bits = MixBits(static_cast<uint64_t>(i) ^ MixBits(static_cast<uint64_t>(rank)));
  const double value = static_cast<double>(static_cast<int64_t>(bits >> 40)) * 0x1.0p-21 - 4.0;
  if constexpr (std::is_same_v<T, BFloat16>) {
    return BFloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return static_cast<int32_t>(value * 1000);
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

// The left fold in rank order that the contract promises, so results are compared exactly.
template <class T>
T Folded(int size, int64_t i, Reduce op) {
  Wide<T> fold = static_cast<Wide<T>>(Draw<T>(0, i));
  for (int r = 1; r < size; ++r) {
    const Wide<T> x = static_cast<Wide<T>>(Draw<T>(r, i));
    fold = op == Reduce::kSum ? fold + x : std::max(fold, x);
  }
  return static_cast<T>(fold);
}

template <class T>
Tensor Drawn(Context& ctx, int rank, int64_t n) {
  Tensor x(ctx, {n}, DTypeOf<T>::kValue);
  for (int64_t i = 0; i < n; ++i) x.As<T>()[i] = Draw<T>(rank, i);
  return x;
}

template <class T>
void CheckAllReduce(Communicator& world, int64_t n, Reduce op) {
  Rank rank;
  Tensor x = Drawn<T>(rank.ctx, world.rank(), n);
  world.AllReduce(rank.ctx, x, op).Wait();
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T want = Folded<T>(world.size(), i, op);
    wrong += std::memcmp(&want, &x.As<T>()[i], sizeof(T)) != 0 ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0) << n << " " << DTypeName(DTypeOf<T>::kValue) << " on " << world.size();
}

template <class T>
void CheckReduceScatter(Communicator& world, int64_t n) {
  Rank rank;
  Tensor x = Drawn<T>(rank.ctx, world.rank(), n * world.size());
  Tensor y(rank.ctx, {n}, DTypeOf<T>::kValue);
  world.ReduceScatter(rank.ctx, x, y, Reduce::kSum).Wait();
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T want = Folded<T>(world.size(), n * world.rank() + i, Reduce::kSum);
    wrong += want != y.As<T>()[i] ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0) << n << " " << DTypeName(DTypeOf<T>::kValue);
}

// A store of one vector, one matrix and one matrix larger than a line.
void DeclareParams(ParamStore& store) {
  store.Add(Scope("scale"), {.shape = {3}, .partition = {}, .init = {}});
  store.Add(Scope("wi") / "weight", {.shape = {5, 7}, .partition = {}, .init = {}});
  store.Add(Scope("wo") / "weight", {.shape = {64, 33}, .partition = {}, .init = {}});
}

double Contribution(int rank, int micro_batch, int param, int64_t i) {
  return Draw<float>(rank * 100 + micro_batch * 10 + param, i);
}

// Adds the gradients of one backward pass.
void Accumulate(Context& ctx, const ParamStore& store, int rank, int micro_batch, KeepGrads& sink) {
  for (const auto& param : store.params()) {
    const View grad = sink.Open(ctx, *param);
    EXPECT_EQ(grad.shape, param->spec.shape);
    for (int64_t i = 0; i < grad.num_elements(); ++i) {
      grad.As<float>()[i] += static_cast<float>(Contribution(rank, micro_batch, param->index, i));
    }
    sink.Close(ctx, *param);
  }
}

}  // namespace

void CheckReductions(Communicator& world) {
  // From nothing over one message to several parts, with sizes that no number of ranks divides.
  for (const int64_t n : {0, 1, 3, 1000, 100003, (1 << 20) + 1, (1 << 21) + 12345}) {
    CheckAllReduce<float>(world, n, Reduce::kSum);
  }
  for (const int64_t n : {5, 70001}) {
    CheckAllReduce<float>(world, n, Reduce::kMax);
    CheckAllReduce<double>(world, n, Reduce::kSum);
    CheckAllReduce<int32_t>(world, n, Reduce::kSum);
    CheckAllReduce<int32_t>(world, n, Reduce::kMax);
    CheckAllReduce<BFloat16>(world, n, Reduce::kSum);
    CheckReduceScatter<float>(world, n);
    CheckReduceScatter<double>(world, n);
  }
}

void CheckMovement(Communicator& world) {
  Rank rank;
  const int64_t n = 70001;
  Tensor x = Drawn<float>(rank.ctx, world.rank(), n);
  Tensor all(rank.ctx, {world.size() * n}, DType::kF32);
  world.AllGather(rank.ctx, x, all).Wait();
  for (int r = 0; r < world.size(); ++r) {
    for (const int64_t i : {int64_t{0}, n / 2, n - 1}) {
      EXPECT_EQ(all.As<float>()[r * n + i], Draw<float>(r, i));
    }
  }
  const int root = world.size() - 1;
  world.Broadcast(rank.ctx, x, root).Wait();
  EXPECT_EQ(x.As<float>()[n - 1], Draw<float>(root, n - 1));
  world.Barrier();
  const std::vector<std::string> bytes =
      world.AllGatherBytes(std::string(static_cast<size_t>(world.rank()) * 3, 'x'));
  ASSERT_EQ(bytes.size(), static_cast<size_t>(world.size()));
  for (int r = 0; r < world.size(); ++r) {
    EXPECT_EQ(bytes[static_cast<size_t>(r)], std::string(static_cast<size_t>(r) * 3, 'x'));
  }
}

void CheckSplits(Communicator& world) {
  // Odd and even ranks, in reverse order.
  const std::unique_ptr<Communicator> half = world.Split(world.rank() % 2, -world.rank());
  const int members = (world.size() + 1 - world.rank() % 2) / 2;
  EXPECT_EQ(half->size(), members);
  EXPECT_EQ(half->rank(), members - 1 - world.rank() / 2);
  const std::vector<std::string> names = half->AllGatherBytes(std::to_string(world.rank()));
  EXPECT_EQ(names[static_cast<size_t>(half->rank())], std::to_string(world.rank()));
  EXPECT_EQ(names.back(), std::to_string(world.rank() % 2));
}

void CheckKeepGrads(Communicator& world) {
  Rank rank;
  ParamStore store(DType::kF32);
  DeclareParams(store);
  KeepGrads sink(rank.ctx, store);
  for (int step = 0; step < 2; ++step) {  // the second step must not see the first
    sink.StartStep(rank.ctx);
    Accumulate(rank.ctx, store, world.rank(), 0, sink);
    Accumulate(rank.ctx, store, world.rank(), 1, sink);
    const absl::StatusOr<double> norm = sink.Finish(rank.ctx, world);
    ASSERT_TRUE(norm.ok()) << norm.status();
    double squares = 0;
    for (const auto& param : store.params()) {
      const ConstView grad = sink.Grad(*param);
      for (int64_t i = 0; i < grad.num_elements(); ++i) {
        double want = 0;
        for (int r = 0; r < world.size(); ++r) {
          want += Contribution(r, 0, param->index, i) + Contribution(r, 1, param->index, i);
        }
        EXPECT_NEAR(grad.As<float>()[i], want, 1e-5);  // a few roundings of values near 4
        squares += want * want;
      }
    }
    EXPECT_NEAR(*norm, std::sqrt(squares), 1e-6 * std::sqrt(squares));
    const std::vector<std::string> norms =
        world.AllGatherBytes(std::string(reinterpret_cast<const char*>(&*norm), sizeof(double)));
    for (const std::string& other : norms) EXPECT_EQ(other, norms[0]);
  }
  // One rank meets an infinity: every rank hears of it by name.
  sink.StartStep(rank.ctx);
  if (world.rank() == world.size() - 1) {
    sink.Open(rank.ctx, *store.Find("wi.weight")).As<float>()[9] =
        std::numeric_limits<float>::infinity();
    sink.Open(rank.ctx, *store.Find("wo.weight")).As<float>()[0] =
        std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_EQ(sink.Finish(rank.ctx, world).status().message(),
            "the gradient of wi.weight is not finite: element 9 of [5, 7] is inf");
}

void CheckEarlySums(Communicator& world) {
  Rank rank;
  ParamStore store(DType::kF32);
  DeclareParams(store);
  KeepGrads plain(rank.ctx, store), early(rank.ctx, store, /*bucket_elements=*/20);
  const auto bytes_of = [&](const KeepGrads& sink) {
    std::string bytes;
    for (const auto& param : store.params()) {
      const ConstView grad = sink.Grad(*param);
      bytes.append(static_cast<const char*>(grad.data), grad.bytes());
    }
    return bytes;
  };
  for (int step = 0; step < 2; ++step) {
    for (KeepGrads* sink : {&plain, &early}) {
      sink->StartStep(rank.ctx);
      Accumulate(rank.ctx, store, world.rank(), step, *sink);
      if (sink == &early) sink->StartLastPass(world);
      // The last rank has nothing to do in the last pass.
      if (world.rank() + 1 < world.size()) {
        Accumulate(rank.ctx, store, world.rank(), step + 1, *sink);
      }
      if (sink == &early) sink->EndPasses(rank.ctx);
    }
    const absl::StatusOr<double> want = plain.Finish(rank.ctx, world);
    const absl::StatusOr<double> norm = early.Finish(rank.ctx, world);
    ASSERT_TRUE(norm.ok() && want.ok());
    EXPECT_EQ(*norm, *want);
    EXPECT_TRUE(bytes_of(early) == bytes_of(plain)) << "step " << step << " on " << world.size();
  }
}

void CheckMesh(Communicator& world) {
  const auto all = ProcessMesh::Create(world, 0, 1);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ((*all)->data().size(), world.size());
  EXPECT_EQ((*all)->data().rank(), world.rank());
  EXPECT_EQ((*all)->tensor().size(), 1);
  const std::string launched =
      world.size() == 1 ? "1 was launched" : std::to_string(world.size()) + " were launched";
  EXPECT_EQ(ProcessMesh::Create(world, 3, 1).status().message(),
            "mesh data=3 x tensor=1 needs 3 ranks, but " + launched);
  const int ranks = world.size();
  EXPECT_EQ(
      ProcessMesh::Create(world, ranks, 2).status().message(),
      absl::StrCat("mesh data=", ranks, " x tensor=2 needs ", 2 * ranks, " ranks, but ", launched));
  if (ranks % 2 == 0) {
    // Ranks of one tensor axis are neighbours.
    const auto mesh = ProcessMesh::Create(world, 0, 2);
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    EXPECT_EQ((*mesh)->tensor().size(), 2);
    EXPECT_EQ((*mesh)->tensor().rank(), world.rank() % 2);
    EXPECT_EQ((*mesh)->data().size(), ranks / 2);
    EXPECT_EQ((*mesh)->data().rank(), world.rank() / 2);
  }
  EXPECT_FALSE(ProcessMesh::Create(world, -1, 1).ok());
}

void CheckDeviceOperands(Communicator& world) {
  Rank host;
  FarMemory far_memory;
  Context far(far_memory);
  const auto same = [&](const Tensor& far_tensor, const Tensor& host_tensor) {
    std::vector<char> bytes(host_tensor.bytes());
    CopyToHost(far, far_tensor, bytes.data());
    const auto* expected = static_cast<const char*>(host_tensor.view().data);
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected))
        << far_tensor.shape().ToString() << " on " << world.size();
  };
  // From nothing over one piece to several.
  for (const int64_t n : {0, 5, 70001, (1 << 21) + 12345}) {
    Tensor x = Drawn<float>(host.ctx, world.rank(), n),
           all(host.ctx, {world.size() * n}, x.dtype());
    Tensor far_x(far, {n}, x.dtype()), far_all(far, {world.size() * n}, x.dtype());
    CopyFromHost(far, x.view().data, far_x);
    world.AllGather(host.ctx, x, all).Wait();
    world.AllGather(far, far_x, far_all).Wait();
    same(far_all, all);
    world.AllReduce(host.ctx, x, Reduce::kSum).Wait();
    world.AllReduce(far, far_x, Reduce::kSum).Wait();
    same(far_x, x);
    world.ReduceScatter(host.ctx, all, x, Reduce::kMax).Wait();
    world.ReduceScatter(far, far_all, far_x, Reduce::kMax).Wait();
    same(far_x, x);
    Tensor y = Drawn<float>(host.ctx, world.rank() + 7, n);
    CopyFromHost(far, y.view().data, far_x);
    world.Broadcast(host.ctx, y, world.size() - 1).Wait();
    world.Broadcast(far, far_x, world.size() - 1).Wait();
    same(far_x, y);
  }
}

void CheckLargeCounts(Communicator& world) {
  Rank rank;
  const int64_t n = (int64_t{1} << 29) + 1000003;
  Tensor x(rank.ctx, {n}, DType::kF32);
  const auto value = [](int r, int64_t i) { return static_cast<float>((i * 7 + r * 3) % 1001); };
  for (int64_t i = 0; i < n; ++i) x.As<float>()[i] = value(world.rank(), i);
  world.Broadcast(rank.ctx, x, world.size() - 1).Wait();
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; ++i) {
    wrong += x.As<float>()[i] != value(world.size() - 1, i) ? 1 : 0;
    x.As<float>()[i] = value(world.rank(), i);
  }
  EXPECT_EQ(wrong, 0);
  world.AllReduce(rank.ctx, x, Reduce::kSum).Wait();
  for (int64_t i = 0; i < n; ++i) {
    float want = 0;
    for (int r = 0; r < world.size(); ++r) want += value(r, i);
    wrong += x.As<float>()[i] != want ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace frond
