#include "data/token_cache.h"

#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "data/build_lock.h"
#include "data/cache_key.h"
#include "data/row_files.h"
#include "data/token_cache_builder.h"
#include "data/token_cache_format.h"

namespace frond {
namespace {

using token_cache_internal::Record;
using token_cache_internal::Section;
using token_cache_internal::Trailer;

std::string CanonicalPath(const std::string& path) {
  std::error_code code;
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(path, code);
  return code ? path : canonical.string();
}

// What the examples are made of, without the state of the files.
std::string DescribeSource(const std::vector<RowFile>& files, const TokenCacheOptions& options,
                           const Tokenizer& tokenizer) {
  const RowLayout& layout = options.layout;
  std::string text;
  for (const RowFile& file : files) {
    DescribeValue(CanonicalPath(file.path), &text);
    // Where a path could stand, it begins with a slash.
    if (!file.target_path.empty())
      DescribeValue("targets=" + CanonicalPath(file.target_path), &text);
    if (!file.language.empty()) DescribeValue("language=" + file.language, &text);
  }
  for (const ExampleField& field : ExampleFields(layout.fields)) DescribeValue(*field.name, &text);
  DescribeValue(layout.default_language, &text);
  // What has its default is left out: caches of before there was a choice stay good.
  if (layout.format != RowFormat::kByEnding || !layout.quoting) {
    DescribeValue(absl::StrCat("format=", static_cast<int>(layout.format), layout.quoting), &text);
  }
  for (const std::string& column : layout.columns) DescribeValue("column=" + column, &text);
  if (options.templates != nullptr) DescribeValue(HashToHex(options.templates->hash()), &text);
  DescribeValue(HashToHex(tokenizer.content_hash()), &text);
  DescribeValue(absl::StrCat(tokenizer.eos_id(), " ", token_cache_internal::kFormat), &text);
  return text;
}

// Sizes and times of change.
absl::StatusOr<std::string> DescribeState(const std::vector<RowFile>& files) {
  std::string text;
  for (const RowFile& file : files) {
    for (const std::string& path : {file.path, file.target_path}) {
      if (path.empty()) continue;
      RETURN_IF_ERROR(DescribeFileState(path, &text));
    }
  }
  return text;
}

absl::Status Damaged(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("token cache '", path, "' is damaged: ", what));
}

// Whether sections lie within the `size` bytes before the trailer and hold whole elements.
bool SectionsFit(const Trailer& trailer, uint64_t size) {
  constexpr uint64_t kElementSizes[] = {sizeof(int32_t), sizeof(Record), sizeof(uint32_t),
                                        sizeof(uint32_t), 1};
  for (int kind = 0; kind < token_cache_internal::kNumSections; ++kind) {
    const Section& section = trailer.sections[kind];
    if (section.offset > size || section.size > size - section.offset) return false;
    if (section.offset % token_cache_internal::kAlignment != 0) return false;
    if (section.size % kElementSizes[kind] != 0) return false;
  }
  const uint64_t n = trailer.num_examples;
  const uint64_t variants = trailer.sections[token_cache_internal::kRecords].size / sizeof(Record);
  const uint64_t starts = trailer.sections[token_cache_internal::kVariants].size / sizeof(uint32_t);
  return (starts == 0 ? variants == n : starts == n + 1) &&
         trailer.sections[token_cache_internal::kByLanguage].size / sizeof(uint32_t) == n;
}

absl::StatusOr<Trailer> ReadTrailer(const std::string& path, absl::string_view bytes) {
  Trailer trailer;
  if (bytes.size() < sizeof(trailer)) return Damaged(path, "it is too short");
  std::memcpy(&trailer, bytes.data() + bytes.size() - sizeof(trailer), sizeof(trailer));
  if (std::memcmp(trailer.magic, token_cache_internal::kMagic, sizeof(trailer.magic)) != 0) {
    return Damaged(path, "its end is missing");
  }
  if (trailer.format != token_cache_internal::kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("token cache '", path, "' has another format"));
  }
  const absl::string_view covered(reinterpret_cast<const char*>(&trailer),
                                  sizeof(trailer) - sizeof(trailer.checksum));
  if (Hash64(covered) != trailer.checksum) return Damaged(path, "the checksum of its header");
  if (!SectionsFit(trailer, bytes.size() - sizeof(trailer))) {
    return Damaged(path, "its sections do not fit its size");
  }
  return trailer;
}

// Takes numbers and texts off the front of bytes.
class ByteCursor {
 public:
  explicit ByteCursor(absl::string_view bytes) : bytes_(bytes) {}

