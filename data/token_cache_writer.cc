#include "data/token_cache_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

using token_cache_internal::kAlignment;
using token_cache_internal::Record;
using token_cache_internal::Section;
using token_cache_internal::Trailer;

constexpr size_t kFlushBytes = 1 << 20;

template <class T>
absl::string_view BytesOf(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

template <class T>
absl::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string PartialPath(const std::string& path) { return path + ".tmp"; }
std::string RecordsPath(const std::string& path) { return path + ".records.tmp"; }

void AppendNames(const std::vector<std::string>& names, std::string* bytes) {
  absl::StrAppend(bytes, BytesOf(static_cast<uint32_t>(names.size())));
  for (const std::string& name : names) {
    absl::StrAppend(bytes, BytesOf(static_cast<uint32_t>(name.size())), name);
  }
}

}  // namespace

uint32_t TokenCacheWriter::NameTable::IdOf(const std::string& name) {
  const auto [it, is_new] = ids.emplace(name, static_cast<uint32_t>(names.size()));
  if (is_new) names.push_back(name);
  return it->second;
}

void TokenCacheWriter::SectionWriter::Begin() {
  buffer_.append((kAlignment - size_ % kAlignment) % kAlignment, '\0');
  size_ += buffer_.size();
  begin_ = size_;
  hash_ = StreamingHash();
}

