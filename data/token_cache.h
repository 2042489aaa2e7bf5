// The tokenised copy of one source, mapped from one file: opening it parses nothing, so hundreds of
// millions of examples are there at once. File format: token_cache_format.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/file.h"
#include "data/row_layout.h"
#include "data/templates/row_templates.h"
#include "data/tokenizer.h"

namespace frond {

namespace token_cache_internal {
struct Record;
}

struct TokenCacheOptions {
  // What reports and messages call the source.
  std::string name;
  // Data files and globs of them (FindRowFiles).
  std::vector<std::string> paths;
  std::vector<std::string> target_paths = {};
  RowLayout layout = {};
  // Make examples of rows with raw fields; null: rows are examples.
  std::shared_ptr<const RowTemplates> templates = {};
  // Where the file is kept; made where it does not exist.
  std::string cache_dir;
  // Threads that tokenise while building.
  int threads = 1;
  // Compare the checksums of all sections also where nothing had to be built. Reads the whole file;
  // without it only header, sizes and names are checked.
  bool verify = false;
};

// Immutable. Examples are numbered in the order of the files and their rows, so without templates
// example i is the i-th that ExampleReader gives. Templates make variants of a row: an example is
// then what they make of one row in one language, and has at least one variant. Without templates
// variant i is example i. Spans live as long as the cache.
class TokenCache {
 public:
  // Opens the cache of these files, tokenizer and field names, or builds it where there is none,
  // where it is damaged, or where a file (size, time of change), the tokenizer (content) or a field
  // name differs from what it was built of. Processes and threads that ask at the same time wait
  // for the one that builds. Fails at the first bad row (`file:line: what`) and where there are no
  // examples. Whether empty targets are allowed makes a difference only to files that have some.
  static absl::StatusOr<std::shared_ptr<const TokenCache>> OpenOrBuild(
      const TokenCacheOptions& options, const Tokenizer& tokenizer);

  int64_t num_examples() const { return num_examples_; }
  int64_t num_variants() const { return num_variants_; }
  // Of both sides and all variants, untruncated.
  int64_t num_tokens() const { return static_cast<int64_t>(ids_.size()); }

  // Numbers begin, ..., begin + count - 1; they have one language.
  struct Variants {
    int64_t begin;
    int64_t count;
  };
  Variants variants(int64_t example) const;

  // `i` is the number of a variant in what follows, but for examples_of_language.

  // Untruncated; the last id is the end-of-sequence id.
  std::span<const int32_t> source(int64_t i) const;
  std::span<const int32_t> target(int64_t i) const;
  int32_t source_length(int64_t i) const;
  int32_t target_length(int64_t i) const;

  // Index into languages(), which is sorted.
  int32_t language(int64_t i) const;
  const std::vector<std::string>& languages() const { return languages_; }
  // Numbers of the examples of one language, ascending; never empty.
  std::span<const uint32_t> examples_of_language(int32_t language) const;

  // Empty where the row has no such field.
  const std::string& dataset_name(int64_t i) const;
  const std::string& template_id(int64_t i) const;
  const std::string& task_type(int64_t i) const;

  // Labels of the templates that made the variants, which are their template_ids; empty where rows
  // are examples.
  const std::vector<std::string>& templates() const { return row_templates_; }

  const std::string& name() const { return name_; }
  // The files behind the examples, in order.
  const std::vector<std::string>& files() const { return files_; }
  // Names this content: equal keys hold equal examples in equal order.
  uint64_t key() const { return key_; }
  // Of the examples themselves (ids, languages, names): the same wherever and whenever the files
  // lie.
  uint64_t content_hash() const { return content_hash_; }

 private:
  TokenCache() = default;

  static absl::StatusOr<std::shared_ptr<TokenCache>> Open(const std::string& path, uint64_t key,
                                                          bool verify);
  absl::Status ReadNames(absl::string_view bytes);
  const token_cache_internal::Record& record(int64_t i) const;

  std::string name_;
  std::vector<std::string> files_;
  uint64_t key_ = 0;
  uint64_t content_hash_ = 0;
  std::unique_ptr<MappedFile> file_;
  int64_t num_examples_ = 0;
  int64_t num_variants_ = 0;
  const uint32_t* variant_starts_ = nullptr;  // [examples + 1]; null: one variant each
  std::span<const int32_t> ids_;
  const token_cache_internal::Record* records_ = nullptr;
  const uint32_t* by_language_ = nullptr;
  std::vector<uint64_t> language_starts_;  // [languages + 1] into by_language_
  std::vector<std::string> languages_;
  std::vector<std::string> datasets_;
  std::vector<std::string> templates_;
  std::vector<std::string> tasks_;
  std::vector<std::string> row_templates_;
};

}  // namespace frond
