#include "launch/run_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "checkpoint/safetensors.h"
#include "core/base/file.h"
#include "dist/local_communicator.h"
#include "optim/adafactor.h"

namespace frond {
namespace {

using testing::HasSubstr;

T5Config TinyConfig() {
  return {.vocab_size = 16,
          .d_model = 8,
          .d_kv = 4,
          .d_ff = 8,
          .num_heads = 2,
          .num_layers = 1,
          .num_decoder_layers = 1};
}

// Saves alone, and waits for it; returns the checkpoint's folder.
std::string SaveAlone(CheckpointStore& store, const T5Model& model,
                      const RunCheckpointParts& parts) {
  CpuAllocator memory;
  Context ctx(memory);
  LocalCommunicator world, tensor;
  CheckpointSaver saver(world, tensor, &store);
  const absl::Status started = StartRunCheckpoint(ctx, saver, model, parts);
  EXPECT_TRUE(started.ok()) << started;
  const auto saved = saver.Finish();
  EXPECT_TRUE(saved.ok() && saved->has_value()) << saved.status();
  return saved.ok() && saved->has_value() ? (*saved)->path : "";
}

// Saves a tiny model that came from `base`, trained with the tokenizer file `tokenizer`.
class RunCheckpointTest : public testing::Test {
 protected:
  RunCheckpointTest() {
    EXPECT_TRUE(CreateDirectories(folder_ + "/base").ok());
    Write("ours.model", "ours");
    Write("base/tokenizer_config.json", "their settings");
    Write("base/generation_config.json", "their generation");
  }
  ~RunCheckpointTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  // The checkpoint's folder, with its commit record verified.
  std::string Save() {
    CpuAllocator memory;
    Context ctx(memory);
    T5Model model(TinyConfig(), {});
    model.params().Initialize(ctx, 1);
    Adafactor optimizer({});
    optimizer.Register(ctx, model.params());
    const RunCheckpointParts parts = {
        .optimizer = &optimizer,
        .state = {.step = 1},
        .carried = {.tokenizer = folder_ + "/ours.model", .model_folder = folder_ + "/base"}};
    CheckpointStore store(folder_, 1);
    const std::string path = SaveAlone(store, model, parts);
    const auto newest = store.NewestValid();
    EXPECT_TRUE(newest.ok() && newest->found.has_value());
    return path;
  }

