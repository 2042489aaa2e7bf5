#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "checkpoint/safetensors.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/ops/master_pieces.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

// Small enough to stay in the cache between conversion, checksum and write.
constexpr int64_t kChunkBytes = 1 << 19;
constexpr size_t kHeaderAlignment = 8;

// The header with its length, padded with spaces so that the data begin aligned.
std::string RenderHeader(const std::vector<SafetensorsSpec>& specs) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t offset = 0;
  std::set<std::string> names;
  size_t width = DTypeSize(DType::kF64);
  for (const SafetensorsSpec& spec : specs) {
    CHECK(names.insert(spec.name).second) << "tensor written twice: " << spec.name;
    CHECK_LE(DTypeSize(spec.dtype), width) << spec.name << ": wider elements come first";
    width = DTypeSize(spec.dtype);
    std::vector<int64_t> dims;
    for (int i = 0; i < spec.shape.rank(); ++i) dims.push_back(spec.shape.dim(i));
    const uint64_t bytes = static_cast<uint64_t>(spec.shape.num_elements()) * width;
    nlohmann::ordered_json entry;
    entry["dtype"] = std::string(StoredTypeName(StoredTypeOf(spec.dtype)));
    entry["shape"] = dims;
    entry["data_offsets"] = {offset, offset + bytes};
    header[spec.name] = std::move(entry);
    offset += bytes;
  }
  std::string text = header.dump();
  text.append((kHeaderAlignment - text.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(text.size() >> (8 * i));
  return out + text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::string path, std::unique_ptr<FileWriter> file,
                                     std::vector<SafetensorsSpec> specs)
    : path_(std::move(path)), file_(std::move(file)), specs_(std::move(specs)) {}

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Create(
    const std::string& path, std::vector<SafetensorsSpec> specs) {
  const std::string header = RenderHeader(specs);
  ASSIGN_OR_RETURN(std::unique_ptr<FileWriter> file, FileWriter::Create(path));
  RETURN_IF_ERROR(file->Append(header));
  return std::unique_ptr<SafetensorsWriter>(
      new SafetensorsWriter(path, std::move(file), std::move(specs)));
}

const SafetensorsSpec& SafetensorsWriter::NextSpec(absl::string_view name, const Shape& shape) {
  CHECK_LT(next_, specs_.size()) << "more tensors than announced: " << name;
  const SafetensorsSpec& spec = specs_[next_++];
  CHECK_EQ(spec.name, name);
  CHECK_EQ(spec.shape, shape) << spec.name;
  return spec;
}

absl::Status SafetensorsWriter::Append(absl::string_view name, ConstView value, Allocator* memory) {
  const DType dtype = NextSpec(name, value.shape).dtype;
  return ReadInPieces(memory, value,
                      [&](int64_t, ConstView piece) { return AppendPiece(piece, dtype); });
}

absl::Status SafetensorsWriter::AppendMaster(absl::string_view name, const MasterView& master,
                                             Allocator* memory) {
  const DType dtype = NextSpec(name, master.value.shape).dtype;
  return ReadMasterInPieces(memory, master,
                            [&](int64_t, ConstView piece) { return AppendPiece(piece, dtype); });
}

absl::Status SafetensorsWriter::AppendPiece(ConstView value, DType dtype) {
  if (value.dtype == dtype) return AppendRaw(value);
  const int64_t chunk = kChunkBytes / static_cast<int64_t>(DTypeSize(dtype));
  buffer_.resize(kChunkBytes);
  const int64_t count = value.num_elements();
  for (int64_t first = 0; first < count; first += chunk) {
    const int64_t now = std::min(chunk, count - first);
    EncodeElements(value, first, now, dtype, buffer_.data());
    const size_t bytes = static_cast<size_t>(now) * DTypeSize(dtype);
    RETURN_IF_ERROR(file_->Append({buffer_.data(), bytes}));
  }
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::AppendRaw(ConstView value) {
  const absl::string_view bytes(static_cast<const char*>(value.data), value.bytes());
  for (size_t at = 0; at < bytes.size(); at += kChunkBytes) {
    RETURN_IF_ERROR(file_->Append(bytes.substr(at, kChunkBytes)));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileRecord> SafetensorsWriter::Close() {
  CHECK_EQ(next_, specs_.size()) << path_ << ": fewer tensors than announced";
  RETURN_IF_ERROR(file_->Close());
  return FileRecord{path_, file_->size(), file_->checksum()};
}

absl::StatusOr<FileRecord> WriteSafetensors(const std::string& path,
                                            std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return DTypeSize(a->dtype()) > DTypeSize(b->dtype());
  });
  std::vector<SafetensorsSpec> specs;
  for (const NamedTensor* tensor : order) {
    specs.push_back({tensor->name, tensor->dtype(), tensor->value.shape});
  }
  ASSIGN_OR_RETURN(auto writer, SafetensorsWriter::Create(path, std::move(specs)));
  for (const NamedTensor* tensor : order) {
    RETURN_IF_ERROR(writer->AppendMaster(tensor->name, tensor->master(), tensor->memory));
  }
  return writer->Close();
}

}  // namespace frond
