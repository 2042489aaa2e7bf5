// libFuzzer target: whatever the bytes, a commit record is refused with a Status or its ranges fill
// its files.
#include <cstddef>
#include <cstdint>
#include <string>

#include "checkpoint/commit_record.h"
#include "core/base/check.h"
#include "core/base/hash.h"

namespace frond {
namespace {

void Parse(const std::string& text) {
  const auto files = ParseCommitRecord("fuzz", text);
  if (!files.ok()) {
    CHECK(files.status().message().find('\n') == absl::string_view::npos) << files.status();
    return;
  }
  for (const FileRecord& file : *files) {
    uint64_t end = 0;
    for (const FileRange& range : file.ranges) {
      CHECK_EQ(range.offset, end) << file.path;
      CHECK_GT(range.cell_bytes, 0u);
      CHECK_EQ(range.bytes % range.cell_bytes, 0u);
      end += range.bytes;
    }
    CHECK(file.ranges.empty() || end == file.size) << file.path;
  }
}

void Fuzz(const std::string& bytes) {
  Parse(bytes);
  // The bytes as all that stands before the checksum, so that one that is right follows.
  Parse(bytes + ",\n \"checksum\": \"" + HashToHex(Hash64(bytes + "\n}")) + "\"\n}\n");
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  frond::Fuzz(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
