// Checkpoints from any mesh to any mesh, over ranks that are threads.
#include "launch/checkpoint_saver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "checkpoint/commit_record.h"
#include "checkpoint/load_params.h"
#include "core/nn/param.h"
#include "dist/sum_numbers.h"
#include "dist/thread_communicator.h"
#include "tests/checkpoint/temp_folder.h"
#include "tests/core/tensor/far_memory.h"

namespace frond {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

struct Mesh {
  int data = 1;
  int tensor = 1;
};
constexpr Mesh kMeshes[] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}};

// What is kept between steps, and what the model's own files hold.
struct Format {
  DType compute;
  MasterFormat masters;
  DType stored;
};
constexpr Format kFormats[] = {{DType::kF32, MasterFormat::kWhole, DType::kF32},
                               {DType::kF32, MasterFormat::kWhole, DType::kBF16},
                               {DType::kBF16, MasterFormat::kSplit, DType::kBF16},
                               {DType::kBF16, MasterFormat::kStochastic, DType::kBF16}};

// A model's parameters and optimizer state, of which this rank of a mesh holds its part: weights in
// every split, slots that are split as they are, that all ranks have, and whose rows the data ranks
// own between them.
class Part {
 public:
  Part(Context& ctx, const Format& format, const Mesh& mesh, int rank)
      : ctx_(ctx),
        mesh_(mesh),
        data_rank_(rank / mesh.tensor),
        store_(format.compute, format.masters, {.rank = rank % mesh.tensor, .size = mesh.tensor}) {
    const auto add = [&](const char* name, Shape shape, int dim, ParamUse use) {
      store_.Add(Scope(name), {.shape = shape, .partition = Partition::Split(dim), .use = use});
    };
    add("shared", {12, 6}, 0, ParamUse::kEmbedding);
    add("out", {7, 8}, 1, ParamUse::kMatrix);
    add("wide", {3, 4000}, 1, ParamUse::kMatrix);
    add("all", {5, 3}, -1, ParamUse::kMatrix);
    add("norm", {6}, -1, ParamUse::kVector);
    add("bias", {9, 4}, 1, ParamUse::kVector);
    add("scales", {8}, 0, ParamUse::kVector);
    store_.Allocate(ctx);
    for (const auto& param : store_.params()) {
      AddSlot("same/" + param->name, param->spec.shape, param->slice);
      AddSlot("owned/" + param->name, param->spec.shape, OwnedRows(param->slice));
      AddSlot("mean/" + param->name, {3}, ParamSlice::Whole({3}));
    }
  }

  // Every number of the whole model is drawn, and the rank takes its own.
  void Fill(uint64_t seed) {
    uint64_t tensor_seed = seed;
    for (const NamedTensor& tensor : Tensors()) FillOne(tensor, ++tensor_seed);
  }

  std::vector<NamedTensor> weights() const { return NamedMasters(store_); }
  const std::vector<NamedTensor>& slots() const { return slots_; }
  std::vector<NamedTensor> Tensors() const {
    std::vector<NamedTensor> all = weights();
    all.insert(all.end(), slots_.begin(), slots_.end());
    return all;
  }

  // Of the numbers as they are kept.
  std::string Bytes() const {
    std::string bytes;
    for (const NamedTensor& tensor : Tensors()) {
      for (const View& view : {tensor.value, tensor.low}) {
        if (view.data == nullptr) continue;
        std::string part(view.bytes(), ' ');
        ctx_.memory().CopyToHost(view.data, view.bytes(), part.data());
        bytes += part;
      }
    }
    return bytes;
  }

 private:
  ParamSlice OwnedRows(const ParamSlice& slice) const {
    return slice.Rows(slice.rows * data_rank_ / mesh_.data,
                      slice.rows * (data_rank_ + 1) / mesh_.data);
  }

  void AddSlot(const std::string& name, const Shape& whole, const ParamSlice& slice) {
    memory_.emplace_back(ctx_, Shape{slice.rows, slice.cols}, DType::kF32, MemoryKind::kOptimizer);
    slots_.push_back({.name = name,
                      .value = memory_.back(),
                      .memory = &ctx_.memory(),
                      .part = TensorPart{whole, slice}});
  }

