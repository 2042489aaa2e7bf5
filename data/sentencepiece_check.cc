#include "data/sentencepiece_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/status_macros.h"

namespace frond {
namespace {

// Field numbers of sentencepiece_model.proto.
constexpr uint64_t kNormalizerSpec = 3;
constexpr uint64_t kDenormalizerSpec = 5;
constexpr uint64_t kPrecompiledCharsmap = 2;

constexpr uint32_t kLengthDelimited = 2;  // a wire type of Protocol Buffers

// The fields of a serialised message, one after the other.
class MessageFields {
 public:
  explicit MessageFields(absl::string_view bytes) : bytes_(bytes) {}

  // False at the end and where the bytes are no message, which the library finds out as well.
  bool Next() {
    uint64_t tag;
    if (!TakeVarint(&tag)) return false;
    number_ = tag >> 3;
    wire_type_ = static_cast<uint32_t>(tag & 7);
    uint64_t size = 0;
    switch (wire_type_) {
      case 0:
        return TakeVarint(&size);
      case 1:
        return Take(8);
      case kLengthDelimited:
        return TakeVarint(&size) && Take(size);
      case 5:
        return Take(4);
      default:
        return false;
    }
  }

  uint64_t number() const { return number_; }
  bool is_bytes() const { return wire_type_ == kLengthDelimited; }
  absl::string_view value() const { return value_; }

 private:
  bool TakeVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      *value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool Take(uint64_t size) {
    if (size > bytes_.size()) return false;
    value_ = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }

  absl::string_view bytes_;
  absl::string_view value_;
  uint64_t number_ = 0;
  uint32_t wire_type_ = 0;
};

// A unit of a Darts-clone double array: label in bits 0-7, "has a value" in bit 8, the offset to
// its children above; a unit with bit 31 is a value.
constexpr uint32_t kIsValue = 1u << 31;
constexpr uint32_t Label(uint32_t unit) { return unit & (kIsValue | 0xFF); }
constexpr bool HasValue(uint32_t unit) { return (unit >> 8 & 1) != 0; }
constexpr uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

// The library keeps room for so many matches along one text.
constexpr uint32_t kMaxValuesOnPath = 32;

// Walks the trie, whose equal endings are shared: depth first, each node once.
class TrieWalk {
 public:
  // Values are offsets into replacement texts of so many bytes.
  TrieWalk(const std::vector<uint32_t>& units, size_t replacement_bytes)
      : units_(units), replacement_bytes_(replacement_bytes), most_values_(units.size(), kNew) {}

  bool IsSound() {
    if (!Enter(0)) return false;
    while (!path_.empty()) {
      Node& node = path_.back();
      const bool sound = node.next_byte < 256 ? FollowEdge(&node) : Leave();
      if (!sound) return false;
    }
    return most_values_[0] <= kMaxValuesOnPath;
  }

 private:
  struct Node {
    size_t position;
    size_t children;
    uint32_t next_byte = 0;
    uint32_t most_values = 0;  // on any path down from here
  };
  static constexpr uint32_t kNew = UINT32_MAX;
  static constexpr uint32_t kOnPath = UINT32_MAX - 1;

  bool Enter(size_t position) {
    const uint32_t unit = units_[position];
    Node node = {.position = position, .children = position ^ Offset(unit)};
    if ((node.children | 0xFF) >= units_.size()) return false;
    if (HasValue(unit) && position != 0) {
      if ((units_[node.children] & ~kIsValue) >= replacement_bytes_) return false;
    }
    most_values_[position] = kOnPath;
    path_.push_back(node);
    return true;
  }

  bool FollowEdge(Node* node) {
    const uint32_t byte = node->next_byte++;
    const size_t child = node->children ^ byte;
    if (Label(units_[child]) != byte) return true;
    if (most_values_[child] == kOnPath) return false;  // a cycle
    if (most_values_[child] == kNew) return Enter(child);
    node->most_values = std::max(node->most_values, most_values_[child]);
    return true;
  }

  bool Leave() {
    const Node node = path_.back();
    path_.pop_back();
    const uint32_t own = HasValue(units_[node.position]) ? 1 : 0;
    most_values_[node.position] = node.most_values + own;
    if (!path_.empty()) {
      path_.back().most_values = std::max(path_.back().most_values, node.most_values + own);
    }
    return true;
  }

  const std::vector<uint32_t>& units_;
  size_t replacement_bytes_;
  std::vector<uint32_t> most_values_;  // of each node that was left
  std::vector<Node> path_;
};

// A table is the size of its trie (uint32), the trie, and replacement texts that end with NUL each.
absl::Status CheckTable(absl::string_view table) {
  if (table.empty()) return absl::OkStatus();  // the identity
  const absl::Status damaged =
      absl::InvalidArgumentError("its normalisation table is damaged; copy the file anew");
  uint32_t trie_bytes;
  if (table.size() <= sizeof(trie_bytes)) return damaged;
  std::memcpy(&trie_bytes, table.data(), sizeof(trie_bytes));
  table.remove_prefix(sizeof(trie_bytes));
  if (trie_bytes >= table.size() || trie_bytes == 0 || trie_bytes % sizeof(uint32_t) != 0 ||
      table.back() != '\0') {
    return damaged;
  }
  std::vector<uint32_t> units(trie_bytes / sizeof(uint32_t));
  std::memcpy(units.data(), table.data(), trie_bytes);
  return TrieWalk(units, table.size() - trie_bytes).IsSound() ? absl::OkStatus() : damaged;
}

}  // namespace

absl::Status CheckNormalisationTables(absl::string_view model_bytes) {
  for (MessageFields model(model_bytes); model.Next();) {
    const bool is_spec = model.number() == kNormalizerSpec || model.number() == kDenormalizerSpec;
    if (!is_spec || !model.is_bytes()) continue;
    for (MessageFields spec(model.value()); spec.Next();) {
      if (spec.number() != kPrecompiledCharsmap || !spec.is_bytes()) continue;
      RETURN_IF_ERROR(CheckTable(spec.value()));
    }
  }
  return absl::OkStatus();
}

}  // namespace frond
