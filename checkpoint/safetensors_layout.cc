#include "checkpoint/safetensors_layout.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "checkpoint/stored_type.h"
#include "core/base/check.h"

namespace frond {
namespace {

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
    nlohmann::ordered_json entry;
    entry["dtype"] = std::string(StoredTypeName(StoredTypeOf(spec.dtype)));
    entry["shape"] = dims;
    entry["data_offsets"] = {offset, offset + spec.bytes()};
    header[spec.name] = std::move(entry);
    offset += spec.bytes();
  }
  std::string text = header.dump();
  text.append((kHeaderAlignment - text.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(text.size() >> (8 * i));
  return out + text;
}

}  // namespace

SafetensorsLayout LayOutSafetensors(std::string path, std::vector<SafetensorsSpec> specs) {
  SafetensorsLayout layout;
  layout.path = std::move(path);
  layout.header = RenderHeader(specs);
  layout.size = layout.header.size();
  for (const SafetensorsSpec& spec : specs) {
    layout.offsets.push_back(layout.size);
    layout.size += spec.bytes();
  }
  layout.specs = std::move(specs);
  return layout;
}

absl::StatusOr<FileRecord> JoinShares(const SafetensorsLayout& layout,
                                      std::span<const RangeShare> shares) {
  std::vector<RangeShare> joined(1 + layout.specs.size());
  for (const RangeShare& share : shares) {
    CHECK_LT(share.range, joined.size()) << layout.path;
    joined[share.range].cells += share.cells;
    joined[share.range].sum += share.sum;
  }
  FileRecord record = {.path = layout.path, .size = layout.size};
  const auto add = [&](FileRange range, const RangeShare& share) -> absl::Status {
    if (range.bytes == 0) return absl::OkStatus();
    if (share.cells * range.cell_bytes != range.bytes) {
      return absl::InternalError(
          absl::StrCat("'", layout.path, "': of ", range.bytes / range.cell_bytes, " rows of '",
                       range.name, "' the ranks have written ", share.cells));
    }
    range.checksum = share.sum;
    record.ranges.push_back(std::move(range));
    return absl::OkStatus();
  };
  absl::Status status =
      add({.bytes = layout.header.size(), .cell_bytes = layout.header.size()}, joined[0]);
  for (size_t i = 0; i < layout.specs.size() && status.ok(); ++i) {
    const SafetensorsSpec& spec = layout.specs[i];
    status = add({.name = spec.name,
                  .offset = layout.offsets[i],
                  .bytes = spec.bytes(),
                  .cell_bytes = spec.row_bytes()},
                 joined[1 + i]);
  }
  if (!status.ok()) return status;
  return record;
}

}  // namespace frond
