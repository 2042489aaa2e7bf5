// frond mix: the dry run of a mixture.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "data/batch_builder.h"
#include "launch/command.h"
#include "launch/config_flags.h"
#include "launch/mix_page.h"
#include "launch/mix_report.h"
#include "launch/model_builder.h"
#include "launch/training_data.h"

namespace frond {
namespace {

constexpr int64_t kMostSamples = 100'000;
constexpr int64_t kShown = 20;
constexpr int64_t kMaxShown = 1'000'000;

absl::StatusOr<double> NumberOf(const Flags& flags, absl::string_view name, double otherwise) {
  if (!flags.Has(name)) return otherwise;
  double value = 0;
  if (!absl::SimpleAtod(flags.Get(name), &value) || !(value >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, " takes a number, at least 0, not '", flags.Get(name), "'"));
  }
  return value;
}

// WINDOW:ROW.
absl::StatusOr<StreamPosition> PositionOf(const Flags& flags) {
  const std::string text = flags.Get("at", "0:0");
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  StreamPosition position;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &position.window) ||
      !absl::SimpleAtoi(parts[1], &position.row)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--at takes WINDOW:ROW, such as 3:17, not '", text, "'"));
  }
  return position;
}

void PrintSide(const char* name, std::span<const int32_t> ids, int32_t begin,
               const Tokenizer& tokenizer) {
  const absl::StatusOr<std::string> text = tokenizer.Decode(ids);
  std::printf("    %s [%d, %d): %s\n      ids", name, begin,
              begin + static_cast<int32_t>(ids.size()), text.value_or("?").c_str());
  for (const int32_t id : ids) std::printf(" %d", id);
  std::printf("\n");
}

// What the model gets of a row: the batch that training builds of it.
void PrintRow(const TrainingData& data, const StreamPosition& at, const Row& row,
              const Tokenizer& tokenizer) {
  const SideLengths& limits = data.rows().options().limits;
  BatchBuilder builder(limits);
  for (const StreamExample& example : row.examples) {
    builder.Append(data.SourceOf(example), data.TargetOf(example), example.ordinal, example.leaf);
  }
  const Batch batch = builder.Take();
  std::printf("row %llu:%llu: %zu examples, source %d of %d tokens, target %d of %d, %d cut\n",
              static_cast<unsigned long long>(at.window), static_cast<unsigned long long>(at.row),
              row.examples.size(), row.tokens.source, limits.source, row.tokens.target,
              limits.target, row.truncated);
  for (size_t e = 0; e < row.examples.size(); ++e) {
    const StreamExample& example = row.examples[e];
    const LeafInfo& leaf = data.mixture().leaves()[example.leaf];
    const int32_t number = data.TemplateOf(example);
    const std::string row_template =
        number < 0 ? leaf.template_id : data.templates()[static_cast<size_t>(number)].label;
    std::printf("  segment %zu: %s / %s%s%s, example %llu, epoch %llu, number %llu of the stream\n",
                e, leaf.source.c_str(), leaf.language.c_str(), row_template.empty() ? "" : " / ",
                row_template.c_str(), static_cast<unsigned long long>(example.index_in_leaf),
                static_cast<unsigned long long>(example.epoch),
                static_cast<unsigned long long>(batch.example_keys[e]));
    const auto side = [e](const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets) {
      return std::span<const int32_t>(ids).subspan(
          static_cast<size_t>(offsets[e]), static_cast<size_t>(offsets[e + 1] - offsets[e]));
    };
    PrintSide("source", side(batch.source_ids, batch.source_offsets), batch.source_offsets[e],
              tokenizer);
    PrintSide("target", side(batch.target_ids, batch.target_offsets), batch.target_offsets[e],
              tokenizer);
  }
}

