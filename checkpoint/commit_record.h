// The commit record of a folder: every file's size and checksums, written last. A folder without a
// valid record, or with a file that is not as recorded, was never finished or is damaged.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/file_record.h"
#include "core/nn/param_slice.h"

namespace frond {

inline constexpr char kCommitRecordName[] = "commit.json";

// Records every regular file under `folder` (hidden and temporary files included). Files in `known`
// are not read again, but must exist with the size that was written; the others are read.
// Everything is on the disk when this returns: files outside `known` and all folders are synced.
absl::Status WriteCommitRecord(const std::string& folder, const std::vector<FileRecord>& known);

// The record's files, sorted by path, after the record has proved itself undamaged.
absl::StatusOr<std::vector<FileRecord>> ReadCommitRecord(const std::string& folder);
// The same of a record's text; `path` stands for it in errors.
absl::StatusOr<std::vector<FileRecord>> ParseCommitRecord(const std::string& path,
                                                          const std::string& text);

// Reads every recorded file; the error names the first that is missing or differs, sizes being
// compared before any checksum. Files that are not recorded are ignored.
// Several readers may share the work: each of reader.size reads about as many bytes. The files are
// whole where none finds an error, and the first damage is that of the lowest reader with one.
absl::Status VerifyCommitRecord(const std::string& folder, const AxisPlace& reader = {});

}  // namespace frond
