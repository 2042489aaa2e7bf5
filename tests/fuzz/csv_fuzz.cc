// Fuzzes the CSV reader: the first byte chooses separator and quoting, the rest is once cut from
// memory, at two sizes, and once read as a file (plain, gzip or Zstandard).
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "data/csv_records.h"
#include "data/row_reader.h"
#include "data/utf8.h"
#include "nlohmann/json.hpp"

namespace frond {
namespace {

constexpr size_t kMaxMessageBytes = 2000;
constexpr size_t kBlockBytes = 64;

void CheckMessage(const absl::Status& status) {
  CHECK(!status.message().empty());
  CHECK_LE(status.message().size(), kMaxMessageBytes);
  CHECK(status.message().find('\n') == absl::string_view::npos) << status.message();
}

// A record that is cut from a part of the bytes is the one that is cut from all.
void FuzzCut(absl::string_view bytes, char separator, bool quoting) {
  std::vector<CsvField> fields, of_part;
  const absl::StatusOr<size_t> cut = CutCsvRecord(bytes, true, separator, quoting, &fields);
  if (cut.ok()) {
    CHECK_GT(*cut, 0u);
    for (const CsvField& field : fields) {
      CHECK_LE(field.end, *cut);
      CHECK_LE(CsvText(bytes, field).size(), field.end - field.begin);
    }
  }
  const absl::string_view part = bytes.substr(0, (bytes.size() + 1) / 2);
  const absl::StatusOr<size_t> early = CutCsvRecord(part, false, separator, quoting, &of_part);
  if (!early.ok()) CHECK(!cut.ok());
  if (!early.ok() || *early == 0) return;
  CHECK(cut.ok());
  CHECK_EQ(*early, *cut);
  CHECK_EQ(of_part.size(), fields.size());
}

void FuzzFile(const std::string& path, const RowLayout& layout) {
  const auto reader = RowReader::Open({.path = path}, layout);
  if (!reader.ok()) return CheckMessage(reader.status());
  while (true) {
    const auto block = (*reader)->Next(kBlockBytes);
    if (!block.ok()) return CheckMessage(block.status());
    if (*block == nullptr) return;
    for (size_t row = 0; row < (*block)->num_rows(); ++row) {
      Example example;
      const absl::Status status = (*block)->ReadExample(row, &example);
      if (!status.ok()) CheckMessage(status);
      nlohmann::json raw;
      if (!(*block)->ReadRaw(row, &raw).ok()) continue;
      CHECK(raw.is_object());
      std::string storage;
      const auto line = (*block)->ReadLine(row, &storage);
      CHECK(line.ok() && IsValidUtf8(*line));
    }
  }
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const frond::RowLayout layout{
      .format = (data[0] & 1) == 0 ? frond::RowFormat::kCsv : frond::RowFormat::kTsv,
      .default_language = "und",
      .quoting = (data[0] & 2) == 0};
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  frond::FuzzCut(bytes, (data[0] & 1) == 0 ? ',' : '\t', layout.quoting);
  const int fd = memfd_create("csv", MFD_CLOEXEC);
  CHECK_GE(fd, 0);
  CHECK_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  frond::FuzzFile(absl::StrCat("/proc/self/fd/", fd), layout);
  close(fd);
  return 0;
}
