#include "tests/launch/rehearsed_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "dist/communication_count.h"
#include "launch/rehearsal.h"
#include "launch/trainer.h"
#include "tests/data/tiny_tokenizer.h"

namespace frond {
namespace {

// Relative, of the peak.
constexpr double kMemoryTolerance = 0.05;

struct Mode {
  config::Recompute recompute = config::NONE;
  int64_t chunk_tokens = 0;
  bool update_in_backward = false;
  int micro_batches = 1;
  bool split_masters = false;
  bool adamw = false;
  int zero_stage = 0;
  bool sequence_parallel = false;
};

constexpr Mode kModes[] = {
    {.recompute = config::NONE},
    {.recompute = config::BLOCK,
     .chunk_tokens = 64,
     .update_in_backward = true,
     .split_masters = true},
    {.recompute = config::SELECTIVE, .micro_batches = 2, .adamw = true, .zero_stage = 2},
    {.recompute = config::BLOCK,
     .update_in_backward = true,
     .zero_stage = 2,
     .sequence_parallel = true},
};

std::string Rows(uint32_t seed) {
  std::mt19937 random(seed);
  std::string text;
  for (int i = 0; i < 200; ++i) {
    std::string inputs;
    for (uint32_t n = 1 + random() % 6; n > 0; --n) {
      absl::StrAppend(&inputs, TinySentence(static_cast<int>(random() % 280)), " ");
    }
    absl::StrAppend(&text, R"({"inputs": ")", inputs, R"(", "targets": ")",
                    TinySentence(static_cast<int>(random() % 280)), R"(", "language": ")",
                    i % 3 == 0 ? "eng" : "deu", "\"}\n");
  }
  return text;
}

config::TrainConfig Config(const std::string& folder, const MeshShape& mesh, const Mode& mode) {
  config::TrainConfig config;
  config.set_work_dir(
      JoinPath(folder, absl::StrCat("run_", mesh.data, "x", mesh.tensor, "_",
                                    config::Recompute_Name(mode.recompute), mode.zero_stage)));
  config.set_steps(10);
  config.set_threads(1);
  config::Model& model = *config.mutable_model();
  config::T5Shape& shape = *model.mutable_shape();
  shape.set_d_model(64);
  shape.set_d_kv(16);
  shape.set_d_ff(160);
  shape.set_num_heads(4);
  shape.set_num_layers(2);
  model.set_recompute(mode.recompute);
  model.set_chunk_tokens(mode.chunk_tokens);
  if (mode.split_masters) {
    model.set_compute(config::BF16);
    model.set_masters(config::Model::SPLIT);
  }
  if (mode.adamw) config.mutable_optimizer()->mutable_adamw();
  config.mutable_optimizer()->set_update_in_backward(mode.update_in_backward);
  config::Data& data = *config.mutable_data();
  data.set_tokenizer(JoinPath(folder, "spiece.model"));
  data.set_cache_dir(JoinPath(folder, "cache"));
  data.add_source()->add_path(JoinPath(folder, "rows.jsonl"));
  data.set_source_length(96);
  data.set_target_length(32);
  data.set_window(64);
  config.mutable_batch()->set_rows(12);
  config.mutable_batch()->set_micro_batches(mode.micro_batches);
  config.mutable_mesh()->set_data(mesh.data);
  config.mutable_mesh()->set_tensor(mesh.tensor);
  config.mutable_mesh()->set_zero_stage(mode.zero_stage);
  config.mutable_mesh()->set_sequence_parallel(mode.sequence_parallel);
  ResolveDefaults(config);
  CHECK_OK(ValidateTrainConfig(config));
  return config;
}

// Two steps of the trainer, and of the rehearsal with the same batches.
void CompareMode(const config::TrainConfig& config, Communicator& ranks, const MeshShape& mesh) {
  const auto log = std::make_shared<CommunicationLog>();
  CountingCommunicator world(ranks, log);
  auto trainer = Trainer::Create(config, world, nullptr);
  CHECK_OK(trainer.status());
  CHECK_OK((*trainer)->Step());
  const int64_t sent_before = (*trainer)->interval().sent_bytes;
  std::vector<CommunicationCount> before;
  for (const auto& group : log->groups) before.push_back(group.count);
  CHECK_OK((*trainer)->Step());
  const auto count = [&](size_t group) {
    return Difference(std::next(log->groups.begin(), static_cast<int>(group))->count,
                      before[group]);
  };
  const MemoryReport measured = (*trainer)->memory().Report();

  const auto tokenizer = Tokenizer::Load(config.data().tokenizer());
  CHECK_OK(tokenizer.status());
  auto data = TrainingData::Open(config, **tokenizer, 1);
  CHECK_OK(data.status());
  int64_t peak = 0;
  for (int step = 0; step < 2; ++step) {
    StepPlan plan = (*data)->NextStep(ranks.rank() / mesh.tensor, mesh.data);
    const auto rehearsal = Rehearse(
        {.config = &config,
         .model = (*trainer)->model().config(),
         .device = Device::kCpu,
         .mesh = mesh,
         .batches = std::move(plan.batches),
         .languages = static_cast<int>((*data)->languages().size() + (*data)->templates().size()),
         .rates = std::nullopt});
    CHECK_OK(rehearsal.status());
    peak = std::max(peak, rehearsal->memory.total.peak_bytes);
    if (step == 1) {  // the one that was counted
      EXPECT_EQ(rehearsal->world, count(0)) << "world";
      EXPECT_EQ(rehearsal->data, count(1)) << "data axis";
      EXPECT_EQ(rehearsal->tensor, count(2)) << "tensor axis";
      const double sent =
          RingBytes(rehearsal->data, mesh.data) + RingBytes(rehearsal->tensor, mesh.tensor);
      EXPECT_NEAR(static_cast<double>((*trainer)->interval().sent_bytes - sent_before), sent, 1);
    }
    // Workspace grows with the batches that were seen, the others are the model's alone.
    for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
      if (kind == static_cast<int>(MemoryKind::kWorkspace)) continue;
      EXPECT_EQ(rehearsal->memory.by_kind[kind].live_bytes, measured.by_kind[kind].live_bytes)
          << MemoryKindName(static_cast<MemoryKind>(kind));
    }
    if (mesh.data > 1) {
      EXPECT_GT(rehearsal->SentBytes(mesh), 0);
    }
  }
  const auto real = static_cast<double>(measured.total.peak_bytes);
  EXPECT_NEAR(static_cast<double>(peak), real, kMemoryTolerance * real);
  if (ranks.rank() == 0) {
    std::printf("mesh %dx%d: predicted %ld of %ld bytes\n", mesh.data, mesh.tensor, peak,
                measured.total.peak_bytes);
  }
}

}  // namespace

RehearsedRuns::RehearsedRuns(const std::string& folder) : folder_(folder) {
  CHECK_OK(RemoveRecursively(folder_));
  CHECK_OK(CreateDirectories(folder_));
  const uint32_t seed = std::random_device()();
  std::printf("rows are drawn with seed %u\n", seed);
  CHECK_OK(WriteFileAtomically(JoinPath(folder_, "rows.jsonl"), Rows(seed)));
  CHECK_OK(WriteFileAtomically(JoinPath(folder_, "spiece.model"), TinyModelBytes(320)));
}

RehearsedRuns::~RehearsedRuns() { CHECK_OK(RemoveRecursively(folder_)); }

void RehearsedRuns::Compare(const std::string& folder, Communicator& world, const MeshShape& mesh) {
  for (const Mode& mode : kModes) {
    SCOPED_TRACE(testing::Message() << mesh.data << " x " << mesh.tensor << ", recompute "
                                    << config::Recompute_Name(mode.recompute));
    CompareMode(Config(folder, mesh, mode), world, mesh);
  }
}

}  // namespace frond
