// The README.md beside the corpus: what it is, how it was made, and the notice its data asks to
// keep.
#pragma once

#include <cstdint>
#include <string>

#include "data/corpus/corpus.h"

namespace frond::corpus {

std::string MakeNotice(const CorpusReport& report, uint64_t seed);

}  // namespace frond::corpus