  void FillOne(const NamedTensor& tensor, uint64_t seed) {
    const ParamSlice slice = tensor.slice();
    std::mt19937_64 random(seed);
    std::vector<uint16_t> whole(static_cast<size_t>(slice.whole_rows * slice.whole_cols) * 2);
    // Normal numbers of both signs.
    for (uint16_t& half : whole) half = static_cast<uint16_t>((random() & 0xBFFF) | 0x0080);
    const auto fill = [&](const View& view, size_t width, size_t at) {
      std::vector<uint16_t> part;
      slice.ForRuns(0, slice.num_elements(), [&](int64_t first, int64_t, int64_t count) {
        for (int64_t i = first; i < first + count; ++i) {
          for (size_t half = 0; half < width; ++half) {
            part.push_back(whole[static_cast<size_t>(i) * 2 + at + half]);
          }
        }
      });
      ASSERT_EQ(part.size() * 2, view.bytes());
      ctx_.memory().CopyFromHost(part.data(), view.bytes(), view.data);
    };
    if (tensor.value.dtype == DType::kF32) return fill(tensor.value, 2, 0);
    fill(tensor.value, 1, 1);
    if (tensor.low.data != nullptr) fill(tensor.low, 1, 0);
  }

  Context& ctx_;
  Mesh mesh_;
  int data_rank_;
  ParamStore store_;
  std::vector<Tensor> memory_;
  std::vector<NamedTensor> slots_;
};

// One rank of a mesh with its part of the model.
struct Rank {
  Rank(Communicator& group, const Mesh& mesh, const Format& format, Allocator& memory)
      : world(group),
        tensor(group.Split(group.rank() / mesh.tensor, group.rank() % mesh.tensor)),
        ctx(memory),
        part(ctx, format, mesh, group.rank()) {}

  Communicator& world;
  std::unique_ptr<Communicator> tensor;
  Context ctx;
  Part part;
};

SaveRequest Request(const Part& part, const std::vector<NamedTensor>& weights, int64_t step,
                    const Format& format) {
  return {.step = step,
          .weights = weights,
          .optimizer_slots = part.slots(),
          .weight_options = {.dtype = format.stored, .max_shard_bytes = 20000},
          .write_texts = [step](const std::string& folder, const CheckpointPlan& plan) {
            return WriteCheckpointTexts(folder, plan,
                                        {.config_json = "{}\n", .state = {.step = step}});
          }};
}

// As a trainer does: the flags are summed in every step.
absl::StatusOr<SavedCheckpoint> AdvanceToTheEnd(Communicator& world, CheckpointSaver& saver) {
  while (true) {
    double sum = saver.Flag();
    SumNumbers(world, {&sum, 1});
    const auto saved = saver.Advance(sum);
    if (!saved.ok()) return saved.status();
    if (saved->has_value()) return **saved;
  }
}

// Saves `seed`'s numbers on a mesh. The numbers change as soon as the save has begun, which must
// not be seen in it. Files are shared out to the last byte.
void SaveOn(const Mesh& mesh, const Format& format, const std::string& folder, int64_t step,
            uint64_t seed, bool far = false, bool asynchronous = true) {
  RunThreadRanks(mesh.data * mesh.tensor, [&](Communicator& world) {
    CpuAllocator near_memory;
    FarMemory far_memory;
    Rank rank(world, mesh, format, far ? static_cast<Allocator&>(far_memory) : near_memory);
    rank.part.Fill(seed);
    std::unique_ptr<CheckpointStore> store;
    if (world.rank() == 0) store = std::make_unique<CheckpointStore>(folder, 2);
    CheckpointSaver saver(world, *rank.tensor, store.get(), /*min_piece_bytes=*/1);
    const std::vector<NamedTensor> weights = rank.part.weights();
    SaveRequest request = Request(rank.part, weights, step, format);
    request.asynchronous = asynchronous;
    const absl::Status started = saver.Start(rank.ctx, request);
    ASSERT_TRUE(started.ok()) << started;
    rank.part.Fill(seed + 1000);
    const auto saved = AdvanceToTheEnd(world, saver);
    ASSERT_TRUE(saved.ok()) << saved.status();
    EXPECT_EQ(saved->step, step);
    EXPECT_EQ(saved->path.empty(), world.rank() != 0);
    EXPECT_FALSE(saver.under_way());
  });
}

