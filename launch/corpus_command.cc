// frond corpus: writes the built-in multilingual instruction corpus.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "data/corpus/corpus.h"
#include "launch/command.h"

namespace frond {
namespace {

absl::Status Run(const CommandInput& input) {
  CorpusOptions options;
  options.out_dir = input.flags.Get("out");
  ASSIGN_OR_RETURN(const int64_t seed, input.flags.GetInteger("seed", 1, 0, INT64_MAX));
  ASSIGN_OR_RETURN(const int64_t rows,
                   input.flags.GetInteger("max-rows-per-language", options.max_rows_per_language,
                                          100, 1'000'000));
  options.seed = static_cast<uint64_t>(seed);
  options.max_rows_per_language = static_cast<int>(rows);
  options.languages = input.flags.GetAll("language");
  // What is written last.
  if (PathExists(JoinPath(options.out_dir, "README.md"))) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", options.out_dir, "' holds a corpus, or something else with a README.md; ",
                     "remove it or choose another folder"));
  }
  ASSIGN_OR_RETURN(const CorpusReport report, WriteCorpus(options));
  std::fputs(FormatCorpusReport(report).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

Command CorpusCommand() {
  return {.name = "corpus",
          .summary = "writes the built-in instruction corpus (90+ languages, from ICU's CLDR data)",
          .flags = {{.name = "out",
                     .value_hint = "DIR",
                     .help = "receives train.jsonl, validation.jsonl, test.jsonl",
                     .required = true},
                    {.name = "seed",
                     .value_hint = "N",
                     .help = "the same seed gives the same bytes (1)"},
                    {.name = "max-rows-per-language",
                     .value_hint = "N",
                     .help = absl::StrCat("upper bound of a language's rows, from 100 on (",
                                          CorpusOptions().max_rows_per_language, ")")},
                    {.name = "language",
                     .value_hint = "CODE",
                     .help = "only this language",
                     .repeated = true}},
          .example = "frond corpus --out data/corpus",
          .run = Run};
}

}  // namespace frond
