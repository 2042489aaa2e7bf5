#include "core/base/text_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond {
namespace {

size_t CodePoints(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void TextTable::AddRow(std::vector<std::string> cells) {
  CHECK_EQ(cells.size(), columns_.size());
  rows_.push_back(std::move(cells));
}

void TextTable::AddRule() { rows_.emplace_back(); }

std::string TextTable::ToString(absl::string_view indent) const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = CodePoints(columns_[c].title);
    for (const auto& row : rows_) {
      if (!row.empty()) width = std::max(width, CodePoints(row[c]));
    }
    widths.push_back(width);
  }

  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line(indent);
    for (size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = cell_of(c);
      const std::string blanks(widths[c] - CodePoints(cell), ' ');
      const bool left = columns_[c].align == Align::kLeft;
      absl::StrAppend(&line, c > 0 ? "  " : "", left ? cell : blanks, left ? blanks : cell);
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
  };
  const auto rule = [&](size_t c) { return std::string(widths[c], '-'); };

  add_line([&](size_t c) { return columns_[c].title; });
  add_line(rule);
  for (const auto& row : rows_) {
    if (row.empty()) {
      add_line(rule);
    } else {
      add_line([&](size_t c) { return row[c]; });
    }
  }
  return text;
}

}  // namespace frond
