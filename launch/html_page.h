// What our pages of HTML share: one file that loads nothing, one style, escaped text, SVG charts of
// one width.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond {

// Of a chart, in CSS pixels.
inline constexpr double kChartWidth = 960;

// Text as it may stand between tags and in attributes.
std::string HtmlEscaped(absl::string_view text);

// A whole page; `title` is text, `body` HTML. Classes of its style: quiet, warning, tile, name (a
// cell of words), tall (scrolls); high, mid, low and other fill a shape in its resource class's
// colour, arm0 to arm7 (fill) and line0 to line7 (stroke) in an arm's, hollow beside one of them
// draws its outline.
std::string HtmlPage(const std::string& title, const std::string& body);

// A number to be seen from afar, with what it is below it; both are HTML.
std::string HtmlTile(const std::string& number, const std::string& what);

// The opening tag of a chart of kChartWidth; `what` names it for those who do not see it.
std::string SvgOpen(double height, const std::string& what);

// Cells are HTML. The first `names` columns hold words, the rest numbers.
class HtmlTable {
 public:
  HtmlTable(const std::vector<std::string>& titles, size_t names);
  void AddRow(const std::vector<std::string>& cells);
  // With `tall` it scrolls inside the page.
  std::string ToString(bool tall) const;

 private:
  size_t names_;
  std::string text_;
};

}  // namespace frond
