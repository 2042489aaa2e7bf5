#include "configs/cluster_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/base/file.h"

namespace frond {
namespace {

using testing::HasSubstr;

TEST(ClusterReaderTest, PresetsAreNodesOfEight) {
  for (const auto& [spec, nodes, gpus, memory] : {std::tuple{"1xH100", 1, 1, 85.5},
                                                  {"8xA100", 1, 8, 85.2},
                                                  {"64xH100", 8, 8, 85.5},
                                                  {"4xH200", 1, 4, 150.8}}) {
    const auto cluster = ReadCluster(spec);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    EXPECT_EQ(cluster->nodes(), nodes) << spec;
    EXPECT_EQ(cluster->gpus_per_node(), gpus) << spec;
    EXPECT_EQ(cluster->gpu().memory_gb(), memory) << spec;
    EXPECT_EQ(cluster->name(), spec);
  }
}

TEST(ClusterReaderTest, RefusesWhatIsNeitherPresetNorFile) {
  for (const char* spec : {"12xH100", "0xH100", "-8xH100", "9999999xH100"}) {
    const auto cluster = ReadCluster(spec);
    ASSERT_FALSE(cluster.ok()) << spec;
    EXPECT_THAT(std::string(cluster.status().message()), HasSubstr("whole nodes of 8")) << spec;
  }
  for (const char* spec : {"8xV100", "8xH100s", "H100", "x", "", "8"}) {
    const auto cluster = ReadCluster(spec);
    ASSERT_FALSE(cluster.ok()) << spec;
    EXPECT_THAT(std::string(cluster.status().message()), HasSubstr("such as 8xH100")) << spec;
  }
}

TEST(ClusterReaderTest, ReadsAFile) {
  const std::string path = JoinPath(testing::TempDir(), "cluster.textproto");
  ASSERT_TRUE(WriteFileAtomically(
                  path,
                  "nodes: 2 gpus_per_node: 4\n"
                  "gpu { name: 'B' memory_gb: 100 bf16_tflops: 500 memory_gb_per_s: 2000 }\n"
                  "links { network_gb_per_s: 12 }\n")
                  .ok());
  const auto cluster = ReadCluster(path);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_EQ(cluster->nodes() * cluster->gpus_per_node(), 8);
  EXPECT_EQ(cluster->links().network_gb_per_s(), 12);
  EXPECT_EQ(cluster->links().node_gb_per_s(), 360);
  EXPECT_EQ(cluster->name(), path);
}

TEST(ClusterReaderTest, NamesWhatIsWrongInAFile) {
  const std::string gpu = "gpu { memory_gb: 100 bf16_tflops: 500 memory_gb_per_s: 2000 }";
  const std::pair<std::string, const char*> wrong[] = {
      {"nodes: 2", "gpu.memory_gb is 0"},
      {gpu + " nodes: 0", "nodes is 0; it must be above 0"},
      {gpu + " links { node_gb_per_s: -1 }", "links.node_gb_per_s is -1"},
      {gpu + " efficiency { products: 1.5 }", "efficiency.products is 1.5"},
      {gpu + " efficiency { gaps: nan }", "efficiency.gaps is nan"},
      {"gpu { memory_gb: inf bf16_tflops: 500 memory_gb_per_s: 2000 }", "gpu.memory_gb is inf"},
      {"gpus: 3", "file:1:"},
  };
  for (const auto& [text, words] : wrong) {
    const auto cluster = ParseCluster(text, "file");
    ASSERT_FALSE(cluster.ok()) << text;
    EXPECT_THAT(std::string(cluster.status().message()), HasSubstr(words));
  }
}

}  // namespace
}  // namespace frond