  const std::string folder_ =
      testing::TempDir() + "/run_checkpoint_test_" + std::to_string(getpid());
};

TEST_F(RunCheckpointTest, CarriesTheFilesOfItsTokenizerUnderTheirNames) {
  for (const std::string name : {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"}) {
    Write("base/" + name, "ours");
    const std::string path = Save();
    EXPECT_EQ(ReadFile(path + "/" + name).value_or(""), "ours") << name;
    EXPECT_EQ(ReadFile(path + "/tokenizer_config.json").value_or(""), "their settings");
    EXPECT_EQ(ReadFile(path + "/generation_config.json").value_or(""), "their generation");
    std::filesystem::remove(folder_ + "/base/" + name);
  }
}

// A run with a tokenizer of its own must not be given the model folder's.
TEST_F(RunCheckpointTest, AnotherTokenizerIsNotCarried) {
  for (const bool base_has_one : {false, true}) {
    if (base_has_one) Write("base/spiece.model", "theirs");
    const std::string path = Save();
    EXPECT_EQ(ReadFile(path + "/spiece.model").value_or(""), "ours");
    EXPECT_THAT(ReadFile(path + "/tokenizer_config.json").value_or(""), HasSubstr("T5Tokenizer"));
    EXPECT_EQ(ReadFile(path + "/generation_config.json").value_or(""), "their generation");
  }
}

TEST(RunCheckpointBf16Test, MastersComeBackToTheBit) {
  const std::string folder =
      testing::TempDir() + "/frond_bf16_checkpoint_" + std::to_string(getpid());
  ASSERT_TRUE(RemoveRecursively(folder).ok() && CreateDirectories(folder).ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/ours.model", "model").ok());
  CpuAllocator memory;
  Context ctx(memory);
  T5Model model(TinyConfig(), {}), read(TinyConfig(), {});
  model.params().Initialize(ctx, 1);
  read.params().Initialize(ctx, 2);
  Adafactor optimizer({});
  optimizer.Register(ctx, model.params());
  CheckpointStore store(folder, 1);
  const std::string to = SaveAlone(store, model,
                                   {.optimizer = &optimizer,
                                    .state = {.step = 5},
                                    .carried = {.tokenizer = folder + "/ours.model"},
                                    .weights = DType::kBF16});
  const auto weights = SafetensorsReader::Open(to + "/model.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ((*weights)->Find("shared.weight")->type, StoredType::kBF16);
  const auto resumed = ReadRunCheckpoint(to, read, optimizer);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->step, 5);
  for (size_t i = 0; i < model.params().params().size(); ++i) {
    const ConstView a = model.params().params()[i]->value, b = read.params().params()[i]->value;
    EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes()), 0) << model.params().params()[i]->name;
  }
  EXPECT_TRUE(RemoveRecursively(folder).ok());
}

std::string BytesOf(const Tensor& x) {
  const ConstView v = x;
  return x.empty() ? "" : std::string(static_cast<const char*>(v.data), v.bytes());
}

T5Options Bf16With(MasterFormat masters) { return {.compute = DType::kBF16, .masters = masters}; }

// Every format comes back to the bit from files of either dtype, and halves come back as the f32
// weights that they are.
TEST(RunCheckpointMastersTest, EveryFormatComesBackToTheBit) {
  const std::string folder =
      testing::TempDir() + "/frond_masters_checkpoint_" + std::to_string(getpid());
  CpuAllocator memory;
  Context ctx(memory);
  T5Model whole(TinyConfig(), Bf16With(MasterFormat::kWhole));
  whole.params().Initialize(ctx, 1);
  for (const MasterFormat format : {MasterFormat::kSplit, MasterFormat::kStochastic}) {
    for (const DType stored : {DType::kF32, DType::kBF16}) {
      ASSERT_TRUE(RemoveRecursively(folder).ok() && CreateDirectories(folder).ok());
      ASSERT_TRUE(WriteFileAtomically(folder + "/ours.model", "model").ok());
      T5Model model(TinyConfig(), Bf16With(format)), read(TinyConfig(), Bf16With(format));
      T5Model as_whole(TinyConfig(), Bf16With(MasterFormat::kWhole));
      model.params().Initialize(ctx, 1);
      read.params().Initialize(ctx, 2);
      as_whole.params().Initialize(ctx, 3);
      Adafactor optimizer({});
      optimizer.Register(ctx, model.params());
      CheckpointStore store(folder, 1);
      const std::string to = SaveAlone(store, model,
                                       {.optimizer = &optimizer,
                                        .state = {.step = 5},
                                        .carried = {.tokenizer = folder + "/ours.model"},
                                        .weights = stored});
      for (T5Model* target : {&read, &as_whole}) {
        const auto resumed = ReadRunCheckpoint(to, *target, optimizer);
        ASSERT_TRUE(resumed.ok()) << resumed.status();
      }
      for (size_t i = 0; i < model.params().params().size(); ++i) {
        Param& a = *model.params().params()[i];
        Param& b = *read.params().params()[i];
        EXPECT_EQ(BytesOf(a.value), BytesOf(b.value)) << a.name;
        EXPECT_EQ(BytesOf(a.low), BytesOf(b.low)) << a.name;
        if (format != MasterFormat::kSplit) continue;
        EXPECT_EQ(BytesOf(as_whole.params().params()[i]->value),
                  BytesOf(whole.params().params()[i]->value))
            << a.name;
      }
    }
  }
  EXPECT_TRUE(RemoveRecursively(folder).ok());
}

}  // namespace
}  // namespace frond
