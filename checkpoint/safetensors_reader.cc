#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "checkpoint/safetensors.h"
#include "core/base/status_macros.h"
#include "core/tensor/transfer.h"

namespace frond {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8;
// The limit of the reference implementation.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
// {name: {shape: [dim]}}
constexpr int kMaxDepth = 3;

// Text of the file inside an error: on one line and not endless.
std::string Quote(absl::string_view text) {
  constexpr size_t kMaxShown = 200;
  const bool cut = text.size() > kMaxShown;
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(text.substr(0, kMaxShown)), cut ? "..." : "",
                      "'");
}

std::string Shown(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 80 ? text.substr(0, 80) + "..." : text;
}

absl::Status Bad(absl::string_view path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", path, "' is not a valid safetensors file: ", what));
}

absl::Status BadTensor(absl::string_view path, absl::string_view name, absl::string_view what) {
  return Bad(path, absl::StrCat("tensor ", Quote(name), " ", what));
}

// Refuses what a JSON document can hide from its parsed form: repeated keys and deep nesting.
class KeyGuard {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= kMaxDepth) too_deep_ = true;
    if (event == Json::parse_event_t::key && depth <= 2) {
      if (depth == 1) inner_.clear();
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!(depth == 1 ? outer_ : inner_).insert(key).second && !repeated_) repeated_ = key;
    }
    return !too_deep_;
  }
  absl::Status Verdict(absl::string_view path) const {
    if (too_deep_) return Bad(path, "its header is nested too deeply");
    if (repeated_) return Bad(path, absl::StrCat("its header repeats the key ", Quote(*repeated_)));
    return absl::OkStatus();
  }

 private:
  std::set<std::string> outer_;
  std::set<std::string> inner_;
  std::optional<std::string> repeated_;
  bool too_deep_ = false;
};

absl::StatusOr<absl::string_view> HeaderText(absl::string_view path, absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return Bad(path, absl::StrCat("it has ", bytes.size(), " bytes, fewer than the 8 of the header",
                                  " length"));
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    return Bad(path, absl::StrCat("its header claims ", length, " bytes; at most ", kMaxHeaderBytes,
                                  " are allowed"));
  }
  if (length > bytes.size() - kLengthBytes) {
    return Bad(path, absl::StrCat("its header claims ", length, " bytes, but only ",
                                  bytes.size() - kLengthBytes, " follow (truncated?)"));
  }
  return bytes.substr(kLengthBytes, length);
}

absl::StatusOr<Json> ParseHeader(absl::string_view path, absl::string_view text) {
  if (text.empty() || text[0] != '{') return Bad(path, "its header does not begin with '{'");
  KeyGuard guard;
  Json header = Json::parse(text.begin(), text.end(), std::ref(guard), false);
  RETURN_IF_ERROR(guard.Verdict(path));
  if (header.is_discarded()) return Bad(path, "its header is not JSON");
  if (!header.is_object()) return Bad(path, "its header is not a JSON object");
  return header;
}

absl::StatusOr<std::map<std::string, std::string>> ParseMetadata(absl::string_view path,
                                                                 const Json& json) {
  if (!json.is_object()) return Bad(path, "__metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return Bad(path, absl::StrCat("__metadata__ value ", Shown(value), " of ", Quote(key),
                                    " is not a text"));
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// Entry fields of a tensor, all present, no others.
absl::Status CheckFields(absl::string_view path, const std::string& name, const Json& json) {
  if (!json.is_object()) return BadTensor(path, name, absl::StrCat("is ", Shown(json)));
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!json.contains(field)) return BadTensor(path, name, absl::StrCat("has no ", field));
  }
  if (json.size() == 3) return absl::OkStatus();
  for (const auto& [key, value] : json.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return BadTensor(path, name, absl::StrCat("has an unknown field ", Quote(key)));
    }
  }
  return absl::OkStatus();
}

