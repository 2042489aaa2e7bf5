#include "checkpoint/hf_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "checkpoint/commit_record.h"
#include "checkpoint/load_params.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Three tensors of 400, 800 and 40 bytes (f32).
TensorBag SmallModel() {
  TensorBag bag(FreshSeed());
  bag.Add("shared.weight", {10, 10}, DType::kF32);
  bag.Add("encoder.q.weight", {20, 10}, DType::kF32);
  bag.Add("encoder.norm.weight", {10}, DType::kF32);
  return bag;
}

TensorBag Zeros(const TensorBag& like) {
  TensorBag zeros(0);
  for (const NamedTensor& tensor : like.tensors()) {
    zeros.Make(tensor.name, tensor.value.shape, tensor.value.dtype);
  }
  return zeros;
}

void ExpectEqual(const TensorBag& a, const TensorBag& b) {
  for (size_t i = 0; i < a.tensors().size(); ++i) {
    EXPECT_EQ(BytesOf(a.tensors()[i].value), BytesOf(b.tensors()[i].value)) << a.tensors()[i].name;
  }
}

TEST(HfWeightsTest, OneFileRoundTrip) {
  TempFolder folder;
  const TensorBag model = SmallModel();
  const auto records = WriteHfWeights(folder.path(), model.tensors(), {});
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ((*records)[0].path, "model.safetensors");
  const auto weights = HfWeights::Open(folder.path());
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_THAT(weights->names(),
              ElementsAre("encoder.norm.weight", "encoder.q.weight", "shared.weight"));
  const TensorBag read = Zeros(model);
  ASSERT_TRUE(LoadTensors(*weights, read.tensors(), {}).ok());
  ExpectEqual(model, read);
}

TEST(HfWeightsTest, ShardsRoundTripWithIndex) {
  TempFolder folder;
  const TensorBag model = SmallModel();
  const auto records = WriteHfWeights(folder.path(), model.tensors(), {.max_shard_bytes = 500});
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_THAT(*ListDirectory(folder.path()),
              ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                          "model-00003-of-00003.safetensors", "model.safetensors.index.json"));
  for (const FileRecord& record : *records) {
    const std::string bytes = *ReadFile(folder / record.path);
    EXPECT_EQ(record.size, bytes.size());
  }
  ASSERT_TRUE(WriteCommitRecord(folder.path(), *records).ok());
  EXPECT_TRUE(VerifyCommitRecord(folder.path()).ok()) << VerifyCommitRecord(folder.path());
  EXPECT_THAT(*ReadFile(folder / "model.safetensors.index.json"),
              HasSubstr("\"total_size\": 1240"));
  const auto weights = HfWeights::Open(folder.path());
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_THAT(weights->FileOf("encoder.q.weight"), HasSubstr("model-00002-of-00003"));
  const TensorBag read = Zeros(model);
  ASSERT_TRUE(LoadTensors(*weights, read.tensors(), {}).ok());
  ExpectEqual(model, read);
}

TEST(HfWeightsTest, Bf16HalvesTheFile) {
  TempFolder folder;
  const TensorBag model = SmallModel();
  ASSERT_TRUE(WriteHfWeights(folder.path(), model.tensors(), {.dtype = DType::kBF16}).ok());
  const auto weights = HfWeights::Open(folder.path());
  EXPECT_EQ(weights->Find("encoder.q.weight")->bytes.size(), 400u);
  const TensorBag read = Zeros(model);
  ASSERT_TRUE(LoadTensors(*weights, read.tensors(), {}).ok());
  const float* want = model.tensors()[0].value.As<float>();
  const float* got = read.tensors()[0].value.As<float>();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[i], static_cast<float>(BFloat16(want[i])));
}

TEST(HfWeightsTest, FolderErrorsAreClear) {
  TempFolder folder;
  EXPECT_THAT(Message(HfWeights::Open(folder / "none").status()), HasSubstr("does not exist"));
  EXPECT_THAT(Message(HfWeights::Open(folder.path()).status()), HasSubstr("has neither"));
  ASSERT_TRUE(WriteFileAtomically(folder / "pytorch_model.bin", "x").ok());
  EXPECT_THAT(Message(HfWeights::Open(folder.path()).status()), HasSubstr("safe_serialization"));
  const std::string index = folder / "model.safetensors.index.json";
  const std::pair<const char*, const char*> bad[] = {
      {"{", "not JSON"},
      {"[]", "no weight_map"},
      {"{\"weight_map\":{}}", "names no tensor"},
      {"{\"weight_map\":{\"a\":1}}", "not a text"},
      {"{\"weight_map\":{\"a\":\"../b\"}}", "not a file of this folder"},
      {"{\"weight_map\":{\"a\":\"b.safetensors\"}}", "b.safetensors' is missing"}};
  for (const auto& [text, complaint] : bad) {
    ASSERT_TRUE(WriteFileAtomically(index, text).ok());
    EXPECT_THAT(Message(HfWeights::Open(folder.path()).status()), HasSubstr(complaint));
  }
}

