// A table of aligned columns for the terminal and for logs.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond {

// Columns are as wide as their widest cell, counted in code points (scripts of double width are not
// aligned). Printed as
//
//   name        share
//   ----------  -----
//   aya-fr      12.5%
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void AddRow(std::vector<std::string> cells);
  // A rule between the rows before and after it.
  void AddRule();
  // Every line starts with `indent` and ends with a line feed; no trailing spaces.
  std::string ToString(absl::string_view indent = "") const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

}  // namespace frond
