#include "mixtures/pruning/row_rounds.h"

#include <algorithm>

#include "core/base/item_threads.h"
#include "core/base/status_macros.h"
#include "data/row_reader.h"

namespace frond {
namespace {

constexpr size_t kChunkBytes = 128 << 10;
// Chunks per thread in one round: evens out how long they take.
constexpr size_t kChunksPerThread = 8;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Some rows of one file, then what became of them.
struct Chunk {
  int source = 0;
  const std::string* path = nullptr;
  size_t first_ordinal = 0;  // of the rows of the pass
  std::unique_ptr<RowBlock> block;
  std::vector<LookedRow> rows;
  absl::Status status;  // of the first row that `rows` lacks
};

using Round = std::vector<Chunk>;

class RoundReader {
 public:
  explicit RoundReader(const RoundsOptions& options)
      : options_(options), chunks_(kChunksPerThread * static_cast<size_t>(options.threads)) {}

  // Empty at the end.
  absl::StatusOr<Round> Next() {
    Round round;
    while (round.size() < chunks_) {
      if (reader_ == nullptr) {
        ASSIGN_OR_RETURN(const bool more, OpenNext());
        if (!more) break;
      }
      Chunk chunk{.source = source_, .first_ordinal = ordinal_};
      chunk.path = &options_.sources[static_cast<size_t>(source_)].files[file_].path;
      ASSIGN_OR_RETURN(chunk.block, reader_->Next(kChunkBytes));
      if (chunk.block == nullptr) {
        reader_ = nullptr;
        continue;
      }
      ordinal_ += chunk.block->num_rows();
      round.push_back(std::move(chunk));
    }
    return round;
  }

 private:
  absl::StatusOr<bool> OpenNext() {
    const int sources = static_cast<int>(options_.sources.size());
    const auto is_past_files = [this] {
      return source_ < 0 || file_ >= options_.sources[static_cast<size_t>(source_)].files.size();
    };
    if (source_ == sources) return false;
    ++file_;
    while (is_past_files()) {
      if (++source_ == sources) return false;
      file_ = 0;
    }
    const PruneSource& source = options_.sources[static_cast<size_t>(source_)];
    ASSIGN_OR_RETURN(reader_, RowReader::Open(source.files[file_], source.layout));
    return true;
  }

  const RoundsOptions& options_;
  size_t chunks_;
  int source_ = -1;
  size_t file_ = 0;
  size_t ordinal_ = 0;
  std::unique_ptr<RowReader> reader_;
};

// The rules' workers of one thread.
class Looker {
 public:
  explicit Looker(const RoundsOptions& options) : options_(options) {
    for (const LimitedRule& rule : options.rules) workers_.push_back(rule.rule->NewWorker());
  }

  void LookAt(Chunk* chunk) {
    chunk->rows.reserve(chunk->block->num_rows());
    for (size_t i = 0; i < chunk->block->num_rows(); ++i) {
      // In its place from the start: `line` may point into the row.
      LookedRow& row = chunk->rows.emplace_back();
      row.line_number = chunk->block->number(i);
      row.path = chunk->path;
      row.source = chunk->source;
      const size_t ordinal = chunk->first_ordinal + i;
      row.skipped =
          options_.skip != nullptr && ordinal < options_.skip->size() && (*options_.skip)[ordinal];
      if (row.skipped) continue;
      chunk->status = LookAtRow(*chunk->block, i, &row);
      if (chunk->status.ok()) continue;
      chunk->rows.pop_back();
      return;
    }
  }

 private:
  absl::Status LookAtRow(const RowBlock& block, size_t i, LookedRow* row) {
    RETURN_IF_ERROR(block.ReadExample(i, &row->example));
    ASSIGN_OR_RETURN(row->line, block.ReadLine(i, &row->made_line));
    return block.AtRow(i, AskRules(row));
  }

  absl::Status AskRules(LookedRow* row) {
    const PruneSource& source = options_.sources[static_cast<size_t>(row->source)];
    for (size_t i = 0; i < workers_.size(); ++i) {
      const int rule = options_.first_rule + static_cast<int>(i);
      const LimitedRule& limited = options_.rules[i];
      const bool looks_at_all = !options_.apply_limits ||
                                (rule == options_.studying && limited.rule->studies_other_rows());
      if (!looks_at_all && !limited.Applies(row->example, source.name)) continue;
      row->applied |= uint64_t{1} << rule;
      ASSIGN_OR_RETURN(Opinion opinion, workers_[i]->Look(row->example, row->line));
      if (opinion.kind == Opinion::Kind::kAsk) row->asked.emplace_back(rule, std::move(opinion));
      if (opinion.kind != Opinion::Kind::kDrop) continue;
      row->dropped_by = rule;
      row->reason = std::move(opinion.reason);
      break;
    }
    return absl::OkStatus();
  }

  const RoundsOptions& options_;
  std::vector<std::unique_ptr<RuleWorker>> workers_;
};

absl::Status TakeRound(Round& round, const std::function<absl::Status(LookedRow& row)>& take) {
  for (Chunk& chunk : round) {
    for (LookedRow& row : chunk.rows) RETURN_IF_ERROR(take(row));
    RETURN_IF_ERROR(chunk.status);
  }
  return absl::OkStatus();
}

}  // namespace

bool LimitedRule::Applies(const Example& example, const std::string& source_name) const {
  if (!options->languages.empty() && !Contains(options->languages, example.language)) return false;
  return options->datasets.empty() || Contains(options->datasets, source_name) ||
         Contains(options->datasets, example.dataset_name);
}

absl::Status ForEachRow(const RoundsOptions& options,
                        const std::function<absl::Status(LookedRow& row)>& take) {
  std::vector<std::unique_ptr<Looker>> lookers;
  for (int i = 0; i < options.threads; ++i) lookers.push_back(std::make_unique<Looker>(options));
  RoundReader reader(options);
  Round looked;
  ASSIGN_OR_RETURN(Round fresh, reader.Next());
  // While threads look at one round, this one takes the round before and reads the next.
  while (!fresh.empty() || !looked.empty()) {
    ItemThreads looking(lookers.size(), fresh.size(), [&](size_t thread, size_t chunk) {
      lookers[thread]->LookAt(&fresh[chunk]);
    });
    RETURN_IF_ERROR(TakeRound(looked, take));
    looked.clear();
    absl::StatusOr<Round> ahead = Round();
    if (!fresh.empty()) ahead = reader.Next();
    looking.Join();
    looked = std::move(fresh);
    if (!ahead.ok()) {
      // A bad row of this round comes before what the next one complains about.
      RETURN_IF_ERROR(TakeRound(looked, take));
      return ahead.status();
    }
    fresh = *std::move(ahead);
  }
  return absl::OkStatus();
}

}  // namespace frond
