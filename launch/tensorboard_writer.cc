#include "launch/tensorboard_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr absl::string_view kFilePrefix = "events.out.tfevents.";
constexpr absl::string_view kFileSuffix = ".frond";

// CRC-32C (Castagnoli), reflected polynomial 0x82F63B78.
constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0u);
    table[byte] = crc;
  }
  return table;
}();

// As TFRecord stores it: rotated and shifted, so that a checksum of checksums stays sound.
uint32_t MaskedCrc(absl::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return std::rotr(~crc, 15) + 0xA282EAD8u;
}

void AppendFixed(uint64_t value, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

std::string Fixed(uint64_t value, int bytes) {
  std::string out;
  AppendFixed(value, bytes, out);
  return out;
}

void AppendVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Protobuf wire types: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.
void AppendVarintField(int number, uint64_t value, std::string& out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | 0, out);
  AppendVarint(value, out);
}

void AppendDoubleField(int number, double value, std::string& out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | 1, out);
  AppendFixed(std::bit_cast<uint64_t>(value), 8, out);
}

void AppendFloatField(int number, float value, std::string& out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | 5, out);
  AppendFixed(std::bit_cast<uint32_t>(value), 4, out);
}

void AppendBytesField(int number, absl::string_view bytes, std::string& out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | 2, out);
  AppendVarint(bytes.size(), out);
  out.append(bytes.data(), bytes.size());
}

// Event {double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
// SessionLog session_log = 7}, of which exactly one of the last three is `field`.
std::string Event(int64_t step, int field, absl::string_view bytes) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  AppendDoubleField(1, now.count(), event);
  AppendVarintField(2, static_cast<uint64_t>(step), event);
  AppendBytesField(field, bytes, event);
  return event;
}

// TFRecord: length, checksum of the length, data, checksum of the data.
void AppendRecord(absl::string_view data, std::string& out) {
  const std::string length = Fixed(data.size(), 8);
  absl::StrAppend(&out, length, Fixed(MaskedCrc(length), 4), data, Fixed(MaskedCrc(data), 4));
}

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", strerror(errno)));
}

// TensorBoard reads the files of a folder in the order of their names, which therefore must be the
// order of their first steps.
absl::Status RemoveLaterStarts(const std::string& folder, int64_t last_step) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
  for (const std::string& name : names) {
    absl::string_view middle = name;
    int64_t start = 0;
    if (!absl::ConsumePrefix(&middle, kFilePrefix) || !absl::ConsumeSuffix(&middle, kFileSuffix) ||
        !absl::SimpleAtoi(middle, &start) || start < last_step) {
      continue;
    }
    RETURN_IF_ERROR(RemoveRecursively(JoinPath(folder, name)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TensorboardWriter>> TensorboardWriter::Open(
    const std::string& folder, int64_t last_step) {
  RETURN_IF_ERROR(CreateDirectories(folder));
  RETURN_IF_ERROR(RemoveLaterStarts(folder, last_step));
  const std::string path =
      JoinPath(folder, absl::StrCat(kFilePrefix, absl::StrFormat("%012d", last_step), kFileSuffix));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", path);
  std::unique_ptr<TensorboardWriter> writer(new TensorboardWriter(path, fd));
  AppendRecord(Event(0, 3, "brain.Event:2"), writer->buffer_);
  // SessionLog {SessionStatus status = 1}; START = 1 purges events at this step and after.
  std::string session_start;
  AppendVarintField(1, 1, session_start);
  AppendRecord(Event(last_step + 1, 7, session_start), writer->buffer_);
  RETURN_IF_ERROR(writer->Flush());
  return writer;
}

TensorboardWriter::~TensorboardWriter() { close(fd_); }

void TensorboardWriter::AddScalar(absl::string_view tag, int64_t step, double value) {
  // Summary {repeated Value value = 1}; Value {string tag = 1; float simple_value = 2}.
  std::string summary_value, summary;
  AppendBytesField(1, tag, summary_value);
  AppendFloatField(2, static_cast<float>(value), summary_value);
  AppendBytesField(1, summary_value, summary);
  AppendRecord(Event(step, 5, summary), buffer_);
}

absl::Status TensorboardWriter::Flush() {
  for (absl::string_view rest = buffer_; !rest.empty();) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError("write", path_);
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
  return absl::OkStatus();
}

}  // namespace frond