absl::Status PrintSamples(TrainingData& data, StreamPosition at, int64_t count,
                          const Tokenizer& tokenizer) {
  if (!data.Seek(at).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--at ", at.window, ":", at.row, ": the stream has no such row"));
  }
  std::printf(
      "A token sees those of its own segment only; a decoder starts each segment with id %d.\n",
      tokenizer.pad_id());
  PlannedWindow window = data.rows().Plan(at.window);
  for (int64_t k = 0; k < count; ++k) {
    if (at.row >= window.rows.size()) {
      at = {at.window + 1, 0};
      window = data.rows().Plan(at.window);
    }
    PrintRow(data, at, window.rows[at.row], tokenizer);
    ++at.row;
  }
  return absl::OkStatus();
}

struct MixFlags {
  MixOptions options;
  int64_t show = 0;
  int64_t samples = 0;
  StreamPosition at;
};

absl::StatusOr<MixFlags> ReadFlags(const Flags& flags) {
  MixFlags read;
  ASSIGN_OR_RETURN(read.options.most_epochs,
                   NumberOf(flags, "most-epochs", read.options.most_epochs));
  ASSIGN_OR_RETURN(const double percent,
                   NumberOf(flags, "least-percent", 100 * read.options.least_share));
  read.options.least_share = percent / 100;
  ASSIGN_OR_RETURN(read.show, flags.GetInteger("show", kShown, 1, kMaxShown));
  ASSIGN_OR_RETURN(read.samples, flags.GetInteger("sample", 0, 1, kMostSamples));
  if (flags.Has("at") && read.samples == 0) {
    return absl::InvalidArgumentError("--at needs --sample N: how many rows to print");
  }
  ASSIGN_OR_RETURN(read.at, PositionOf(flags));
  return read;
}

absl::Status Run(const CommandInput& input) {
  const Flags& flags = input.flags;
  ASSIGN_OR_RETURN(const MixFlags wanted, ReadFlags(flags));
  ASSIGN_OR_RETURN(const config::TrainConfig config, ReadConfigOfFlags(flags));
  ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(config));
  const int threads = config.threads() > 0
                          ? config.threads()
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ASSIGN_OR_RETURN(const auto data, TrainingData::Open(config, *tokenizer, threads));
  if (wanted.samples > 0) return PrintSamples(*data, wanted.at, wanted.samples, *tokenizer);
  const MixReport report = MakeMixReport(*data, config, wanted.options);
  std::fputs(FormatMixReport(report, static_cast<size_t>(wanted.show)).c_str(), stdout);
  if (flags.Has("json")) {
    RETURN_IF_ERROR(WriteFileAtomically(flags.Get("json"), MixReportToJson(report)));
  }
  if (flags.Has("html")) {
    const std::string title = absl::StrCat("Mixture of ", flags.Get("config"));
    RETURN_IF_ERROR(WriteFileAtomically(flags.Get("html"), MixReportToHtml(report, title)));
  }
  return absl::OkStatus();
}

}  // namespace

Command MixCommand() {
  std::vector<FlagSpec> flags = ConfigFlags();
  flags.push_back({.name = "json",
                   .value_hint = "FILE",
                   .help = "all numbers for programs",
                   .writes_file = true});
  flags.push_back({.name = "html",
                   .value_hint = "FILE",
                   .help = "one page with charts that needs nothing else",
                   .writes_file = true});
  flags.push_back({.name = "show",
                   .value_hint = "N",
                   .help = "lines of leaves and of languages in the table; 20"});
  flags.push_back({.name = "most-epochs",
                   .value_hint = "N",
                   .help = "warn of leaves that are seen more often; 10"});
  flags.push_back({.name = "least-percent",
                   .value_hint = "P",
                   .help = "warn of languages with less of the examples; 0.01"});
  flags.push_back({.name = "sample",
                   .value_hint = "N",
                   .help = "print N rows as the model will see them, and nothing else"});
  flags.push_back(
      {.name = "at", .value_hint = "WINDOW:ROW", .help = "the first row of --sample; 0:0"});
  return {.name = "mix",
          .summary = "says what a run will see of its mixture, before it is launched",
          .flags = std::move(flags),
          .example = "frond mix --config run.textproto --html mixture.html",
          .run = Run};
}

}  // namespace frond
