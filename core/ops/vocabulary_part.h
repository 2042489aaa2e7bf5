// Which ids the rows of an embedding table or a head's weight stand for, where a vocabulary is
// split over ranks (Shoeybi et al., "Megatron-LM", 2019, section 3).
#pragma once

#include <cstdint>

#include "core/base/check.h"

namespace frond {

// Row r of the table is id first_id + r. An op checks its ids against the whole vocabulary; those
// of other parts are none of its own.
struct VocabularyPart {
  int64_t first_id = 0;
  int64_t vocabulary = 0;  // ids of all parts; 0: the table has them all
};

// The ids of all parts. CHECKs that the table's `rows` lie among them.
inline int64_t WholeVocabulary(const VocabularyPart& part, int64_t rows) {
  const int64_t vocabulary = part.vocabulary == 0 ? rows : part.vocabulary;
  CHECK(part.first_id >= 0 && part.first_id + rows <= vocabulary)
      << rows << " rows from id " << part.first_id << " of " << vocabulary;
  return vocabulary;
}

}  // namespace frond