// The dims, checked so that their product (zeros counted as ones) fits 63 bits.
absl::StatusOr<std::vector<int64_t>> ParseDims(absl::string_view path, const std::string& name,
                                               const Json& json) {
  if (!json.is_array()) return BadTensor(path, name, absl::StrCat("has shape ", Shown(json)));
  std::vector<int64_t> dims;
  int64_t product = 1;
  for (const Json& dim : json) {
    const bool fits = dim.is_number_unsigned() &&
                      dim.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
    if (!fits) return BadTensor(path, name, absl::StrCat("has the dimension ", Shown(dim)));
    dims.push_back(dim.get<int64_t>());
    if (__builtin_mul_overflow(product, std::max<int64_t>(dims.back(), 1), &product)) {
      return BadTensor(path, name, absl::StrCat("has shape ", Shown(json), ", which overflows"));
    }
  }
  return dims;
}

// The bytes of a tensor within `data`, checked against the file's end and the shape.
absl::StatusOr<absl::string_view> ParseBytes(absl::string_view path, const SafetensorsEntry& entry,
                                             const Json& json, absl::string_view data) {
  const bool is_pair = json.is_array() && json.size() == 2 && json[0].is_number_unsigned() &&
                       json[1].is_number_unsigned();
  const std::string shown = absl::StrCat("has data_offsets ", Shown(json));
  if (!is_pair) return BadTensor(path, entry.name, shown);
  const uint64_t begin = json[0].get<uint64_t>(), end = json[1].get<uint64_t>();
  if (begin > end) return BadTensor(path, entry.name, absl::StrCat(shown, ", which run backwards"));
  if (end > data.size()) {
    return BadTensor(
        path, entry.name,
        absl::StrCat(shown, ", but the file holds ", data.size(), " data bytes (truncated?)"));
  }
  uint64_t wanted = StoredTypeSize(entry.type);
  for (const int64_t dim : entry.dims) {
    if (__builtin_mul_overflow(wanted, static_cast<uint64_t>(dim), &wanted)) {
      return BadTensor(path, entry.name,
                       absl::StrCat("has shape ", entry.ShapeToString(), ", which overflows"));
    }
  }
  if (end - begin != wanted) {
    return BadTensor(
        path, entry.name,
        absl::StrCat(shown, ", ", end - begin, " bytes, but ", StoredTypeName(entry.type), " ",
                     entry.ShapeToString(), " takes ", wanted));
  }
  return data.substr(begin, end - begin);
}

absl::StatusOr<SafetensorsEntry> ParseEntry(absl::string_view path, const std::string& name,
                                            const Json& json, absl::string_view data) {
  RETURN_IF_ERROR(CheckFields(path, name, json));
  SafetensorsEntry entry;
  entry.name = name;
  const Json& dtype = json["dtype"];
  const std::optional<StoredType> type =
      dtype.is_string() ? ParseStoredType(dtype.get_ref<const std::string&>()) : std::nullopt;
  if (!type) return BadTensor(path, name, absl::StrCat("has the unknown dtype ", Shown(dtype)));
  entry.type = *type;
  ASSIGN_OR_RETURN(entry.dims, ParseDims(path, name, json["shape"]));
  ASSIGN_OR_RETURN(entry.bytes, ParseBytes(path, entry, json["data_offsets"], data));
  return entry;
}