  template <class T>
  bool Take(T* value) {
    if (bytes_.size() < sizeof(T)) return false;
    std::memcpy(value, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return true;
  }

  bool TakeNames(std::vector<std::string>* names) {
    uint32_t count;
    if (!Take(&count)) return false;
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t length;
      if (!Take(&length) || length > bytes_.size()) return false;
      names->emplace_back(bytes_.substr(0, length));
      bytes_.remove_prefix(length);
    }
    return true;
  }

 private:
  absl::string_view bytes_;
};

// A checksum that was not asked for may hide a wrong number; it must not become a wild read.
template <class T>
const T& ElementOf(const std::vector<T>& values, uint64_t index) {
  CHECK_LT(index, values.size()) << "in a damaged token cache";
  return values[index];
}

constexpr absl::string_view kSectionNames[] = {"token ids", "examples", "language index",
                                               "variants", "names"};

}  // namespace

absl::Status TokenCache::ReadNames(absl::string_view bytes) {
  ByteCursor cursor(bytes);
  bool ok = true;
  for (std::vector<std::string>* names : {&languages_, &datasets_, &templates_, &tasks_}) {
    ok = ok && cursor.TakeNames(names);
  }
  language_starts_.assign(1, 0);
  for (size_t i = 0; ok && i < languages_.size(); ++i) {
    uint64_t count = 0;
    ok = cursor.Take(&count) && count > 0;
    language_starts_.push_back(language_starts_.back() + count);
  }
  ok = ok && language_starts_.back() == static_cast<uint64_t>(num_examples_);
  return ok ? absl::OkStatus() : absl::DataLossError("its names do not fit its size");
}

absl::StatusOr<std::shared_ptr<TokenCache>> TokenCache::Open(const std::string& path, uint64_t key,
                                                             bool verify) {
  std::shared_ptr<TokenCache> cache(new TokenCache());
  ASSIGN_OR_RETURN(cache->file_, MappedFile::Open(path));
  const absl::string_view bytes = cache->file_->bytes();
  ASSIGN_OR_RETURN(const Trailer trailer, ReadTrailer(path, bytes));
  if (trailer.key != key) {
    return absl::FailedPreconditionError(
        absl::StrCat("token cache '", path, "' was built from an earlier state of its files"));
  }
  const auto section = [&](int kind) {
    return bytes.substr(trailer.sections[kind].offset, trailer.sections[kind].size);
  };
  for (int kind = 0; kind < token_cache_internal::kNumSections; ++kind) {
    if (!verify && kind != token_cache_internal::kNames) continue;
    if (Hash64(section(kind)) != trailer.sections[kind].checksum) {
      return Damaged(path, absl::StrCat("the checksum of its ", kSectionNames[kind]));
    }
  }
  cache->key_ = key;
  for (const token_cache_internal::Section& part : trailer.sections) {
    const bool no_variants = &part == &trailer.sections[token_cache_internal::kVariants] &&
                             part.size == 0;  // names the content as before there were variants
    if (no_variants) continue;
    cache->content_hash_ = MixBits(cache->content_hash_ ^ part.checksum);
  }
  cache->num_examples_ = static_cast<int64_t>(trailer.num_examples);
  const absl::string_view ids = section(token_cache_internal::kIds);
  cache->ids_ = {reinterpret_cast<const int32_t*>(ids.data()), ids.size() / sizeof(int32_t)};
  const absl::string_view records = section(token_cache_internal::kRecords);
  cache->num_variants_ = static_cast<int64_t>(records.size() / sizeof(Record));
  const absl::string_view starts = section(token_cache_internal::kVariants);
  if (!starts.empty()) {
    cache->variant_starts_ = reinterpret_cast<const uint32_t*>(starts.data());
  }
  cache->records_ = reinterpret_cast<const Record*>(records.data());
  cache->by_language_ =
      reinterpret_cast<const uint32_t*>(section(token_cache_internal::kByLanguage).data());
  const absl::Status names = cache->ReadNames(section(token_cache_internal::kNames));
  if (!names.ok()) return Damaged(path, names.message());
  return cache;
}

