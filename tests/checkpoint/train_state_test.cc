#include "checkpoint/train_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "absl/strings/str_replace.h"
#include "checkpoint/carry_files.h"
#include "checkpoint/checkpoint_files.h"
#include "checkpoint/checkpoint_store.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TrainState SomeState() {
  TrainState state;
  state.step = 1000;
  state.stream_window = 3;
  state.stream_row = 77;
  state.examples = std::numeric_limits<int64_t>::max();
  state.source_tokens = 12345678901234;
  state.seed = std::numeric_limits<uint64_t>::max();
  state.manifest_hash = "00ff";
  state.config_hash = "a \"quoted\"\n\u00fc text";
  state.counters = {{"tokens/sw", 5}, {"tokens/am", -1}};
  state.values = {{"loss", 0.1}, {"tiny", 5e-324}, {"third", 1.0 / 3}, {"whole", 2}};
  return state;
}

TEST(TrainStateTest, RoundTripIsExact) {
  TempFolder folder;
  const TrainState state = SomeState();
  const auto record = WriteTrainState(folder.path(), state);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->path, "train_state/state.json");
  const auto read = ReadTrainState(folder.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, state);
}

TEST(TrainStateTest, ErrorsNameFileAndField) {
  TempFolder folder;
  EXPECT_THAT(Message(ReadTrainState(folder.path()).status()), HasSubstr("state.json"));
  ASSERT_TRUE(WriteTrainState(folder.path(), SomeState()).ok());
  const std::string path = folder / "train_state/state.json";
  const std::string right = *ReadFile(path);
  const std::vector<std::array<std::string, 3>> changes = {
      {"\"stream_row\": 77", "\"stream_rov\": 77", "field stream_row is missing"},
      {"\"stream_row\": 77", "\"stream_row\": \"77\"", "field stream_row has the wrong type"},
      {"\"stream_row\": 77", "\"stream_row\": 77.5", "field stream_row has the wrong type"},
      {"\"stream_row\": 77", "\"stream_row\": 9223372036854775808", "wrong type"},
      {"\"stream_row\": 77", "\"stream_row\": 77, \"more\": 1", "unknown field 'more'"},
      {"\"loss\": 0.1", "\"loss\": null", "field values has the wrong type"},
      {"\"format\": 1", "\"format\": 2", "field format is not 1"},
      {"\"format\": 1", "\"format\" 1", "not a JSON object"}};
  for (const auto& [from, to, complaint] : changes) {
    const std::string text = absl::StrReplaceAll(right, {{from, to}});
    ASSERT_NE(text, right) << from;
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
    EXPECT_THAT(Message(ReadTrainState(folder.path()).status()), HasSubstr(complaint));
  }
}

TEST(TrainStateTest, OptimizerStateMustMatch) {
  TempFolder folder;
  TensorBag slots(FreshSeed());
  slots.Add("row/shared.weight", {10}, DType::kF32);
  slots.Add("column/shared.weight", {4}, DType::kF32);
  ASSERT_TRUE(CreateDirectories(folder / kTrainStateFolder).ok());
  ASSERT_TRUE(WriteSafetensors(folder / kOptimizerFile, slots.tensors()).ok());
  TensorBag read(0);
  read.Make("row/shared.weight", {10}, DType::kF32);
  EXPECT_THAT(Message(ReadOptimizerState(folder.path(), read.tensors())),
              HasSubstr("'column/shared.weight' that this run has no place for"));
  read.Make("column/shared.weight", {4}, DType::kF32);
  ASSERT_TRUE(ReadOptimizerState(folder.path(), read.tensors()).ok());
  EXPECT_EQ(BytesOf(read.tensors()[1].value), BytesOf(slots.tensors()[1].value));
  read.Make("moment/shared.weight", {4}, DType::kF32);
  EXPECT_THAT(Message(ReadOptimizerState(folder.path(), read.tensors())),
              HasSubstr("no tensor 'moment/shared.weight'"));
}

// A whole checkpoint, with the model's files in f32 and in bf16: a resumed run has the same bits.
TEST(CheckpointFilesTest, RoundTripThroughTheStore) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    TempFolder folder;
    ASSERT_TRUE(CreateDirectories(folder / "base").ok());
    ASSERT_TRUE(WriteFileAtomically(folder / "base/spiece.model", "pieces").ok());
    ASSERT_TRUE(WriteFileAtomically(folder / "base/pytorch_model.bin", "no").ok());
    TensorBag weights(FreshSeed()), slots(FreshSeed());
    weights.Add("shared.weight", {10, 4}, DType::kF32);
    weights.Add("encoder.q.weight", {4, 4}, DType::kF32);
    slots.Add("row/shared.weight", {10}, DType::kF32);
    const TrainState state = SomeState();
    CheckpointStore store(folder.path(), 1);
    const auto records = WriteCheckpointFiles(
        *store.Begin(state.step),
        {.weights = weights.tensors(),
         .weight_options = {.dtype = dtype, .max_shard_bytes = 100},
         .optimizer_slots = slots.tensors(),
         .texts = {.config_json = "{}\n", .state = state, .carry_from = folder / "base"}});
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_TRUE(store.Commit(state.step, *records).ok());
    const std::string path = store.PathOf(state.step);
    EXPECT_EQ(HasMasters(path), dtype == DType::kBF16);
    EXPECT_EQ(*ReadFile(path + "/spiece.model"), "pieces");
    EXPECT_FALSE(PathExists(path + "/pytorch_model.bin"));
    EXPECT_EQ(HfWeights::Open(path)->Find("shared.weight")->type, StoredTypeOf(dtype));

    TensorBag read_weights(0), read_slots(0);
    read_weights.Make("shared.weight", {10, 4}, DType::kF32);
    read_weights.Make("encoder.q.weight", {4, 4}, DType::kF32);
    read_slots.Make("row/shared.weight", {10}, DType::kF32);
    const auto found = store.NewestValid();
    ASSERT_TRUE(found.ok() && found->found.has_value());
    const auto read =
        ReadCheckpointFiles(found->found->path, read_weights.tensors(), read_slots.tensors());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, state);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(BytesOf(read_weights.tensors()[i].value), BytesOf(weights.tensors()[i].value));
    }
    EXPECT_EQ(BytesOf(read_slots.tensors()[0].value), BytesOf(slots.tensors()[0].value));
  }
}

}  // namespace
}  // namespace frond
