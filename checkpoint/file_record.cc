#include "checkpoint/file_record.h"

#include <memory>

#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {

absl::StatusOr<FileRecord> WriteRecordedFile(const std::string& folder, const std::string& name,
                                             absl::string_view bytes) {
  ASSIGN_OR_RETURN(std::unique_ptr<FileWriter> writer, FileWriter::Create(JoinPath(folder, name)));
  RETURN_IF_ERROR(writer->Append(bytes));
  RETURN_IF_ERROR(writer->Close());
  return FileRecord{name, writer->size(), writer->checksum()};
}

}  // namespace frond