// Every rank's part of what a checkpoint holds must be the numbers of `seed`.
void ExpectOn(const Mesh& mesh, const Format& format, const std::string& path, uint64_t seed) {
  RunThreadRanks(mesh.data * mesh.tensor, [&](Communicator& world) {
    CpuAllocator memory;
    Rank wanted(world, mesh, format, memory), read(world, mesh, format, memory);
    wanted.part.Fill(seed);
    read.part.Fill(seed + 2000);
    const auto state = ReadCheckpointFiles(path, read.part.weights(), read.part.slots());
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_TRUE(read.part.Bytes() == wanted.part.Bytes()) << "rank " << world.rank();
  });
}

std::map<std::string, std::string> FilesOf(const std::string& folder) {
  std::map<std::string, std::string> files;
  const auto names = ListDirectory(folder);
  for (const std::string& name : *names) {
    const std::string path = JoinPath(folder, name);
    if (!IsDirectory(path)) {
      files[name] = *ReadFile(path);
      continue;
    }
    for (const auto& [inner, bytes] : FilesOf(path)) files[JoinPath(name, inner)] = bytes;
  }
  return files;
}

TEST(ReshardTest, EveryMeshWritesTheSameBytesAndReadsThemAll) {
  const uint64_t seed = FreshSeed();
  for (const Format& format : kFormats) {
    std::map<std::string, std::string> first;
    for (const Mesh& from : kMeshes) {
      SCOPED_TRACE(absl::StrCat("from ", from.data, "x", from.tensor, ", ",
                                DTypeName(format.compute), " to ", DTypeName(format.stored)));
      TempFolder folder;
      SaveOn(from, format, folder.path(), 3, seed);
      CheckpointStore store(folder.path(), 1);
      const auto newest = store.NewestValid();
      ASSERT_TRUE(newest.ok() && newest->found.has_value());
      EXPECT_THAT(newest->warnings, SizeIs(0));
      EXPECT_EQ(HasMasters(newest->found->path), format.stored == DType::kBF16);
      const auto files = FilesOf(newest->found->path);
      EXPECT_TRUE(files.contains("model-00003-of-00003.safetensors"));
      if (first.empty()) first = files;
      EXPECT_EQ(files.size(), first.size());
      for (const auto& [name, bytes] : files) EXPECT_TRUE(bytes == first[name]) << name;
      for (const Mesh& to : kMeshes) {
        SCOPED_TRACE(absl::StrCat("to ", to.data, "x", to.tensor));
        ExpectOn(to, format, newest->found->path, seed);
      }
    }
  }
}

TEST(ReshardTest, FromADevicesMemoryAndWithoutCopies) {
  const uint64_t seed = FreshSeed();
  for (const Format& format : kFormats) {
    for (const bool far : {false, true}) {
      for (const bool asynchronous : {false, true}) {
        TempFolder folder;
        SaveOn({2, 2}, format, folder.path(), 3, seed, far, asynchronous);
        ExpectOn({1, 1}, format, CheckpointStore(folder.path(), 1).PathOf(3), seed);
      }
    }
  }
}

// The newest one is damaged in one tensor: it is named, and any mesh goes on from the one before.
TEST(ReshardTest, ADamagedTensorIsNamedAndTheCheckpointBeforeUsed) {
  const uint64_t seed = FreshSeed();
  const Format format = kFormats[1];
  TempFolder folder;
  SaveOn({2, 2}, format, folder.path(), 3, seed);
  SaveOn({4, 1}, format, folder.path(), 4, seed + 1);
  CheckpointStore store(folder.path(), 2);
  const std::string file = JoinPath(store.PathOf(4), kMastersFile);
  std::string bytes = *ReadFile(file);
  const auto records = ReadCommitRecord(store.PathOf(4));
  for (const FileRecord& record : *records) {
    if (record.path != kMastersFile) continue;
    for (const FileRange& range : record.ranges) {
      if (range.name == "wide") bytes[range.offset + range.bytes - 1] ^= 1;
    }
  }
  ASSERT_TRUE(WriteFileAtomically(file, bytes).ok());
  const auto newest = store.NewestValid();
  ASSERT_TRUE(newest.ok() && newest->found.has_value());
  EXPECT_EQ(newest->found->step, 3);
  ASSERT_THAT(newest->warnings, SizeIs(1));
  EXPECT_THAT(newest->warnings[0], HasSubstr("masters.safetensors': checksum of tensor 'wide' is"));
  for (const Mesh& mesh : kMeshes) ExpectOn(mesh, format, newest->found->path, seed);
}

