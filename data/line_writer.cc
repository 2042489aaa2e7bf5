#include "data/line_writer.h"

#include <zstd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace frond {
namespace {

constexpr size_t kBufferBytes = 1 << 18;
constexpr int kLevel = 3;

}  // namespace

struct LineWriter::Packer {
  Packer() : stream(ZSTD_createCCtx()), out(ZSTD_CStreamOutSize(), '\0') {
    CHECK(stream != nullptr);
    ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1);
  }
  ~Packer() { ZSTD_freeCCtx(stream); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  ZSTD_CCtx* stream;
  std::string out;
};

LineWriter::LineWriter(std::unique_ptr<FileWriter> file, std::unique_ptr<Packer> packer)
    : file_(std::move(file)), packer_(std::move(packer)) {}

LineWriter::~LineWriter() = default;

absl::StatusOr<std::unique_ptr<LineWriter>> LineWriter::Create(const std::string& path) {
  ASSIGN_OR_RETURN(auto file, FileWriter::Create(path));
  auto packer = absl::EndsWith(path, ".zst") ? std::make_unique<Packer>() : nullptr;
  return std::unique_ptr<LineWriter>(new LineWriter(std::move(file), std::move(packer)));
}

absl::Status LineWriter::Append(absl::string_view line) {
  absl::StrAppend(&buffer_, line, "\n");
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush(/*last=*/false);
}

absl::Status LineWriter::Flush(bool last) {
  hash_.Add(buffer_);
  if (packer_ == nullptr) {
    RETURN_IF_ERROR(file_->Append(buffer_));
    buffer_.clear();
    return absl::OkStatus();
  }
  ZSTD_inBuffer in = {buffer_.data(), buffer_.size(), 0};
  while (true) {
    ZSTD_outBuffer out = {packer_->out.data(), packer_->out.size(), 0};
    const size_t left =
        ZSTD_compressStream2(packer_->stream, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) {
      return absl::InternalError(absl::StrCat("cannot pack: ", ZSTD_getErrorName(left)));
    }
    RETURN_IF_ERROR(file_->Append(absl::string_view(packer_->out).substr(0, out.pos)));
    if (in.pos == in.size && (!last || left == 0)) break;
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status LineWriter::Close() {
  RETURN_IF_ERROR(Flush(/*last=*/true));
  return file_->Close();
}

}  // namespace frond
