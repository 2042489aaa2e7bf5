// Folders as older versions of Transformers left them.
#include "models/t5/t5_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "checkpoint/hf_weights.h"
#include "checkpoint/load_params.h"
#include "core/base/file.h"
#include "core/ops/elementwise.h"
#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

using testing::HasSubstr;

// Loads the fixture's model from a folder that holds one more tensor, `name` [4, 2].
absl::Status LoadWithExtra(const std::string& name) {
  T5Fixture fixture("mt5");
  const auto model = fixture.Load({.compute = DType::kF32});
  Tensor extra(fixture.ctx, {4, 2}, DType::kF32);
  Fill(fixture.ctx, 1, extra);
  std::vector<NamedTensor> tensors = NamedMasters(model->params());
  tensors.push_back({name, extra});
  const std::string folder =
      JoinPath(testing::TempDir(), "t5_folder_test_" + std::to_string(getpid()));
  EXPECT_TRUE(CreateDirectories(folder).ok());
  EXPECT_TRUE(WriteHfWeights(folder, tensors, {}).ok());
  T5Model read(model->config(), {});
  const absl::Status status = LoadT5Weights(fixture.ctx, folder, read);
  EXPECT_TRUE(RemoveRecursively(folder).ok());
  return status;
}

TEST(T5FolderTest, TheUnusedTableOfCrossAttentionIsIgnored) {
  const absl::Status status =
      LoadWithExtra("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
  EXPECT_TRUE(status.ok()) << status;
}

TEST(T5FolderTest, OtherTensorsAreAnError) {
  const std::string name = "decoder.block.0.layer.1.EncDecAttention.extra.weight";
  EXPECT_THAT(std::string(LoadWithExtra(name).message()), HasSubstr(name));
}

}  // namespace
}  // namespace frond
