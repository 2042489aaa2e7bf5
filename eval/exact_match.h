// Exact match: the share of answers that equal their reference.
#pragma once

#include "absl/strings/string_view.h"
#include "eval/unicode_text.h"

namespace frond {

// Equal bytes after trimming white space at both ends. No case folding and no normalisation: a
// tokenizer that normalises its input must be given references in the same form.
inline bool IsExactMatch(absl::string_view answer, absl::string_view reference) {
  return TrimUnicodeSpace(answer) == TrimUnicodeSpace(reference);
}

}  // namespace frond
