// frond tokenize: lines of text to lines of token ids, and back.
#include <iostream>

#include "core/base/status_macros.h"
#include "data/tokenize_lines.h"
#include "data/tokenizer.h"
#include "launch/command.h"

namespace frond {
namespace {

absl::Status Run(const CommandInput& input) {
  ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Load(input.flags.Get("model")));
  std::ios::sync_with_stdio(false);
  RETURN_IF_ERROR(input.flags.Has("decode") ? DecodeLines(*tokenizer, std::cin, std::cout)
                                            : EncodeLines(*tokenizer, std::cin, std::cout));
  std::cout.flush();
  return std::cout.good() ? absl::OkStatus()
                          : absl::InternalError("cannot write to standard output");
}

}  // namespace

Command TokenizeCommand() {
  return {.name = "tokenize",
          .summary = "lines of text in, space-separated token ids out",
          .flags = {{.name = "model",
                     .value_hint = "FILE",
                     .help = "a SentencePiece model",
                     .required = true},
                    {.name = "decode", .help = "lines of ids in, text out"}},
          .example = "frond tokenize --model spiece.model < text.txt > ids.txt",
          .run = Run};
}

}  // namespace frond
