// The files of a model folder that training does not change: tokenizer and generation settings.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"

namespace frond {

// Copies the SentencePiece model under any of its usual names, tokenizer.json,
// tokenizer_config.json, special_tokens_map.json, added_tokens.json and generation_config.json,
// those that exist, between existing folders. The copies are synced; their records name paths
// relative to `to_folder`.
absl::StatusOr<std::vector<FileRecord>> CarryModelFiles(const std::string& from_folder,
                                                        const std::string& to_folder);

}  // namespace frond
