// Lines of text to lines of token ids and back: what `frond tokenize` does.
#pragma once

#include <istream>
#include <ostream>

#include "absl/status/status.h"
#include "data/tokenizer.h"

namespace frond {

// Each line of `in` becomes one line of `out`: the ids of its text, separated by spaces, without an
// end-of-sequence id; an empty line stays empty. Invalid UTF-8 is an error that names the line.
absl::Status EncodeLines(const Tokenizer& tokenizer, std::istream& in, std::ostream& out);

// The other way: each line holds ids separated by white space. What is no id of the vocabulary is
// an error that names line and value.
absl::Status DecodeLines(const Tokenizer& tokenizer, std::istream& in, std::ostream& out);

}  // namespace frond
