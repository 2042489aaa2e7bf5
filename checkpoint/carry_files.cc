#include "checkpoint/carry_files.h"

#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {

absl::StatusOr<std::vector<FileRecord>> CarryModelFiles(const std::string& from_folder,
                                                        const std::string& to_folder) {
  std::vector<FileRecord> records;
  for (const char* name :
       {"spiece.model", "sentencepiece.model", "tokenizer.model", "sentencepiece.bpe.model",
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "generation_config.json"}) {
    const std::string from = JoinPath(from_folder, name);
    if (!PathExists(from)) continue;
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(from));
    ASSIGN_OR_RETURN(FileRecord record, WriteRecordedFile(to_folder, name, bytes));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace frond