// Sorted entries must lie end to end and fill `data`: no byte is shared, none is unaccounted for.
absl::Status CheckTiling(absl::string_view path, const std::vector<SafetensorsEntry>& entries,
                         absl::string_view data) {
  const char* expected = data.data();
  absl::string_view previous;
  for (const SafetensorsEntry& entry : entries) {
    const auto at = entry.bytes.data() - data.data(), want = expected - data.data();
    if (at < want) {
      return BadTensor(path, entry.name,
                       absl::StrCat("begins at ", at, ", inside ", Quote(previous)));
    }
    if (at > want) {
      return BadTensor(path, entry.name,
                       absl::StrCat("begins at ", at, ", leaving a hole from ", want));
    }
    expected = entry.bytes.data() + entry.bytes.size();
    previous = entry.name;
  }
  const auto used = static_cast<size_t>(expected - data.data());
  if (used != data.size()) {
    return Bad(path, absl::StrCat("its tensors take ", used, " bytes, but ", data.size(),
                                  " follow the header"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string SafetensorsEntry::ShapeToString() const {
  return absl::StrCat("[", absl::StrJoin(dims, ", "), "]");
}

absl::StatusOr<std::unique_ptr<SafetensorsReader>> SafetensorsReader::Open(
    const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsReader> reader, FromBytes(path, file->bytes()));
  reader->file_ = std::move(file);
  return reader;
}

absl::StatusOr<std::unique_ptr<SafetensorsReader>> SafetensorsReader::FromBytes(
    absl::string_view label, absl::string_view bytes) {
  std::unique_ptr<SafetensorsReader> reader(new SafetensorsReader(label));
  RETURN_IF_ERROR(reader->Parse(bytes));
  return reader;
}

absl::Status SafetensorsReader::Parse(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const absl::string_view text, HeaderText(path_, bytes));
  ASSIGN_OR_RETURN(const Json header, ParseHeader(path_, text));
  const absl::string_view data = bytes.substr(kLengthBytes + text.size());
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") {
      ASSIGN_OR_RETURN(metadata_, ParseMetadata(path_, json));
      continue;
    }
    ASSIGN_OR_RETURN(SafetensorsEntry entry, ParseEntry(path_, name, json, data));
    entries_.push_back(std::move(entry));
  }
  // By end as well, so that empty tensors come before the one that begins where they do.
  std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    const char *a_begin = a.bytes.data(), *b_begin = b.bytes.data();
    return std::make_pair(a_begin, a_begin + a.bytes.size()) <
           std::make_pair(b_begin, b_begin + b.bytes.size());
  });
  RETURN_IF_ERROR(CheckTiling(path_, entries_, data));
  for (size_t i = 0; i < entries_.size(); ++i) index_[entries_[i].name] = i;
  return absl::OkStatus();
}

const SafetensorsEntry* SafetensorsReader::Find(absl::string_view name) const {
  const auto it = index_.find(std::string(name));
  return it == index_.end() ? nullptr : &entries_[it->second];
}

absl::Status DecodePiece(const SafetensorsEntry& entry, const ParamSlice& slice, int64_t first,
                         View piece) {
  const View flat = Reshape(piece, {piece.num_elements()});
  slice.ForRuns(first, flat.dim(0), [&](int64_t whole, int64_t local, int64_t count) {
    const char* from = entry.bytes.data() + static_cast<size_t>(whole) * StoredTypeSize(entry.type);
    DecodeElements(entry.type, from, Rows(flat, local - first, local - first + count));
  });
  return absl::OkStatus();
}

absl::StatusOr<const SafetensorsEntry*> SafetensorsReader::FindFor(absl::string_view name,
                                                                   const Shape& shape,
                                                                   DType dtype) const {
  const SafetensorsEntry* entry = Find(name);
  if (entry == nullptr) {
    return absl::NotFoundError(absl::StrCat("'", path_, "' has no tensor ", Quote(name)));
  }
  bool same_shape = static_cast<int>(entry->dims.size()) == shape.rank();
  for (int i = 0; same_shape && i < shape.rank(); ++i) {
    same_shape = entry->dims[static_cast<size_t>(i)] == shape.dim(i);
  }
  if (!same_shape) {
    return absl::InvalidArgumentError(absl::StrCat("'", path_, "': tensor ", Quote(name), " is ",
                                                   entry->ShapeToString(), ", but ",
                                                   shape.ToString(), " is wanted"));
  }
  if (!CanDecode(entry->type, dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("'", path_, "': tensor ", Quote(name),
                                                   " has dtype ", StoredTypeName(entry->type),
                                                   ", which cannot be read as ", DTypeName(dtype)));
  }
  return entry;
}

absl::Status SafetensorsReader::Read(absl::string_view name, View out, Allocator* memory) const {
  ASSIGN_OR_RETURN(const SafetensorsEntry* entry, FindFor(name, out.shape, out.dtype));
  const ParamSlice all = NamedTensor{.name = "", .value = out}.slice();
  return FillInPieces(memory, out, [&](int64_t first, View piece) {
    return DecodePiece(*entry, all, first, piece);
  });
}

}  // namespace frond
