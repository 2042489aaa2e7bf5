// What a config means where it says nothing, and the part of it that decides the order of the data.
#pragma once

#include <cstdint>

#include "configs/train.pb.h"

namespace frond {

// Writes out every default: all fields with a default in the schema (so that has_x() is true and
// the saved config keeps its meaning), adafactor where no optimizer is named, data.cache_dir from
// work_dir, and the names of sources from their first path. Idempotent.
void ResolveDefaults(config::TrainConfig& config);

// A hash of what decides which examples a step consumes: seed, sources (names, weights, fields,
// languages), lengths, packing, window and batch.rows. Paths, cache and tokenizer file are left
// out: files may move between runs, and their contents are in the mixture's manifest. `config` is
// resolved. The same on every machine and build.
uint64_t DataOrderHash(const config::TrainConfig& config);

}  // namespace frond