// An error of rank 0's thread reaches all ranks, and the folder is gone.
TEST(CheckpointSaverTest, AnErrorOfAThreadEndsTheSaveOnAllRanks) {
  for (const int ranks : {1, 3}) {
    TempFolder folder;
    const Mesh mesh = {ranks, 1};
    SaveOn(mesh, kFormats[0], folder.path(), 1, 1);
    RunThreadRanks(ranks, [&](Communicator& world) {
      CpuAllocator memory;
      Rank rank(world, mesh, kFormats[0], memory);
      rank.part.Fill(2);
      std::unique_ptr<CheckpointStore> store;
      if (world.rank() == 0) store = std::make_unique<CheckpointStore>(folder.path(), 2);
      CheckpointSaver saver(world, *rank.tensor, store.get());
      const std::vector<NamedTensor> weights = rank.part.weights();
      SaveRequest request = Request(rank.part, weights, 2, kFormats[0]);
      request.write_texts = [](const std::string& to, const CheckpointPlan&) {
        return absl::StatusOr<std::vector<FileRecord>>(
            absl::ResourceExhaustedError(absl::StrCat("no room in ", to)));
      };
      ASSERT_TRUE(saver.Start(rank.ctx, request).ok());
      const auto saved = AdvanceToTheEnd(world, saver);
      EXPECT_EQ(saved.status().code(), absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(saved.status().message(),
                absl::StrCat(ranks > 1 ? "rank 0: " : "", "no room in ", folder.path(),
                             "/checkpoints/.tmp_step_00000002"));
      if (world.rank() == 0) {
        EXPECT_THAT(*ListDirectory(folder / "checkpoints"), testing::ElementsAre("step_00000001"));
      }
      // The next save is as good as ever.
      ASSERT_TRUE(saver.Start(rank.ctx, Request(rank.part, weights, 3, kFormats[0])).ok());
      const auto next = saver.Finish();
      ASSERT_TRUE(next.ok() && next->has_value()) << next.status();
      EXPECT_EQ((*next)->step, 3);
    });
    ExpectOn({1, 2}, kFormats[0], CheckpointStore(folder.path(), 2).PathOf(3), 2);
  }
}

TEST(CheckpointSaverTest, AFolderThatCannotBeMadeIsAnErrorOnAllRanks) {
  TempFolder folder;
  ASSERT_TRUE(WriteFileAtomically(folder / "checkpoints", "a file").ok());
  RunThreadRanks(2, [&](Communicator& world) {
    CpuAllocator memory;
    Rank rank(world, {2, 1}, kFormats[0], memory);
    std::unique_ptr<CheckpointStore> store;
    if (world.rank() == 0) store = std::make_unique<CheckpointStore>(folder.path(), 2);
    CheckpointSaver saver(world, *rank.tensor, store.get());
    const std::vector<NamedTensor> weights = rank.part.weights();
    const absl::Status started = saver.Start(rank.ctx, Request(rank.part, weights, 2, kFormats[0]));
    EXPECT_THAT(std::string(started.message()), HasSubstr("/checkpoints"));
    EXPECT_FALSE(saver.under_way());
  });
}

// Runs `body` in a child; its exit code.
template <class Body>
int InChild(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr int kCannotMount = 77;

// On a disk of 64 KB that has room for the files' names, but not for what the ranks write.
int SaveOnASmallDisk(const std::string& folder) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("frond", folder.c_str(), "tmpfs", 0, "size=64k") != 0) {
    return kCannotMount;
  }
  std::atomic<int> wrong = 0;
  std::mutex mutex;
  std::set<std::string> messages;
  RunThreadRanks(4, [&](Communicator& world) {
    CpuAllocator memory;
    Rank rank(world, {2, 2}, kFormats[0], memory);
    rank.part.Fill(1);
    std::unique_ptr<CheckpointStore> store;
    if (world.rank() == 0) store = std::make_unique<CheckpointStore>(folder, 2);
    CheckpointSaver saver(world, *rank.tensor, store.get(), 1);
    const std::vector<NamedTensor> weights = rank.part.weights();
    if (!saver.Start(rank.ctx, Request(rank.part, weights, 2, kFormats[0])).ok()) wrong |= 1;
    const auto saved = AdvanceToTheEnd(world, saver);
    if (!absl::IsResourceExhausted(saved.status())) wrong |= 2;
    world.Barrier();
    if (!ListDirectory(JoinPath(folder, "checkpoints"))->empty()) wrong |= 4;
    const std::lock_guard<std::mutex> lock(mutex);
    messages.insert(std::string(saved.status().message()));
  });
  if (messages.size() != 1 || !absl::StartsWith(*messages.begin(), "rank ") ||
      !absl::StrContains(*messages.begin(), "cannot write '" + folder)) {
    wrong |= 8;
    for (const std::string& message : messages) std::fprintf(stderr, "%s\n", message.c_str());
  }
  return wrong;
}

