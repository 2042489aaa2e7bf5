// Fuzzes the JSONL reader: the bytes once as a line, once as a file (plain, gzip or Zstandard).
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "data/example_reader.h"
#include "data/jsonl_reader.h"
#include "data/utf8.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

constexpr size_t kMaxMessageBytes = 2000;

void CheckExample(const Example& example) {
  CHECK(!example.language.empty());
  CHECK(!IsBlankLine(example.targets));
  for (const std::string* text :
       {&example.inputs, &example.targets, &example.language, &example.script,
        &example.dataset_name, &example.template_id, &example.task_type}) {
    CHECK(IsValidUtf8(*text));
  }
}

void CheckMessage(const absl::Status& status) {
  CHECK(!status.message().empty());
  CHECK_LE(status.message().size(), kMaxMessageBytes);
  CHECK(status.message().find('\n') == absl::string_view::npos) << status.message();
}

void FuzzLine(absl::string_view line) {
  Example example;
  const absl::Status status = ParseExample(line, {}, &example);
  status.ok() ? CheckExample(example) : CheckMessage(status);
  nlohmann::json raw;
  const absl::Status raw_status = ParseRaw(line, &raw);
  if (!raw_status.ok()) return CheckMessage(raw_status);
  CHECK(raw.is_object());
}

// `path` holds the bytes.
void FuzzFile(const std::string& path) {
  ExampleReader reader({{.path = path}}, {.default_language = "und"});
  Example example;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&example);
    if (!more.ok()) return CheckMessage(more.status());
    if (!*more) return;
    CheckExample(example);
  }
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  frond::FuzzLine(bytes);
  // One plain line as a file would only repeat the above, slowly.
  const bool several_lines = bytes.find('\n') != bytes.npos;
  const bool packed = size > 0 && (data[0] == 0x1F || data[0] == 0x28 || (data[0] & 0xF0) == 0x50);
  if (!several_lines && !packed) return 0;
  const int fd = memfd_create("jsonl", MFD_CLOEXEC);
  CHECK_GE(fd, 0);
  CHECK_EQ(write(fd, data, size), static_cast<ssize_t>(size));
  frond::FuzzFile(absl::StrCat("/proc/self/fd/", fd));
  close(fd);
  return 0;
}
