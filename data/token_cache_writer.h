// Writes the file of a TokenCache example by example (token_cache_format.h). Private to data/.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file.h"
#include "data/example.h"
#include "data/token_cache_format.h"

namespace frond {

// Memory is bounded by the names and eight bytes an example; ids and records go to the disk at
// once.
class TokenCacheWriter {
 public:
  // Writes `path`.tmp and `path`.records.tmp; a writer that is destroyed before Finish() removes
  // them.
  static absl::StatusOr<std::unique_ptr<TokenCacheWriter>> Create(const std::string& path);
  ~TokenCacheWriter();
  TokenCacheWriter(const TokenCacheWriter&) = delete;
  TokenCacheWriter& operator=(const TokenCacheWriter&) = delete;

  // An example and its first variant. Of `example` only the names are read.
  absl::Status Append(std::span<const int32_t> source, std::span<const int32_t> target,
                      const Example& example);
  // Another variant of the last example, in the same language.
  absl::Status AppendVariant(std::span<const int32_t> source, std::span<const int32_t> target,
                             const Example& example);

  // Writes the rest, syncs, and renames to `path`.
  absl::Status Finish(uint64_t key);

  int64_t num_examples() const { return num_examples_; }
  int64_t num_variants() const { return num_variants_; }
  int64_t num_tokens() const { return num_tokens_; }
  int64_t num_languages() const { return static_cast<int64_t>(languages_.names.size()); }

 private:
  struct NameTable {
    std::vector<std::string> names;
    std::unordered_map<std::string, uint32_t> ids;
    uint32_t IdOf(const std::string& name);
  };

  // The file so far, one section at a time, through a buffer.
  class SectionWriter {
   public:
    explicit SectionWriter(std::unique_ptr<FileWriter> file) : file_(std::move(file)) {}
    void Begin();
    absl::Status Append(absl::string_view bytes);
    absl::StatusOr<token_cache_internal::Section> End();
    absl::Status Close(absl::string_view last_bytes);

   private:
    absl::Status Flush();
    std::unique_ptr<FileWriter> file_;
    std::string buffer_;
    StreamingHash hash_;
    uint64_t begin_ = 0;
    uint64_t size_ = 0;
  };

  TokenCacheWriter(std::string path, std::unique_ptr<FileWriter> file,
                   std::unique_ptr<FileWriter> records);

  absl::Status AppendRecord(std::span<const int32_t> source, std::span<const int32_t> target,
                            const Example& example);
  absl::Status WriteRecords(std::span<const token_cache_internal::Record> records,
                            token_cache_internal::Trailer* trailer);
  absl::Status WriteVariants(token_cache_internal::Trailer* trailer);
  absl::Status WriteNames(token_cache_internal::Trailer* trailer);

  std::string path_;
  SectionWriter file_;
  SectionWriter records_;
  int64_t num_examples_ = 0;
  int64_t num_variants_ = 0;
  // [examples], where each one's variants begin; empty until one has a second variant.
  std::vector<uint32_t> variant_starts_;
  int64_t num_tokens_ = 0;
  NameTable languages_;
  NameTable datasets_;
  NameTable templates_;
  NameTable tasks_;
  std::vector<uint64_t> language_counts_;  // [languages], by the order of first occurrence
  std::vector<uint32_t> language_order_;   // first-occurrence numbers, sorted by name
  bool finished_ = false;
};

}  // namespace frond
