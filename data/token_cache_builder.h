// Tokenises the files of a source into a TokenCache file. Private to data/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/row_reader.h"
#include "data/templates/row_templates.h"
#include "data/tokenizer.h"

namespace frond {

struct TokenCacheBuild {
  std::string name;            // of the source, for messages
  std::vector<RowFile> files;  // in order
  RowLayout layout;
  std::shared_ptr<const RowTemplates> templates;  // null: rows are examples
  int threads = 1;
  std::string path;  // of the cache file
  uint64_t key = 0;
  uint64_t key_with_empty_targets = 0;  // instead, where there are any
};

// Reads, tokenises on `threads` threads and writes at the same time; the result does not depend on
// the number of threads. Reports progress and result as log lines. Fails at the first bad row of
// the files' order.
absl::Status BuildTokenCache(const TokenCacheBuild& build, const Tokenizer& tokenizer);

}  // namespace frond
