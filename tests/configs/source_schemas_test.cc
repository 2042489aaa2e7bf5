#include "configs/source_schemas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "configs/config_reader.h"
#include "configs/mixture_sources.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/file.h"

namespace frond {
namespace {

using testing::HasSubstr;

class SourceSchemas : public testing::Test {
 protected:
  SourceSchemas() { EXPECT_TRUE(CreateDirectories(folder_).ok()); }
  ~SourceSchemas() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  // A config with this in `data`, and `eval` beside it.
  absl::StatusOr<config::TrainConfig> Read(const std::string& data, const std::string& eval = "") {
    Write("run.textproto",
          "work_dir: \"w\" steps: 1 batch { rows: 1 } model { preset: \"mt5-small\" }\n"
          "data { tokenizer: \"t\"\n" +
              data + "}\n" + eval);
    auto config = ReadConfig(folder_ + "/run.textproto", {});
    if (!config.ok()) return config;
    ResolveDefaults(*config);
    const absl::Status valid = ValidateTrainConfig(*config);
    if (!valid.ok()) return valid;
    return config;
  }

  std::string ErrorOf(const std::string& data) {
    const auto config = Read(data);
    EXPECT_FALSE(config.ok()) << data;
    EXPECT_EQ(config.status().message().find('\n'), absl::string_view::npos);
    return std::string(config.status().message());
  }

