// libFuzzer target: whatever the bytes, the safetensors reader answers with a Status or with
// tensors that lie within them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "core/base/check.h"

namespace frond {
namespace {

// Small tensors of readable types are read as well, so that a sanitizer sees every access.
void ReadEntry(const SafetensorsReader& reader, const SafetensorsEntry& entry) {
  if (entry.dims.size() > static_cast<size_t>(Shape::kMaxRank)) return;
  Shape shape;
  for (const int64_t dim : entry.dims) shape.Append(dim);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64, DType::kI32}) {
    std::vector<char> memory(static_cast<size_t>(shape.num_elements()) * DTypeSize(dtype) + 1);
    const absl::Status status = reader.Read(entry.name, View{memory.data(), shape, dtype});
    CHECK_EQ(status.ok(), CanDecode(entry.type, dtype)) << entry.name;
  }
}

void Fuzz(absl::string_view bytes) {
  const auto reader = SafetensorsReader::FromBytes("fuzz", bytes);
  if (!reader.ok()) {
    CHECK(reader.status().message().find('\n') == absl::string_view::npos) << reader.status();
    return;
  }
  for (const SafetensorsEntry& entry : (*reader)->entries()) {
    CHECK(entry.bytes.data() >= bytes.data()) << entry.name;
    CHECK(entry.bytes.data() + entry.bytes.size() <= bytes.data() + bytes.size()) << entry.name;
    ReadEntry(**reader, entry);
  }
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  frond::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
