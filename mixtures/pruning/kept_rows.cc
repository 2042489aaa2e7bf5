#include "mixtures/pruning/kept_rows.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/human_numbers.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/build_lock.h"
#include "data/cache_key.h"
#include "mixtures/pruning/json_items.h"
#include "mixtures/pruning/prune_passes.h"

namespace frond {
namespace {

using Json = nlohmann::ordered_json;

// The file: a Header, the summary as JSON, zeros up to a multiple of kAlignment, then of each
// source and each of its languages the numbers of the examples that are left, as uint32.
struct Header {
  char magic[8];
  uint64_t format;
  uint64_t key;
  uint64_t summary_size;
  uint64_t num_kept;
  uint64_t checksum;  // of the header before it and the summary
};
constexpr char kMagic[8] = {'F', 'R', 'O', 'N', 'K', 'E', 'P', 'T'};
// Raise it when the layout or the meaning of a rule changes: older files are then built anew.
constexpr uint64_t kFormat = 3;
constexpr size_t kAlignment = 64;
constexpr size_t kBufferBytes = 1 << 20;

size_t Aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

uint64_t ChecksumOf(const Header& header, absl::string_view summary) {
  StreamingHash hash;
  hash.Add({reinterpret_cast<const char*>(&header), sizeof(header) - sizeof(header.checksum)});
  hash.Add(summary);
  return hash.Digest();
}

// Names, files as they are now, and how they are read.
absl::Status DescribeSet(const PruneSource& set, std::string* text) {
  DescribeValue(set.name, text);
  for (const ExampleField& field : ExampleFields(set.layout.fields)) {
    DescribeValue(*field.name, text);
  }
  DescribeValue(set.layout.default_language, text);
  absl::StrAppend(text, static_cast<int>(set.layout.format), " ", set.layout.quoting, " ",
                  set.layout.columns.size(), ";");
  for (const std::string& column : set.layout.columns) DescribeValue(column, text);
  for (const RowFile& file : set.files) {
    DescribeValue(file.language, text);
    for (const std::string* path : {&file.path, &file.target_path}) {
      DescribeValue(*path, text);
      if (!path->empty()) RETURN_IF_ERROR(DescribeFileState(*path, text));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> KeyOf(const KeptRowsOptions& options) {
  std::string text = absl::StrCat(kFormat, " ", options.seed, ";");
  for (const RuleOptions& rule : options.rules) {
    DescribeValue(rule.name, &text);
    DescribeValue(rule.kind, &text);
    DescribeValue(rule.settings, &text);
    for (const auto* names : {&rule.languages, &rule.datasets}) {
      absl::StrAppend(&text, names->size(), ";");
      for (const std::string& name : *names) DescribeValue(name, &text);
    }
  }
  for (const KeptSource& source : options.sources) {
    DescribeValue(source.rows.name, &text);
    absl::StrAppend(&text, source.cache->key(), " ",
                    source.before == nullptr ? 0 : source.before->key(), ";");
  }
  for (const PruneSource& set : options.evaluation) RETURN_IF_ERROR(DescribeSet(set, &text));
  return Hash64(text);
}

// By ordinal over all sources: what earlier rules dropped. Empty where nothing was pruned before.
std::vector<bool> GoneBefore(const KeptRowsOptions& options) {
  std::vector<bool> gone;
  bool any = false;
  for (const KeptSource& source : options.sources) {
    const auto begin = static_cast<int64_t>(gone.size());
    any |= source.before != nullptr;
    gone.resize(gone.size() + static_cast<size_t>(source.cache->num_examples()),
                source.before != nullptr);
    if (source.before == nullptr) continue;
    for (int32_t l = 0; l < static_cast<int32_t>(source.cache->languages().size()); ++l) {
      for (const uint32_t example : source.before->examples(source.before_index, l)) {
        gone[static_cast<size_t>(begin + example)] = false;
      }
    }
  }
  if (!any) gone.clear();
  return gone;
}

// Remembers which rows stay.
class KeptSink : public PruneSink {
 public:
  explicit KeptSink(size_t rows) : kept_(rows) {}

  absl::Status Keep(const RowPlace& place, const LookedRow& row) override {
    if (absl::StripAsciiWhitespace(row.example.targets).empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          *row.path, ":", row.line_number,
          ": the target is empty and no rule drops the row; rule { target {} } would"));
    }
    kept_[static_cast<size_t>(place.ordinal)] = true;
    return absl::OkStatus();
  }
  absl::Status Drop(const RowPlace&, const LookedRow&, int) override { return absl::OkStatus(); }

  bool kept(int64_t ordinal) const { return kept_[static_cast<size_t>(ordinal)]; }

 private:
  std::vector<bool> kept_;
};

class Build {
 public:
  Build(const KeptRowsOptions& options, uint64_t key) : options_(options), key_(key) {
    for (const KeptSource& source : options.sources) {
      sources_.push_back(source.rows);
      tokenised_.push_back(source.cache->num_examples());
      num_rows_ += tokenised_.back();
    }
  }

  // Writes the ledger, then the file at `path`.
  absl::Status Run(const std::string& path, const std::string& ledger_path) {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<bool> gone = GoneBefore(options_);
    const PruneTask task = {.sources = sources_,
                            .evaluation = options_.evaluation,
                            .rules = options_.rules,
                            .seed = options_.seed,
                            .threads = options_.threads,
                            .scratch_dir = options_.cache_dir,
                            .known_rows = tokenised_,
                            .gone = gone.empty() ? nullptr : &gone};
    KeptSink sink(static_cast<size_t>(num_rows_));
    PrunePasses passes(task, sink);
    RETURN_IF_ERROR(passes.Run());
    RETURN_IF_ERROR(WriteFileAtomically(ledger_path, passes.ledger().ToJson(passes.facts())));
    const std::string ledger_hash = passes.ledger().HashOf(passes.facts());
    RETURN_IF_ERROR(Write(path, sink, passes, ledger_hash));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    int64_t kept = 0;
    for (const SourceRecord& source : passes.facts().sources) kept += source.kept;
    LOG(INFO) << absl::StrFormat("pruned '%s': %s of %s rows kept, ledger %s, in %.1f s",
                                 options_.name, WithThousands(kept), WithThousands(num_rows_),
                                 ledger_hash, seconds.count());
    return absl::OkStatus();
  }

 private:
  std::string Summary(const KeptSink& sink, PrunePasses& passes, const std::string& ledger_hash,
                      uint64_t* num_kept) const {
    Json json = {{"ledger", ledger_hash}};
    for (const RuleOptions& rule : options_.rules) {
      json["rules"].push_back(
          {{"name", rule.name}, {"kind", rule.kind}, {"settings", rule.settings}});
    }
    int64_t begin = 0;
    for (size_t s = 0; s < sources_.size(); ++s) {
      const TokenCache& cache = *options_.sources[s].cache;
      const SourceRecord& record = passes.facts().sources[s];
      Json source = {{"name", record.name},
                     {"rows", record.rows},
                     {"kept", record.kept},
                     {"gone_before", record.gone_before}};
      for (size_t r = 0; r < options_.rules.size(); ++r) {
        const Ledger::RuleCount count =
            passes.ledger().CountOf(static_cast<int>(r), static_cast<int>(s));
        source["seen"].push_back(count.seen);
        source["dropped"].push_back(count.dropped);
      }
      StreamingHash hash;
      for (int32_t l = 0; l < static_cast<int32_t>(cache.languages().size()); ++l) {
        uint64_t count = 0;
        for (const uint32_t example : cache.examples_of_language(l)) {
          if (!sink.kept(begin + example)) continue;
          ++count;
          hash.Add({reinterpret_cast<const char*>(&example), sizeof(example)});
        }
        source["languages"].push_back(count);
        *num_kept += count;
      }
      source["kept_hash"] = hash.Digest();
      begin += cache.num_examples();
      json["sources"].push_back(std::move(source));
    }
    return JsonLine(json);
  }

  absl::Status Write(const std::string& path, const KeptSink& sink, PrunePasses& passes,
                     const std::string& ledger_hash) const {
    Header header = {.magic = {}, .format = kFormat, .key = key_};
    std::memcpy(header.magic, kMagic, sizeof(kMagic));
    const std::string summary = Summary(sink, passes, ledger_hash, &header.num_kept);
    header.summary_size = summary.size();
    header.checksum = ChecksumOf(header, summary);
    const std::string partial = path + ".tmp";
    ASSIGN_OR_RETURN(auto file, FileWriter::Create(partial));
    std::string buffer(reinterpret_cast<const char*>(&header), sizeof(header));
    absl::StrAppend(&buffer, summary);
    buffer.resize(Aligned(buffer.size()));
    int64_t begin = 0;
    for (const KeptSource& source : options_.sources) {
      for (int32_t l = 0; l < static_cast<int32_t>(source.cache->languages().size()); ++l) {
        for (const uint32_t example : source.cache->examples_of_language(l)) {
          if (!sink.kept(begin + example)) continue;
          buffer.append(reinterpret_cast<const char*>(&example), sizeof(example));
          if (buffer.size() < kBufferBytes) continue;
          RETURN_IF_ERROR(file->Append(buffer));
          buffer.clear();
        }
      }
      begin += source.cache->num_examples();
    }
    RETURN_IF_ERROR(file->Append(buffer));
    RETURN_IF_ERROR(file->Close());
    RETURN_IF_ERROR(RenamePath(partial, path));
    return SyncDirectory(options_.cache_dir);
  }

  const KeptRowsOptions& options_;
  uint64_t key_;
  std::vector<PruneSource> sources_;
  std::vector<int64_t> tokenised_;  // rows of each source
  int64_t num_rows_ = 0;
};

}  // namespace

bool KeptRows::ReadSummary(absl::string_view text, uint64_t num_kept) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return false;
  ledger_hash_ = json["ledger"];
  for (const Json& rule : json["rules"]) {
    rules_.push_back({rule["name"], rule["kind"], rule["settings"]});
  }
  uint64_t start = 0;
  for (const Json& source : json["sources"]) {
    sources_.push_back({.name = source["name"],
                        .rows = source["rows"],
                        .kept = source["kept"],
                        .gone_before = source["gone_before"],
                        .kept_hash = source["kept_hash"],
                        .seen = source["seen"],
                        .dropped = source["dropped"]});
    starts_.push_back({start});
    for (const uint64_t count : source["languages"]) {
      start += count;
      starts_.back().push_back(start);
    }
  }
  return start == num_kept;
}

absl::StatusOr<std::shared_ptr<KeptRows>> KeptRows::Open(const std::string& path, uint64_t key) {
  std::shared_ptr<KeptRows> rows(new KeptRows());
  ASSIGN_OR_RETURN(rows->file_, MappedFile::Open(path));
  const absl::string_view bytes = rows->file_->bytes();
  const auto damaged = [&path] {
    return absl::DataLossError(absl::StrCat("kept rows '", path, "' are damaged"));
  };
  Header header;
  if (bytes.size() < sizeof(header)) return damaged();
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.format != kFormat ||
      header.key != key || header.summary_size > bytes.size() - sizeof(header)) {
    return damaged();
  }
  const absl::string_view summary = bytes.substr(sizeof(header), header.summary_size);
  const size_t begin = Aligned(sizeof(header) + summary.size());
  if (ChecksumOf(header, summary) != header.checksum || begin > bytes.size() ||
      (bytes.size() - begin) / sizeof(uint32_t) != header.num_kept ||
      (bytes.size() - begin) % sizeof(uint32_t) != 0 ||
      !rows->ReadSummary(summary, header.num_kept)) {
    return damaged();
  }
  rows->key_ = key;
  rows->kept_ = reinterpret_cast<const uint32_t*>(bytes.data() + begin);
  return rows;
}