TEST(HfWeightsTest, IndexAndShardsMustAgree) {
  TempFolder folder;
  const TensorBag model = SmallModel();
  ASSERT_TRUE(WriteHfWeights(folder.path(), model.tensors(), {.max_shard_bytes = 500}).ok());
  const std::string index = folder / "model.safetensors.index.json";
  const std::string right = *ReadFile(index);
  std::string text = right;
  const size_t at = text.find("encoder.q");
  text.replace(at, 9, "encoder.k");
  ASSERT_TRUE(WriteFileAtomically(index, text).ok());
  EXPECT_THAT(Message(HfWeights::Open(folder.path()).status()),
              HasSubstr("says that tensor 'encoder.k.weight' is in "
                        "'model-00002-of-00003.safetensors', but it is not there"));
  ASSERT_TRUE(WriteFileAtomically(index, right).ok());
  ASSERT_TRUE(RemoveRecursively(folder / "model-00001-of-00003.safetensors").ok());
  EXPECT_THAT(Message(HfWeights::Open(folder.path()).status()), HasSubstr("is missing"));
}

TEST(LoadParamsTest, NamesMissingExtraAndMisshapen) {
  TempFolder folder;
  const TensorBag model = SmallModel();
  ASSERT_TRUE(WriteHfWeights(folder.path(), model.tensors(), {}).ok());
  const auto weights = HfWeights::Open(folder.path());

  TensorBag fewer(0);
  fewer.Make("shared.weight", {10, 10}, DType::kF32);
  EXPECT_THAT(Message(LoadTensors(*weights, fewer.tensors(), {})),
              HasSubstr("2 tensors that the model does not use: encoder.norm.weight, encoder.q"));
  EXPECT_TRUE(LoadTensors(*weights, fewer.tensors(),
                          {.ignored = {"encoder.norm.weight", "encoder.q.weight"}})
                  .ok());

  TensorBag more = Zeros(model);
  more.Make("encoder.k.weight", {2}, DType::kF32);
  const std::string missing = Message(LoadTensors(*weights, more.tensors(), {}));
  EXPECT_THAT(missing, HasSubstr("lacks 1 tensor of the model: encoder.k.weight"));
  EXPECT_THAT(missing, HasSubstr("encoder.q.weight"));

  TensorBag longer(0);
  longer.Make("shared.weight", {12, 10}, DType::kF32);
  EXPECT_THAT(Message(LoadTensors(*weights, longer.tensors(), {})),
              HasSubstr("set vocab_size to 10"));
}

TEST(LoadParamsTest, FillsTheMastersOfAStore) {
  TempFolder folder;
  const TensorBag model = SmallModel();
  ASSERT_TRUE(WriteHfWeights(folder.path(), model.tensors(), {.dtype = DType::kF32}).ok());
  CpuAllocator memory;
  Context ctx(memory);
  ParamStore store(DType::kF64);
  for (const NamedTensor& tensor : model.tensors()) {
    const ParamSpec spec{tensor.value.shape, Partition::Replicated(), Initializer::Constant(0),
                         ParamUse::kMatrix};
    store.Add(Scope(tensor.name), spec);
  }
  store.Allocate(ctx);
  const absl::Status loaded = LoadParams(*HfWeights::Open(folder.path()), store, {});
  ASSERT_TRUE(loaded.ok()) << loaded;
  for (const NamedTensor& tensor : model.tensors()) {
    const double* got = store.Find(tensor.name)->value.As<double>();
    const float* want = tensor.value.As<float>();
    for (int64_t i = 0; i < tensor.value.num_elements(); ++i) EXPECT_EQ(got[i], want[i]);
  }
}

TEST(LoadParamsTest, Aliases) {
  TempFolder folder;
  TensorBag stored(FreshSeed());
  const View value = stored.Add("encoder.embed_tokens.weight", {4, 3}, DType::kF32);
  ASSERT_TRUE(WriteHfWeights(folder.path(), stored.tensors(), {}).ok());
  const LoadOptions options{.aliases = {{"encoder.embed_tokens.weight", "shared.weight"},
                                        {"decoder.embed_tokens.weight", "shared.weight"}}};
  TensorBag wanted(0);
  const View shared = wanted.Make("shared.weight", {4, 3}, DType::kF32);
  ASSERT_TRUE(LoadTensors(*HfWeights::Open(folder.path()), wanted.tensors(), options).ok());
  EXPECT_EQ(BytesOf(shared), BytesOf(value));

  // Beside the parameter an alias must be its copy.
  std::vector<NamedTensor> both = {{"shared.weight", value},
                                   {"decoder.embed_tokens.weight", value}};
  ASSERT_TRUE(WriteHfWeights(folder.path(), both, {}).ok());
  EXPECT_TRUE(LoadTensors(*HfWeights::Open(folder.path()), wanted.tensors(), options).ok());
  both[1].value = stored.Add("other", {4, 3}, DType::kF32);
  ASSERT_TRUE(WriteHfWeights(folder.path(), both, {}).ok());
  EXPECT_THAT(Message(LoadTensors(*HfWeights::Open(folder.path()), wanted.tensors(), options)),
              HasSubstr("'decoder.embed_tokens.weight' differs from 'shared.weight'"));
}

}  // namespace
}  // namespace frond