absl::Status TokenCacheWriter::SectionWriter::Flush() {
  RETURN_IF_ERROR(file_->Append(buffer_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status TokenCacheWriter::SectionWriter::Append(absl::string_view bytes) {
  hash_.Add(bytes);
  size_ += bytes.size();
  buffer_.append(bytes.data(), bytes.size());
  return buffer_.size() < kFlushBytes ? absl::OkStatus() : Flush();
}

absl::StatusOr<Section> TokenCacheWriter::SectionWriter::End() {
  RETURN_IF_ERROR(Flush());
  return Section{begin_, size_ - begin_, hash_.Digest()};
}

absl::Status TokenCacheWriter::SectionWriter::Close(absl::string_view last_bytes) {
  RETURN_IF_ERROR(file_->Append(last_bytes));
  return file_->Close();
}

absl::StatusOr<std::unique_ptr<TokenCacheWriter>> TokenCacheWriter::Create(
    const std::string& path) {
  ASSIGN_OR_RETURN(auto file, FileWriter::Create(PartialPath(path)));
  ASSIGN_OR_RETURN(auto records, FileWriter::Create(RecordsPath(path)));
  return std::unique_ptr<TokenCacheWriter>(
      new TokenCacheWriter(path, std::move(file), std::move(records)));
}

TokenCacheWriter::TokenCacheWriter(std::string path, std::unique_ptr<FileWriter> file,
                                   std::unique_ptr<FileWriter> records)
    : path_(std::move(path)), file_(std::move(file)), records_(std::move(records)) {
  file_.Begin();
  records_.Begin();
}

TokenCacheWriter::~TokenCacheWriter() {
  // What cannot be removed is overwritten by the next build.
  RemoveRecursively(RecordsPath(path_)).IgnoreError();
  if (!finished_) RemoveRecursively(PartialPath(path_)).IgnoreError();
}

absl::Status TokenCacheWriter::Append(std::span<const int32_t> source,
                                      std::span<const int32_t> target, const Example& example) {
  if (!variant_starts_.empty()) {
    variant_starts_.push_back(static_cast<uint32_t>(num_variants_));
  }
  RETURN_IF_ERROR(AppendRecord(source, target, example));
  language_counts_.resize(languages_.names.size());
  ++language_counts_[languages_.IdOf(example.language)];
  ++num_examples_;
  return absl::OkStatus();
}

absl::Status TokenCacheWriter::AppendVariant(std::span<const int32_t> source,
                                             std::span<const int32_t> target,
                                             const Example& example) {
  CHECK_GE(num_examples_, 1);
  if (variant_starts_.empty()) {  // until now every example had one
    variant_starts_.resize(static_cast<size_t>(num_examples_));
    std::iota(variant_starts_.begin(), variant_starts_.end(), 0u);
  }
  return AppendRecord(source, target, example);
}

absl::Status TokenCacheWriter::AppendRecord(std::span<const int32_t> source,
                                            std::span<const int32_t> target,
                                            const Example& example) {
  if (num_variants_ == std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", num_variants_,
                     " examples and variants of them in one source; split it into several"));
  }
  const Record record = {.offset = static_cast<uint64_t>(num_tokens_),
                         .source_length = static_cast<uint32_t>(source.size()),
                         .target_length = static_cast<uint32_t>(target.size()),
                         .language = languages_.IdOf(example.language),
                         .dataset = datasets_.IdOf(example.dataset_name),
                         .template_id = templates_.IdOf(example.template_id),
                         .task = tasks_.IdOf(example.task_type)};
  RETURN_IF_ERROR(file_.Append(BytesOf(source)));
  RETURN_IF_ERROR(file_.Append(BytesOf(target)));
  RETURN_IF_ERROR(records_.Append(BytesOf(record)));
  num_tokens_ += static_cast<int64_t>(source.size() + target.size());
  ++num_variants_;
  return absl::OkStatus();
}

absl::Status TokenCacheWriter::WriteRecords(std::span<const Record> records, Trailer* trailer) {
  const size_t languages = language_order_.size();
  std::vector<uint32_t> sorted_number(languages);  // of a language, by first-occurrence number
  std::vector<uint64_t> next(languages);           // where its next example goes
  uint64_t start = 0;
  for (size_t i = 0; i < languages; ++i) {
    sorted_number[language_order_[i]] = static_cast<uint32_t>(i);
    next[i] = start;
    start += language_counts_[language_order_[i]];
  }
  std::vector<uint32_t> by_language(static_cast<size_t>(num_examples_));
  uint32_t example = 0;
  file_.Begin();
  for (size_t i = 0; i < records.size(); ++i) {
    Record record = records[i];
    record.language = sorted_number[record.language];
    const bool is_first =
        variant_starts_.empty() || (example < num_examples_ && variant_starts_[example] == i);
    if (is_first) by_language[next[record.language]++] = example++;
    RETURN_IF_ERROR(file_.Append(BytesOf(record)));
  }
  ASSIGN_OR_RETURN(trailer->sections[token_cache_internal::kRecords], file_.End());
  file_.Begin();
  RETURN_IF_ERROR(file_.Append(BytesOf(std::span<const uint32_t>(by_language))));
  ASSIGN_OR_RETURN(trailer->sections[token_cache_internal::kByLanguage], file_.End());
  return absl::OkStatus();
}

absl::Status TokenCacheWriter::WriteVariants(Trailer* trailer) {
  if (!variant_starts_.empty()) {
    variant_starts_.push_back(static_cast<uint32_t>(num_variants_));
  }
  file_.Begin();
  RETURN_IF_ERROR(file_.Append(BytesOf(std::span<const uint32_t>(variant_starts_))));
  ASSIGN_OR_RETURN(trailer->sections[token_cache_internal::kVariants], file_.End());
  return absl::OkStatus();
}

absl::Status TokenCacheWriter::WriteNames(Trailer* trailer) {
  std::vector<std::string> languages;
  for (const uint32_t language : language_order_) languages.push_back(languages_.names[language]);
  std::string bytes;
  AppendNames(languages, &bytes);
  AppendNames(datasets_.names, &bytes);
  AppendNames(templates_.names, &bytes);
  AppendNames(tasks_.names, &bytes);
  for (const uint32_t language : language_order_) {
    absl::StrAppend(&bytes, BytesOf(language_counts_[language]));
  }
  file_.Begin();
  RETURN_IF_ERROR(file_.Append(bytes));
  ASSIGN_OR_RETURN(trailer->sections[token_cache_internal::kNames], file_.End());
  return absl::OkStatus();
}

absl::Status TokenCacheWriter::Finish(uint64_t key) {
  Trailer trailer = {};
  std::memcpy(trailer.magic, token_cache_internal::kMagic, sizeof(trailer.magic));
  trailer.format = token_cache_internal::kFormat;
  trailer.key = key;
  trailer.num_examples = static_cast<uint64_t>(num_examples_);
  language_order_.resize(languages_.names.size());
  std::iota(language_order_.begin(), language_order_.end(), 0u);
  std::sort(language_order_.begin(), language_order_.end(),
            [this](uint32_t a, uint32_t b) { return languages_.names[a] < languages_.names[b]; });

  ASSIGN_OR_RETURN(trailer.sections[token_cache_internal::kIds], file_.End());
  ASSIGN_OR_RETURN(const Section spooled, records_.End());
  RETURN_IF_ERROR(records_.Close(""));
  ASSIGN_OR_RETURN(auto mapped, MappedFile::Open(RecordsPath(path_)));
  const auto* records = reinterpret_cast<const Record*>(mapped->bytes().data());
  RETURN_IF_ERROR(WriteRecords({records, spooled.size / sizeof(Record)}, &trailer));
  RETURN_IF_ERROR(WriteVariants(&trailer));
  RETURN_IF_ERROR(WriteNames(&trailer));
  trailer.checksum = Hash64(BytesOf(trailer).substr(0, sizeof(Trailer) - sizeof(trailer.checksum)));
  RETURN_IF_ERROR(file_.Close(BytesOf(trailer)));
  RETURN_IF_ERROR(RenamePath(PartialPath(path_), path_));
  finished_ = true;
  return SyncParentDirectory(path_);
}

}  // namespace frond