absl::StatusOr<std::shared_ptr<const KeptRows>> KeptRows::OpenOrBuild(
    const KeptRowsOptions& options) {
  ASSIGN_OR_RETURN(const uint64_t key, KeyOf(options));
  const std::string stem = JoinPath(options.cache_dir, CacheFileStem(options.name, key));
  const std::string path = stem + ".kept", ledger_path = stem + ".ledger.json";
  const auto open = [&]() -> absl::StatusOr<std::shared_ptr<KeptRows>> {
    if (!PathExists(ledger_path)) return absl::NotFoundError(ledger_path);
    return Open(path, key);
  };
  absl::StatusOr<std::shared_ptr<KeptRows>> rows = open();
  if (!rows.ok()) {
    ASSIGN_OR_RETURN(const auto lock,
                     BuildLock::Wait(stem + ".lock", absl::StrCat("prunes '", options.name, "'")));
    rows = open();
    if (!rows.ok()) {
      if (absl::IsDataLoss(rows.status())) {
        LOG(WARNING) << rows.status().message() << "; pruning again";
      }
      RETURN_IF_ERROR(Build(options, key).Run(path, ledger_path));
      rows = Open(path, key);
    }
  }
  if (!rows.ok()) return rows.status();
  (*rows)->name_ = options.name;
  (*rows)->ledger_path_ = ledger_path;
  return std::shared_ptr<const KeptRows>(*std::move(rows));
}

std::span<const uint32_t> KeptRows::examples(size_t source, int32_t language) const {
  CHECK_LT(source, starts_.size());
  const std::vector<uint64_t>& starts = starts_[source];
  CHECK_GE(language, 0);
  CHECK_LT(static_cast<size_t>(language) + 1, starts.size());
  const auto l = static_cast<size_t>(language);
  return {kept_ + starts[l], starts[l + 1] - starts[l]};
}

}  // namespace frond
