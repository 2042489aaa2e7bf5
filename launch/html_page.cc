#include "launch/html_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace frond {
namespace {

constexpr char kHead[] = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2430; background: #fff; max-width: 980px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2.2rem; } h3 { font-size: .95rem; margin: 1.4rem 0 .3rem; }
p { margin: .4rem 0; } .quiet { color: #5b6472; }
svg { max-width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: #1d2430; } svg .axis { fill: #5b6472; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #e3e6ea; white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; position: sticky; top: 0; background: #fff; } .name { text-align: left; }
.wide { overflow-x: auto; } .tall { max-height: 32rem; overflow: auto; } .warning { background: #fdf3dc; border-left: 4px solid #d9a520; padding: .3rem .8rem; margin: .4rem 0; }
pre { font-size: 12px; overflow: auto; background: #f6f7f9; padding: .8rem; }
.high { color: #2f6db5; fill: currentColor; } .mid { color: #3a9d7c; fill: currentColor; } .low { color: #d9822b; fill: currentColor; } .other { color: #8b93a1; fill: currentColor; }
.tile { display: inline-block; margin: 1rem 2.2rem .4rem 0; } .tile b { display: block; font-size: 1.5rem; }
.better { color: #1b7f4d; } .worse { color: #b3372f; }
.arm0 { color: #2f6db5; fill: currentColor; } .arm1 { color: #d9822b; fill: currentColor; } .arm2 { color: #3a9d7c; fill: currentColor; } .arm3 { color: #8e4fa8; fill: currentColor; } .arm4 { color: #c2453d; fill: currentColor; } .arm5 { color: #6b7685; fill: currentColor; } .arm6 { color: #b59a1f; fill: currentColor; } .arm7 { color: #3aa0b5; fill: currentColor; }
.line0 { stroke: #2f6db5; } .line1 { stroke: #d9822b; } .line2 { stroke: #3a9d7c; } .line3 { stroke: #8e4fa8; } .line4 { stroke: #c2453d; } .line5 { stroke: #6b7685; } .line6 { stroke: #b59a1f; } .line7 { stroke: #3aa0b5; }
.hollow { fill: #fff; stroke: currentColor; stroke-width: 1.5; }
</style>
)";

}  // namespace

std::string HtmlEscaped(absl::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string HtmlPage(const std::string& title, const std::string& body) {
  const std::string safe = HtmlEscaped(title);
  return absl::StrCat(kHead, "<title>", safe, "</title>\n</head>\n<body>\n<h1>", safe, "</h1>\n",
                      body, "</body>\n</html>\n");
}

std::string HtmlTile(const std::string& number, const std::string& what) {
  return absl::StrCat("<div class=\"tile\"><b>", number, "</b>", what, "</div>\n");
}

std::string SvgOpen(double height, const std::string& what) {
  return absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\" aria-label=\"%s\">\n",
      kChartWidth, height, kChartWidth, height, HtmlEscaped(what));
}

HtmlTable::HtmlTable(const std::vector<std::string>& titles, size_t names)
    : names_(names), text_("<table><tr>") {
  for (size_t i = 0; i < titles.size(); ++i) {
    absl::StrAppend(&text_, i < names_ ? "<th class=\"name\">" : "<th>", titles[i], "</th>");
  }
  text_ += "</tr>\n";
}

void HtmlTable::AddRow(const std::vector<std::string>& cells) {
  text_ += "<tr>";
  for (size_t i = 0; i < cells.size(); ++i) {
    absl::StrAppend(&text_, i < names_ ? "<td class=\"name\">" : "<td>", cells[i], "</td>");
  }
  text_ += "</tr>\n";
}

std::string HtmlTable::ToString(bool tall) const {
  return absl::StrCat(tall ? "<div class=\"tall\">" : "<div class=\"wide\">", text_,
                      "</table></div>\n");
}

}  // namespace frond