absl::StatusOr<std::shared_ptr<const TokenCache>> TokenCache::OpenOrBuild(
    const TokenCacheOptions& options, const Tokenizer& tokenizer) {
  ASSIGN_OR_RETURN(const std::vector<RowFile> files,
                   FindRowFiles(options.paths, options.target_paths));
  if (files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("source '", options.name, "' names no files"));
  }
  if (tokenizer.eos_id() < 0) {
    return absl::InvalidArgumentError(absl::StrCat("tokenizer '", tokenizer.name(),
                                                   "' has no end-of-sequence piece such as </s>"));
  }
  const std::string source = DescribeSource(files, options, tokenizer);
  ASSIGN_OR_RETURN(const std::string state, DescribeState(files));
  const uint64_t key = Hash64(source + state);
  const std::string path =
      JoinPath(options.cache_dir, CacheFileStem(options.name, Hash64(source)) + ".tokens");
  RETURN_IF_ERROR(CreateDirectories(options.cache_dir));

  // A file that has empty targets is none for those who do not allow them.
  const uint64_t key_with_empty_targets = Hash64(absl::StrCat(source, state, "empty targets"));
  const auto open = [&](bool verify) {
    absl::StatusOr<std::shared_ptr<TokenCache>> opened = Open(path, key, verify);
    if (opened.ok() || !options.layout.allow_empty_targets) return opened;
    absl::StatusOr<std::shared_ptr<TokenCache>> other = Open(path, key_with_empty_targets, verify);
    return other.ok() ? other : opened;
  };
  absl::StatusOr<std::shared_ptr<TokenCache>> cache = open(options.verify);
  if (!cache.ok()) {
    ASSIGN_OR_RETURN(
        const auto lock,
        BuildLock::Wait(path + ".lock", absl::StrCat("tokenises '", options.name, "'")));
    cache = open(options.verify);
    if (!cache.ok()) {
      if (absl::IsDataLoss(cache.status())) {
        LOG(WARNING) << cache.status().message() << "; building it anew";
      }
      RETURN_IF_ERROR(BuildTokenCache({.name = options.name,
                                       .files = files,
                                       .layout = options.layout,
                                       .templates = options.templates,
                                       .threads = options.threads,
                                       .path = path,
                                       .key = key,
                                       .key_with_empty_targets = key_with_empty_targets},
                                      tokenizer));
      ASSIGN_OR_RETURN(const std::string state_after, DescribeState(files));
      if (state_after != state) {
        return absl::AbortedError(absl::StrCat("the files of source '", options.name,
                                               "' changed while they were read; start again"));
      }
      cache = open(/*verify=*/true);
    }
  }
  if (!cache.ok()) return cache.status();
  (*cache)->name_ = options.name;
  if (options.templates != nullptr) (*cache)->row_templates_ = options.templates->labels();
  for (const RowFile& file : files) {
    (*cache)->files_.push_back(file.path);
    if (!file.target_path.empty()) (*cache)->files_.push_back(file.target_path);
  }
  return std::shared_ptr<const TokenCache>(*std::move(cache));
}

TokenCache::Variants TokenCache::variants(int64_t example) const {
  CHECK_GE(example, 0);
  CHECK_LT(example, num_examples_);
  if (variant_starts_ == nullptr) return {example, 1};
  const int64_t begin = variant_starts_[example], end = variant_starts_[example + 1];
  CHECK_LT(begin, end) << "in a damaged token cache";
  return {begin, end - begin};
}

const Record& TokenCache::record(int64_t i) const {
  CHECK_GE(i, 0);
  CHECK_LT(i, num_variants_);
  return records_[i];
}

std::span<const int32_t> TokenCache::source(int64_t i) const {
  const Record& r = record(i);
  CHECK_LE(r.offset + r.source_length, ids_.size());
  return ids_.subspan(r.offset, r.source_length);
}

std::span<const int32_t> TokenCache::target(int64_t i) const {
  const Record& r = record(i);
  CHECK_LE(r.offset + r.source_length + r.target_length, ids_.size());
  return ids_.subspan(r.offset + r.source_length, r.target_length);
}

int32_t TokenCache::source_length(int64_t i) const {
  return static_cast<int32_t>(record(i).source_length);
}

int32_t TokenCache::target_length(int64_t i) const {
  return static_cast<int32_t>(record(i).target_length);
}

int32_t TokenCache::language(int64_t i) const {
  const uint32_t language = record(i).language;
  CHECK_LT(language, languages_.size()) << "in a damaged token cache";
  return static_cast<int32_t>(language);
}

std::span<const uint32_t> TokenCache::examples_of_language(int32_t language) const {
  CHECK_GE(language, 0);
  CHECK_LT(static_cast<size_t>(language), languages_.size());
  const uint64_t begin = language_starts_[language];
  return {by_language_ + begin, language_starts_[language + 1] - begin};
}

const std::string& TokenCache::dataset_name(int64_t i) const {
  return ElementOf(datasets_, record(i).dataset);
}

const std::string& TokenCache::template_id(int64_t i) const {
  return ElementOf(templates_, record(i).template_id);
}

const std::string& TokenCache::task_type(int64_t i) const {
  return ElementOf(tasks_, record(i).task);
}

}  // namespace frond
