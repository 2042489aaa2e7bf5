// Rows made up for pruning, and what became of them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "mixtures/pruning/pruner.h"
#include "nlohmann/json.hpp"
#include "tests/data/test_files.h"

namespace frond {

struct TestRow {
  std::string inputs;
  std::string targets;
  std::string language = "sw";
  std::string template_id = {};
  std::string dataset_name = {};
};

inline std::string ToLine(const TestRow& row, int64_t id) {
  const nlohmann::json json = {{"inputs", row.inputs},
                               {"targets", row.targets},
                               {"language", row.language},
                               {"template_id", row.template_id},
                               {"dataset_name", row.dataset_name},
                               {"id", id}};
  return absl::StrCat(json.dump(), "\n");
}

// Text of made-up words in Latin letters; the same seed says the same.
class Babbler {
 public:
  explicit Babbler(uint64_t seed) : random_(seed) {}

  size_t Draw(size_t below) { return static_cast<size_t>(random_() % below); }

  std::string Word() {
    static constexpr const char* kSyllables[] = {"ba", "ki", "tu", "me", "lo",  "sa", "wa",
                                                 "ni", "ra", "po", "de", "shi", "go", "zu"};
    std::string word;
    for (size_t i = 2 + Draw(3); i > 0; --i) word += kSyllables[Draw(14)];
    return word;
  }

  std::string Sentence(size_t words) {
    std::string text = Word();
    while (--words > 0) absl::StrAppend(&text, " ", Word());
    return text + ".";
  }

  TestRow Row() { return {.inputs = Sentence(6 + Draw(10)), .targets = Sentence(6 + Draw(20))}; }

 private:
  std::mt19937_64 random_;
};

// How well a rule found what was planted.
struct Found {
  double precision = 0;
  double recall = 0;
};

class PruneTest : public DataTest {
 protected:
  PruneSource Source(const std::string& name, const std::vector<TestRow>& rows) {
    std::string text;
    for (size_t i = 0; i < rows.size(); ++i) text += ToLine(rows[i], static_cast<int64_t>(i));
    return {.name = name,
            .files = {{.path = Write(name + ".jsonl", text)}},
            .layout = {.allow_empty_targets = true}};
  }

  static RuleOptions Rule(const std::string& name, decltype(RuleOptions::how) how) {
    return {.name = name, .kind = name, .how = std::move(how)};
  }

  // Prunes into a fresh folder that later calls find in options.out_dir.
  absl::StatusOr<PruneReport> Run(PruneOptions& options) {
    const std::string number = absl::StrCat(++runs_);
    options.out_dir = JoinPath(folder_, "out" + number);
    options.dropped_path = JoinPath(folder_, "dropped" + number + ".jsonl");
    return Prune(options);
  }

  // (source, id) -> rule, of what the last run dropped.
  static std::map<std::pair<std::string, int64_t>, std::string> Dropped(
      const PruneOptions& options) {
    std::map<std::pair<std::string, int64_t>, std::string> dropped;
    for (const nlohmann::json& row : Lines(options.dropped_path)) {
      dropped[{row["source"], row["row"]["id"]}] = row["rule"];
    }
    return dropped;
  }

  // Ids of the rows of `source` that were kept, in their order.
  static std::vector<int64_t> Kept(const PruneOptions& options, const std::string& source) {
    std::vector<int64_t> ids;
    const std::string name = source + (options.zstd ? ".jsonl.zst" : ".jsonl");
    for (const nlohmann::json& row : Lines(JoinPath(options.out_dir, name))) {
      ids.push_back(row["id"]);
    }
    return ids;
  }

  static std::vector<nlohmann::json> Lines(const std::string& path) {
    std::vector<nlohmann::json> lines;
    const std::string text = ReadUnpacked(path);
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      lines.push_back(nlohmann::json::parse(line));
    }
    return lines;
  }

  static Found Compare(const PruneOptions& options, const std::string& source,
                       const std::string& rule, const std::set<int64_t>& planted) {
    double found = 0, right = 0;
    for (const auto& [row, by] : Dropped(options)) {
      if (row.first != source || by != rule) continue;
      ++found;
      right += static_cast<double>(planted.count(row.second));
    }
    return {.precision = found > 0 ? right / found : 0,
            .recall = right / static_cast<double>(planted.size())};
  }

  // Every file of the last run as one string.
  static std::string AllBytes(const PruneOptions& options) {
    std::string all = *ReadFile(options.dropped_path);
    const auto names = ListDirectory(options.out_dir);
    for (const std::string& name : *names) {
      absl::StrAppend(&all, name, "\n", *ReadFile(JoinPath(options.out_dir, name)));
    }
    return all;
  }

 private:
  int runs_ = 0;
};

}  // namespace frond
