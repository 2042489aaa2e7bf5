#include "data/token_cache_builder.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/item_threads.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/row_examples.h"
#include "data/token_cache_writer.h"

namespace frond {
namespace {

constexpr size_t kChunkBytes = 256 << 10;
// Chunks per thread in one round: evens out how long they take.
constexpr size_t kChunksPerThread = 8;
constexpr double kProgressSeconds = 30;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Some rows of one file, then what became of them.
struct Chunk {
  std::unique_ptr<RowBlock> rows;

  struct Tokenised {
    size_t source_length;
    size_t target_length;
    bool continues;  // another variant of the example before it
    Example names;   // without its texts
  };
  absl::Status status;
  std::vector<int32_t> ids;
  std::vector<Tokenised> variants;
  int64_t silent_rows = 0;  // for which no template has anything to say
};

void AppendSide(const Tokenizer& tokenizer, absl::string_view text, Chunk* chunk) {
  const std::vector<int32_t> ids = tokenizer.EncodeWithEos(text);
  chunk->ids.insert(chunk->ids.end(), ids.begin(), ids.end());
}

// Fills in the results of a chunk up to its first bad row.
void Tokenise(const RowTemplates* templates, const Tokenizer& tokenizer, Chunk* chunk) {
  std::vector<Example> variants;
  for (size_t row = 0; row < chunk->rows->num_rows(); ++row) {
    chunk->status = ReadExamples(*chunk->rows, row, templates, &variants);
    if (!chunk->status.ok()) return;
    chunk->silent_rows += variants.empty();
    for (size_t v = 0; v < variants.size(); ++v) {
      const size_t start = chunk->ids.size();
      AppendSide(tokenizer, variants[v].inputs, chunk);
      const size_t middle = chunk->ids.size();
      AppendSide(tokenizer, variants[v].targets, chunk);
      variants[v].inputs.clear();
      variants[v].targets.clear();
      chunk->variants.push_back(
          {.source_length = middle - start,
           .target_length = chunk->ids.size() - middle,
           // Variants come sorted by language; an example has one.
           .continues = v > 0 && variants[v].language == chunk->variants.back().names.language,
           .names = std::move(variants[v])});
    }
  }
}

// Gives the rows of all files in rounds of a bounded number of chunks.
class RoundReader {
 public:
  RoundReader(const TokenCacheBuild& build, size_t chunks_per_round)
      : build_(build), chunks_per_round_(chunks_per_round) {}

  // Empty at the end of the last file.
  absl::StatusOr<std::vector<Chunk>> Next() {
    std::vector<Chunk> round;
    while (round.size() < chunks_per_round_ &&
           (reader_ != nullptr || next_file_ < build_.files.size())) {
      if (reader_ == nullptr) {
        ASSIGN_OR_RETURN(reader_, RowReader::Open(build_.files[next_file_++], build_.layout));
      }
      Chunk chunk;
      ASSIGN_OR_RETURN(chunk.rows, reader_->Next(kChunkBytes));
      if (chunk.rows == nullptr) {
        reader_ = nullptr;
      } else {
        round.push_back(std::move(chunk));
      }
    }
    return round;
  }

 private:
  const TokenCacheBuild& build_;
  size_t chunks_per_round_;
  size_t next_file_ = 0;
  std::unique_ptr<RowReader> reader_;
};

absl::Status WriteRound(const std::vector<Chunk>& round, TokenCacheWriter* writer) {
  for (const Chunk& chunk : round) {
    std::span<const int32_t> ids = chunk.ids;
    for (const Chunk::Tokenised& variant : chunk.variants) {
      const auto source = ids.first(variant.source_length);
      const auto target = ids.subspan(variant.source_length, variant.target_length);
      RETURN_IF_ERROR(variant.continues ? writer->AppendVariant(source, target, variant.names)
                                        : writer->Append(source, target, variant.names));
      ids = ids.subspan(variant.source_length + variant.target_length);
    }
    RETURN_IF_ERROR(chunk.status);
  }
  return absl::OkStatus();
}

// Nothing but the end-of-sequence id.
bool HasEmptyTarget(const Chunk& chunk) {
  return std::any_of(chunk.variants.begin(), chunk.variants.end(),
                     [](const auto& variant) { return variant.target_length == 1; });
}

std::string Counts(const TokenCacheWriter& writer) {
  const bool has_variants = writer.num_variants() > writer.num_examples();
  return absl::StrCat(
      writer.num_examples(), " examples, ",
      has_variants ? absl::StrCat(writer.num_variants(), " variants by templates, ") : "",
      writer.num_tokens(), " tokens");
}

absl::Status NoExamples(const TokenCacheBuild& build, int64_t silent_rows) {
  const size_t more = build.files.size() - 1;
  return absl::InvalidArgumentError(absl::StrCat(
      "source '", build.name, "' has no examples: '", build.files.front().path, "'",
      more > 0 ? absl::StrCat(" and ", more, " more files") : "",
      silent_rows > 0 ? absl::StrCat(more > 0 ? " hold " : " holds ", silent_rows,
                                     " rows, for which no template has anything to say")
      : more > 0      ? " are empty"
                      : " is empty"));
}

}  // namespace

absl::Status BuildTokenCache(const TokenCacheBuild& build, const Tokenizer& tokenizer) {
  const Clock::time_point start = Clock::now();
  double next_progress = kProgressSeconds;
  int64_t silent_rows = 0;
  ASSIGN_OR_RETURN(auto writer, TokenCacheWriter::Create(build.path));
  RoundReader reader(build, kChunksPerThread * static_cast<size_t>(std::max(build.threads, 1)));
  ASSIGN_OR_RETURN(std::vector<Chunk> round, reader.Next());
  bool has_empty_targets = false;
  while (!round.empty()) {
    const size_t threads = std::min<size_t>(std::max(build.threads, 1), round.size());
    ItemThreads workers(threads, round.size(), [&](size_t, size_t chunk) {
      Tokenise(build.templates.get(), tokenizer, &round[chunk]);
    });
    absl::StatusOr<std::vector<Chunk>> ahead = reader.Next();
    workers.Join();
    // A bad row of this round comes before what the next one may complain about.
    RETURN_IF_ERROR(WriteRound(round, writer.get()));
    for (const Chunk& chunk : round) silent_rows += chunk.silent_rows;
    if (build.layout.allow_empty_targets) {
      has_empty_targets |= std::any_of(round.begin(), round.end(), HasEmptyTarget);
    }
    if (!ahead.ok()) return ahead.status();
    round = *std::move(ahead);
    if (SecondsSince(start) > next_progress) {
      LOG(INFO) << "tokenising '" << build.name << "': " << Counts(*writer) << " so far";
      next_progress += kProgressSeconds;
    }
  }
  if (writer->num_examples() == 0) return NoExamples(build, silent_rows);
  RETURN_IF_ERROR(writer->Finish(has_empty_targets ? build.key_with_empty_targets : build.key));
  LOG(INFO) << "tokenised '" << build.name << "': " << Counts(*writer) << ", "
            << writer->num_languages() << " languages, " << build.files.size() << " files in "
            << absl::StrFormat("%.1f s", SecondsSince(start)) << " -> " << build.path;
  if (silent_rows > 0) {
    LOG(INFO) << "left out " << silent_rows << " rows of '" << build.name
              << "', for which no template has anything to say";
  }
  return absl::OkStatus();
}

}  // namespace frond
