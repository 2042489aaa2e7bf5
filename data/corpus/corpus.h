// The built-in multilingual instruction corpus: short exercises about names, numbers, dates, units,
// lists and letters, written by the program from the CLDR data inside ICU. Nothing is downloaded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace frond {

struct CorpusOptions {
  // Folder that receives train.jsonl, validation.jsonl, test.jsonl and README.md; made if missing.
  std::string out_dir = {};
  // Chooses which facts and templates are taken and their order. The split of a fact does not
  // depend on it, so a test set is never trained on by using another seed.
  uint64_t seed = 1;
  // Upper bound of a language's rows over all three splits; richly described languages reach it.
  int max_rows_per_language = 1600;
  // CLDR codes of the languages to write ("de"); empty: every language that CLDR describes well,
  // and those of mT5's pre-training that it describes at all.
  std::vector<std::string> languages = {};
};

// Rows per split.
struct SplitCounts {
  int64_t train = 0;
  int64_t validation = 0;
  int64_t test = 0;

  int64_t total() const { return train + validation + test; }
};

struct CorpusReport {
  SplitCounts rows;
  std::map<std::string, SplitCounts> rows_by_language;  // key: CLDR language code
  std::map<std::string, SplitCounts> rows_by_task;      // key: task_type
  std::map<std::string, std::string> language_names;    // code -> English name
  int64_t english_target_rows = 0;  // rows of other languages that are answered in English
  int64_t bytes = 0;                // of the three JSONL files
  std::string icu_version;
  std::string cldr_version;
};

// Writes the corpus. The bytes depend only on the options and on ICU's data, never on the process's
// locale, time zone or environment. While it runs, ICU's default locale of the process is the root
// locale, so it must not run beside other threads that use ICU. Errors: options out of range, an
// unknown language, or a file that cannot be written.
absl::StatusOr<CorpusReport> WriteCorpus(const CorpusOptions& options);

// A table for the terminal: rows per task and split, languages, size.
std::string FormatCorpusReport(const CorpusReport& report);

}  // namespace frond
