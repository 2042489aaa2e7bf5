// The file behind a TokenCache. Little-endian; sections begin at multiples of 64 bytes.
//
//   ids          int32 [tokens]      of each variant its source, then its target
//   records      Record [variants]   those of an example follow each other
//   by language  uint32 [examples]   numbers of the examples, grouped by language
//   variants     uint32 [examples + 1]   where each example's records begin; empty where every
//                                        example has one
//   names        four tables (languages, data sets, templates, tasks), each a uint32 count and then
//                uint32 length and bytes of each name; after them uint64 [languages], how many
//                examples each language has
//   Trailer
//
// The trailer comes last because checksums and sizes are known only then; a file cut short has
// none.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace frond::token_cache_internal {

static_assert(std::endian::native == std::endian::little);

struct Record {
  uint64_t offset;  // of the source's first id
  uint32_t source_length;
  uint32_t target_length;
  uint32_t language;
  uint32_t dataset;
  uint32_t template_id;
  uint32_t task;
};
static_assert(sizeof(Record) == 32);

struct Section {
  uint64_t offset;
  uint64_t size;      // in bytes
  uint64_t checksum;  // XXH3 of them
};

enum SectionKind { kIds, kRecords, kByLanguage, kVariants, kNames, kNumSections };

inline constexpr char kMagic[8] = {'F', 'R', 'T', 'O', 'K', 'E', 'N', 'S'};
// Raise it when the layout or the meaning of a field changes: older files are then built anew.
inline constexpr uint64_t kFormat = 2;
inline constexpr size_t kAlignment = 64;

struct Trailer {
  char magic[8];
  uint64_t format;
  uint64_t key;  // of the source files, tokenizer and field names
  uint64_t num_examples;
  Section sections[kNumSections];
  uint64_t checksum;  // of the bytes of this struct before it
};
static_assert(sizeof(Trailer) == 32 + 24 * kNumSections + 8);

}  // namespace frond::token_cache_internal
