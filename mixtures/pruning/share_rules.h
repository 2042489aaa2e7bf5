// Drops rows with too much of what is no text: addresses, program lines, repetitions.
#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "mixtures/pruning/rule.h"

namespace frond {

std::unique_ptr<Rule> MakeShareRule(const ShareOptions& options);
std::unique_ptr<Rule> MakeRepetitionRule(const RepetitionOptions& options);

// Bytes of `text` in addresses (http://, https://, ftp://, www. up to the next white space), over
// all bytes that are not white space.
double UrlShare(absl::string_view text);

// Bytes in lines that look like program text, over all bytes that are not white space. A line does
// where it ends in one of ; { } and has another sign, or begins with a word of programming followed
// by its signs, or has brackets, operators and underscores for a fifth of its bytes.
double CodeShare(absl::string_view text);

// Of the character n-grams of `text`, the share that repeats an earlier one; 0 for shorter texts.
// White space counts.
double RepeatedShare(absl::string_view text, int ngram);

}  // namespace frond