TEST(CheckpointSaverTest, AFullDiskIsNamedByAllRanks) {
  TempFolder folder;
  const int code = InChild([&] { return SaveOnASmallDisk(folder.path()); });
  if (code == kCannotMount) GTEST_SKIP() << "no rights to mount a small disk: nothing was checked";
  EXPECT_EQ(code, 0);
}

// Saves steps without end on two ranks and reports each one that is committed.
[[noreturn]] void SaveForever(const std::string& folder, int64_t first, int report_fd) {
  RunThreadRanks(2, [&](Communicator& world) {
    CpuAllocator memory;
    Rank rank(world, {1, 2}, kFormats[1], memory);
    std::unique_ptr<CheckpointStore> store;
    if (world.rank() == 0) store = std::make_unique<CheckpointStore>(folder, 2);
    CheckpointSaver saver(world, *rank.tensor, store.get(), 1);
    const std::vector<NamedTensor> weights = rank.part.weights();
    for (int64_t step = first;; ++step) {
      rank.part.Fill(static_cast<uint64_t>(step));
      if (!saver.Start(rank.ctx, Request(rank.part, weights, step, kFormats[1])).ok()) ::_exit(1);
      if (!AdvanceToTheEnd(world, saver).ok()) ::_exit(2);
      if (world.rank() == 0 && ::write(report_fd, &step, sizeof(step)) != sizeof(step)) ::_exit(3);
    }
  });
  ::_exit(4);
}

// Killed at a random instant of saves that several threads write, nothing reported as saved is lost
// and nothing half-made is taken for a checkpoint.
TEST(CheckpointSaverTest, KilledAtAnyInstant) {
  TempFolder folder;
  std::mt19937_64 random(FreshSeed());
  int64_t reported = 0;
  for (int trial = 0; trial < 20; ++trial) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) SaveForever(folder.path(), reported + 1, ends[1]);
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(random() % 200000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "a save failed by itself: " << WEXITSTATUS(status);
    for (int64_t step; ::read(ends[0], &step, sizeof(step)) == sizeof(step);) reported = step;
    ::close(ends[0]);

    CheckpointStore store(folder.path(), 2);
    ASSERT_TRUE(store.Recover().ok());
    const auto newest = store.NewestValid();
    ASSERT_TRUE(newest.ok()) << newest.status();
    EXPECT_THAT(newest->warnings, SizeIs(0));
    ASSERT_TRUE(newest->found.has_value() || reported == 0);
    if (!newest->found) continue;
    EXPECT_GE(newest->found->step, reported);
    EXPECT_LE(newest->found->step, reported + 1);
    reported = newest->found->step;
    ExpectOn({2, 1}, kFormats[1], newest->found->path, static_cast<uint64_t>(reported));
  }
  EXPECT_GT(reported, 0);
}

}  // namespace
}  // namespace frond