  const std::string folder_ = testing::TempDir() + "/source_schemas_" + std::to_string(getpid());
};

constexpr char kSchema[] =
    "schema { name: 'mt' fields { inputs: 'en' targets: 'xx' } language: 'sw' format: TSV "
    "column: 'en' column: 'xx' quoting: false }\n";

void ExpectOfSchema(const config::Source& source) {
  EXPECT_EQ(source.fields().inputs(), "en");
  EXPECT_EQ(source.fields().targets(), "xx");
  EXPECT_EQ(source.fields().script(), "script") << "what the schema leaves open has its default";
  EXPECT_EQ(source.language(), "sw");
  EXPECT_EQ(source.format(), config::Source::TSV);
  EXPECT_EQ(source.column_size(), 2);
  EXPECT_FALSE(source.quoting());
  EXPECT_FALSE(source.has_schema());
}

TEST_F(SourceSchemas, InAListAndForEvaluation) {
  const auto config = Read(std::string(kSchema) +
                               "source { path: 'a.txt' schema: 'mt' }\n"
                               "source { path: 'b.txt' schema: 'mt' fields { targets: 'yy' }\n"
                               "  language: 'fr' format: CSV quoting: true column: 'z' }\n"
                               "source { path: 'c.txt' }\n",
                           "eval { source { path: 'e.txt' schema: 'mt' } }");
  ASSERT_TRUE(config.ok()) << config.status();
  const config::Data& data = config->data();
  EXPECT_EQ(data.schema_size(), 0);
  ExpectOfSchema(data.source(0));
  ExpectOfSchema(config->eval().source(0));
  EXPECT_EQ(data.source(1).fields().inputs(), "en") << "a schema fills in field by field";
  EXPECT_EQ(data.source(1).fields().targets(), "yy");
  EXPECT_EQ(data.source(1).language(), "fr");
  EXPECT_EQ(data.source(1).format(), config::Source::CSV);
  EXPECT_EQ(data.source(1).column_size(), 1);
  EXPECT_TRUE(data.source(1).quoting());
  EXPECT_EQ(data.source(2).fields().inputs(), "inputs");
  EXPECT_EQ(data.source(2).format(), config::Source::BY_ENDING);
}

TEST_F(SourceSchemas, InATreeWithImportsTheNearestHolds) {
  Write("import.textproto",
        "schema { name: 'mt' fields { inputs: 'near' } }\n"
        "dataset { source { path: 'b.tsv' schema: 'mt' } }\n"
        "dataset { source { path: 'c.tsv' schema: 'far' }\n"
        "  prune { rule { urls {} } evaluation { path: 'p.tsv' schema: 'mt' } } }\n");
  const auto config = Read(
      "schema { name: 'far' fields { inputs: 'far' } }\n"
      "mixture {\n" +
          std::string(kSchema) +
          "dataset { source { path: 'a.tsv' schema: 'mt' } }\n"
          "group { name: 'g' import: 'import.textproto' } }\n",
      "eval { source { path: 'e.txt' schema: 'mt' } source { path: 'f.txt' schema: 'far' } }");
  ASSERT_TRUE(config.ok()) << config.status();
  const config::Mixture& root = config->data().mixture();
  ExpectOfSchema(root.dataset(0).source());
  ExpectOfSchema(config->eval().source(0));
  EXPECT_EQ(config->eval().source(1).fields().inputs(), "far");
  EXPECT_EQ(root.group(0).dataset(0).source().fields().inputs(), "near");
  EXPECT_EQ(root.group(0).dataset(1).source().fields().inputs(), "far");
  EXPECT_EQ(root.group(0).dataset(1).prune().evaluation(0).fields().inputs(), "near");
  EXPECT_EQ(root.schema_size() + root.group(0).schema_size(), 0);
  // What a run saves reads back.
  const auto again = ParseConfig(ConfigToText(*config), "saved", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->SerializeAsString(), config->SerializeAsString());
}

TEST_F(SourceSchemas, SchemasThatAreNotThere) {
  EXPECT_THAT(
      ErrorOf(std::string(kSchema) + "source { path: 'a' schema: 'tm' }"),
      HasSubstr("run.textproto: schema 'tm', which a source names, is nowhere; did you mean "
                "'mt'?"));
  EXPECT_THAT(ErrorOf("source { path: 'a' schema: 'tm' }"), HasSubstr("expected schema { name:"));
  EXPECT_THAT(ErrorOf(std::string(kSchema) + kSchema + "source { path: 'a' }"),
              HasSubstr("two schemas of one place are called 'mt'"));
  EXPECT_THAT(ErrorOf("schema { fields {} } source { path: 'a' }"), HasSubstr("has no name"));
  EXPECT_THAT(
      ErrorOf("mixture { group { name: 'g' " + std::string(kSchema) +
              "dataset { source { path: 'a' } } } dataset { source { path: 'b' schema: 'mt' "
              "} } }"),
      HasSubstr("schema 'mt', which a source names, is nowhere"))
      << "a group's schemas are for what is below";
}

TEST_F(SourceSchemas, WhatGoesTogether) {
  const auto error = [&](const std::string& source) {
    return ErrorOf("source { path: 'a' " + source + " }");
  };
  EXPECT_THAT(error("format: CSV target_path: 'b'"),
              HasSubstr("data.source[0].format is CSV beside target_path"));
  EXPECT_THAT(error("target_path: ''"), HasSubstr("data.source[0].target_path is empty"));
  EXPECT_THAT(error("column: 'x' format: JSONL"), HasSubstr("data.source[0].column names the"));
  EXPECT_THAT(error("column: 'x' target_path: 'b'"), HasSubstr("data.source[0].column names the"));
  EXPECT_THAT(error("quoting: false format: PARQUET"), HasSubstr("data.source[0].quoting is for"));
  EXPECT_THAT(error("column: 'x' column: 'x'"), HasSubstr("names \"x\" twice"));
  EXPECT_THAT(error("column: ''"), HasSubstr("column is empty"));
  EXPECT_THAT(ErrorOf("mixture { dataset { source { path: 'a' format: CSV target_path: 'b' } } }"),
              HasSubstr("data.mixture.dataset[0].source.format is CSV beside target_path"));
}

TEST_F(SourceSchemas, OfPruning) {
  config::PruneConfig config;
  ASSERT_TRUE(
      ParseText(std::string(kSchema) +
                    "source { path: 'a' schema: 'mt' } evaluation { path: 'b' schema: 'mt' }",
                "prune", config)
          .ok());
  ASSERT_TRUE(ResolveSchemas(config).ok());
  ExpectOfSchema(config.source(0));
  ExpectOfSchema(config.evaluation(0));
}

TEST_F(SourceSchemas, TheOrderOfRowsKnowsWhatChangesThem) {
  const auto hash = [&](const std::string& source) {
    const auto config = Read("source { name: 'a' path: 'a' " + source + " }");
    EXPECT_TRUE(config.ok()) << config.status();
    return DataOrderHash(*config);
  };
  EXPECT_EQ(hash(""), hash("format: BY_ENDING quoting: true"));
  EXPECT_NE(hash(""), hash("format: CSV"));
  EXPECT_NE(hash("format: CSV"), hash("format: CSV quoting: false"));
  EXPECT_NE(hash("format: CSV"), hash("format: CSV column: 'inputs' column: 'targets'"));
}

TEST_F(SourceSchemas, NamesFromPathsEndAtTheLanguage) {
  const auto config = Read("source { path: 'x/gatitos_{language}.tsv' }");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data().source(0).name(), "gatitos");
}

}  // namespace
}  // namespace frond
