// A folder that we wrote opens with Transformers' AutoModelForSeq2SeqLM and gives the same logits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "checkpoint/checkpoint_files.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "tests/models/t5/t5_fixture.h"

namespace frond {
namespace {

using testing::StartsWith;

std::string Python() {
  const char* python = getenv("FROND_PYTHON");
  return python != nullptr ? python : "/opt/frond-venv/bin/python";
}

View IntegersView(std::vector<int32_t>& values) {
  return {values.data(), {static_cast<int64_t>(values.size())}, DType::kI32};
}

// The file that tests/reference/check_hf_checkpoint.py reads.
void DumpLogits(const std::string& path, Batch batch, View logits) {
  const std::vector<NamedTensor> tensors = {{"logits", logits},
                                            {"source_ids", IntegersView(batch.source_ids)},
                                            {"source_offsets", IntegersView(batch.source_offsets)},
                                            {"target_ids", IntegersView(batch.target_ids)},
                                            {"target_offsets", IntegersView(batch.target_offsets)}};
  const auto written = WriteSafetensors(path, tensors);
  ASSERT_TRUE(written.ok()) << written.status();
}

struct Finished {
  int exit_code = -1;
  std::string output;
};

Finished RunCommand(const std::string& command) {
  Finished finished;
  FILE* pipe = popen(command.c_str(), "r");
  CHECK(pipe != nullptr) << command;
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) finished.output.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) finished.exit_code = WEXITSTATUS(status);
  return finished;
}

TEST(HfCheckpointTest, TransformersOpensOurFoldersAndGivesOurLogits) {
  if (!PathExists(Python())) {
    GTEST_SKIP() << "no " << Python() << " (set FROND_PYTHON): nothing was checked";
  }
  const std::string root = JoinPath(testing::TempDir(), "hf_checkpoint_test");
  CHECK_OK(RemoveRecursively(root));
  std::string command = "OMP_NUM_THREADS=1 " + Python() + " reference/check_hf_checkpoint.py";
  for (const char* name : {"mt5", "t5_v1_1", "t5_v1_1_tied"}) {
    T5Fixture fixture(name);
    const auto model = fixture.Load({.compute = DType::kF32});
    const std::string folder = JoinPath(root, name), logits = folder + ".logits.safetensors";
    ASSERT_TRUE(CreateDirectories(folder).ok());
    const auto written =
        WriteCheckpointFiles(folder, {.weights = NamedMasters(model->params()),
                                      .texts = {.config_json = T5ConfigToJson(model->config())}});
    ASSERT_TRUE(written.ok()) << written.status();
    Tensor values = model->Logits(fixture.ctx, fixture.batch);
    DumpLogits(logits, fixture.batch, values);
    absl::StrAppend(&command, " ", folder, " ", logits);
    if (name != std::string("t5_v1_1_tied")) continue;
    // One value of many, off by 1e-3, must be seen.
    values.As<float>()[values.shape().num_elements() / 2] += 1e-3f;
    DumpLogits(logits + ".wrong", fixture.batch, values);
    absl::StrAppend(&command, " ", folder, " ", logits, ".wrong");
  }
  const Finished finished = RunCommand(command + " 2>/dev/null");
  constexpr int kPackagesMissing = 3;
  if (finished.exit_code == kPackagesMissing) {
    GTEST_SKIP() << Python() << ": " << finished.output << "nothing was checked";
  }
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(finished.output, '\n', absl::SkipEmpty())),
              testing::ElementsAre(StartsWith("equal "), StartsWith("equal "), StartsWith("equal "),
                                   StartsWith("DIFFERENT ")));
}

}  // namespace
}  // namespace frond
