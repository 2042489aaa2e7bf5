// How the rows of a data set lie in its files.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "data/example.h"

namespace frond {

// What the fields of an Example are called in a file; the defaults are the Aya collection's.
struct FieldNames {
  std::string inputs = "inputs";
  std::string targets = "targets";
  std::string language = "language";
  std::string script = "script";
  std::string dataset_name = "dataset_name";
  std::string template_id = "template_id";
  std::string task_type = "task_type";

  bool operator==(const FieldNames&) const = default;
};

// What a field of an Example is called in a file.
struct ExampleField {
  const std::string* name;
  std::string Example::*text;
};

// Of all fields, in the Example's order; the names are those in `names`.
std::array<ExampleField, 7> ExampleFields(const FieldNames& names);

// kByEnding: .csv, .tsv and .parquet are what they say, the first two also with .gz or .zst behind;
// others are JSONL.
enum class RowFormat { kByEnding, kJsonl, kCsv, kTsv, kParquet };

struct RowLayout {
  RowFormat format = RowFormat::kByEnding;
  FieldNames fields = {};
  // The language of rows that have none; empty: that of the file's path, and where that has none
  // either, such a row is an error.
  std::string default_language = {};
  // A target of nothing but white space is an example and not an error.
  bool allow_empty_targets = false;
  // CSV and TSV: the names of the columns; empty: the first row holds them.
  std::vector<std::string> columns = {};
  // CSV and TSV: quotes around a field are no part of it (RFC 4180), else all bytes are.
  bool quoting = true;
};

// The format of a file: never kByEnding.
RowFormat FormatOf(absl::string_view path, const RowLayout& layout);

// Gives an example, whose fields are read, its language; one that nobody gives is an error.
absl::Status CompleteLanguage(const RowLayout& layout, Example* example);

// That, and an empty target is an error too.
absl::Status CompleteExample(const RowLayout& layout, Example* example);

}  // namespace frond
