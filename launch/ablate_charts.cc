#include "launch/ablate_charts.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "launch/html_page.h"

namespace frond {
namespace {

constexpr size_t kColors = 8;
constexpr char kGrid[] = "#e3e6ea", kAxis[] = "#9aa3af";

// Numbers onto pixels, with round numbers to mark.
class Scale {
 public:
  // `from` and `to` are the pixels of the lowest and the highest number.
  Scale(double low, double high, double from, double to) : from_(from), to_(to) {
    if (!(high > low)) {
      low -= 0.5;
      high = low + 1;
    }
    constexpr double kMarks = 5;
    const double rough = (high - low) / kMarks;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
      step_ = factor * power;
      if (step_ >= rough) break;
    }
    low_ = std::floor(low / step_) * step_;
    high_ = std::ceil(high / step_) * step_;
  }

  double At(double value) const { return from_ + (to_ - from_) * (value - low_) / (high_ - low_); }
  std::vector<double> Marks() const {
    std::vector<double> marks;
    const auto count = static_cast<int>(std::lround((high_ - low_) / step_));
    for (int i = 0; i <= count; ++i) {
      const double mark = low_ + i * step_;
      marks.push_back(std::abs(mark) < step_ / 1e6 ? 0 : mark);
    }
    return marks;
  }
  int Digits() const {
    return std::max(0, static_cast<int>(-std::floor(std::log10(step_) + 1e-9)));
  }

 private:
  double from_, to_;
  double low_ = 0, high_ = 1, step_ = 1;
};

bool ExcludesZero(const DifferenceMark& mark) { return mark.low > 0 || mark.high < 0; }

// Over all marks, 0 included.
std::pair<double, double> Range(const std::vector<DifferenceMark>& marks) {
  double low = 0, high = 0;
  for (const DifferenceMark& mark : marks) {
    if (std::isnan(mark.low)) continue;
    low = std::min({low, mark.low, mark.difference});
    high = std::max({high, mark.high, mark.difference});
    for (const double seed : mark.by_seed) {
      if (std::isnan(seed)) continue;
      low = std::min(low, seed);
      high = std::max(high, seed);
    }
  }
  return {low, high};
}

std::string Line(double x1, double y1, double x2, double y2, absl::string_view style) {
  return absl::StrFormat("<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" %s/>\n", x1, y1, x2,
                         y2, style);
}

std::string Stroke(absl::string_view color, double width) {
  return absl::StrFormat("stroke=\"%s\" stroke-width=\"%g\"", color, width);
}

std::string Text(double x, double y, absl::string_view anchor, absl::string_view css,
                 const std::string& text) {
  return absl::StrFormat("<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n",
                         x, y, anchor, css, HtmlEscaped(text));
}

std::string Dot(const DifferenceMark& mark, double x, double y, double radius) {
  return absl::StrFormat(
      "<circle class=\"%s%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"%g\"><title>%s</title></circle>\n",
      mark.shape, ExcludesZero(mark) ? "" : " hollow", x, y, radius, HtmlEscaped(mark.hint));
}

std::string Signed(double value, int digits) { return absl::StrFormat("%+.*f", digits, value); }

std::string AxisMark(double value, int digits) { return value == 0 ? "0" : Signed(value, digits); }

}  // namespace

std::string ForestChart(const std::vector<DifferenceMark>& marks, const std::string& axis,
                        int digits) {
  if (marks.empty()) return "";
  constexpr double kLeft = 210, kRight = 770, kTop = 8, kRow = 21;
  const double bottom = kTop + kRow * static_cast<double>(marks.size());
  const auto [low, high] = Range(marks);
  const Scale scale(low, high, kLeft, kRight);
  std::string text = SvgOpen(bottom + 40, axis);
  for (const double mark : scale.Marks()) {
    const double x = scale.At(mark);
    text += Line(x, kTop, x, bottom, Stroke(mark == 0 ? kAxis : kGrid, mark == 0 ? 1.5 : 1));
    text += Text(x, bottom + 15, "middle", "axis", AxisMark(mark, scale.Digits()));
  }
  text += Text((kLeft + kRight) / 2, bottom + 33, "middle", "axis", axis);
  for (size_t i = 0; i < marks.size(); ++i) {
    const DifferenceMark& mark = marks[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    if (i > 0 && !mark.label.empty()) {
      text += Line(0, y - kRow / 2, kChartWidth, y - kRow / 2, Stroke("#f0f2f4", 1));
    }
    text += Text(kLeft - 14, y + 4, "end", "", mark.label);
    if (std::isnan(mark.low)) {
      text += Text(kRight + 14, y + 4, "start", "axis", "no pair of runs");
      continue;
    }
    text += Line(scale.At(mark.low), y, scale.At(mark.high), y, Stroke("#5b6472", 1.5));
    for (const double seed : mark.by_seed) {
      if (std::isnan(seed)) continue;
      text += Line(scale.At(seed), y - 6, scale.At(seed), y + 6, Stroke("#aab2bd", 1.2));
    }
    text += Dot(mark, scale.At(mark.difference), y, 4.5);
    text += Text(kRight + 14, y + 4, "start", "",
                 absl::StrCat(Signed(mark.difference, digits), "  [", Signed(mark.low, digits),
                              ", ", Signed(mark.high, digits), "]"));
  }
  return text + "</svg>\n";
}

std::string DifferenceColumns(const std::vector<DifferenceMark>& marks, const std::string& axis) {
  if (marks.empty()) return "";
  constexpr double kLeft = 46, kTop = 16, kBottom = 236, kHeight = 276;
  const auto [low, high] = Range(marks);
  const Scale scale(low, high, kBottom, kTop);
  const double step =
      (kChartWidth - kLeft) / static_cast<double>(std::max<size_t>(marks.size(), 24));
  std::string text = SvgOpen(kHeight, axis);
  for (const double mark : scale.Marks()) {
    const double y = scale.At(mark);
    text += Line(kLeft, y, kChartWidth, y, Stroke(mark == 0 ? kAxis : kGrid, mark == 0 ? 1.5 : 1));
    text += Text(kLeft - 6, y + 4, "end", "axis", AxisMark(mark, scale.Digits()));
  }
  text += Text(kLeft, 10, "start", "axis", axis);
  for (size_t i = 0; i < marks.size(); ++i) {
    const DifferenceMark& mark = marks[i];
    if (std::isnan(mark.low)) continue;
    const double x = kLeft + step * (static_cast<double>(i) + 0.5);
    text += Line(x, scale.At(mark.low), x, scale.At(mark.high), Stroke("#aab2bd", 1.2));
    text += Dot(mark, x, scale.At(mark.difference), std::clamp(step / 2 - 0.4, 2.0, 4.5));
    absl::StrAppendFormat(
        &text,
        "<text transform=\"translate(%.2f,%.2f) rotate(-90)\" text-anchor=\"end\" "
        "style=\"font-size:%gpx\">%s</text>\n",
        x + std::clamp(step - 1, 6.0, 11.0) / 3, kBottom + 6, std::clamp(step - 0.5, 6.0, 11.0),
        HtmlEscaped(mark.label));
  }
  return text + "</svg>\n";
}

std::string CurveChart(const std::vector<CurveLine>& lines, const std::string& title, double width,
                       int digits) {
  constexpr double kLeft = 46, kTop = 26, kBottom = 196, kHeight = 226;
  double low = 0, high = 0, last = 1;
  bool any = false;
  for (const CurveLine& line : lines) {
    for (const CurveLine::Point& point : line.points) {
      low = any ? std::min(low, point.low) : point.low;
      high = any ? std::max(high, point.high) : point.high;
      last = std::max(last, point.x);
      any = true;
    }
  }
  if (!any) return "";
  const Scale y_scale(low, high, kBottom, kTop);
  const auto x_of = [&](double x) { return kLeft + (width - kLeft - 14) * x / last; };
  std::string text = absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" style=\"display: inline-block\" "
      "role=\"img\" aria-label=\"%s\">\n",
      width, kHeight, width, kHeight, HtmlEscaped(title));
  text += Text(kLeft, 14, "start", "", title);
  for (const double mark : y_scale.Marks()) {
    const double y = y_scale.At(mark);
    text += Line(kLeft, y, width - 14, y, Stroke(kGrid, 1));
    text += Text(kLeft - 6, y + 4, "end", "axis",
                 absl::StrFormat("%.*f", std::min(y_scale.Digits(), digits + 1), mark));
  }
  for (const double share : {0.0, 0.5, 1.0}) {
    text += Text(x_of(share * last), kBottom + 18, share == 1 ? "end" : "middle", "axis",
                 share == 0 ? "0" : ShortNumber(share * last));
  }
  for (const CurveLine& line : lines) {
    std::string there, back, band;
    for (const CurveLine::Point& point : line.points) {
      absl::StrAppendFormat(&there, "%.2f,%.2f ", x_of(point.x), y_scale.At(point.y));
      absl::StrAppendFormat(&band, "%.2f,%.2f ", x_of(point.x), y_scale.At(point.high));
      back = absl::StrFormat("%.2f,%.2f ", x_of(point.x), y_scale.At(point.low)) + back;
    }
    absl::StrAppendFormat(&text,
                          "<polygon class=\"arm%d\" fill-opacity=\"0.14\" points=\"%s%s\"/>\n"
                          "<polyline class=\"line%d\" fill=\"none\" stroke-width=\"1.6\" "
                          "points=\"%s\"><title>%s</title></polyline>\n",
                          line.color % kColors, band, back, line.color % kColors, there,
                          HtmlEscaped(line.name));
  }
  return text + "</svg>\n";
}

std::string ColorLegend(const std::vector<std::string>& names) {
  std::string text = "<p class=\"quiet\">";
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    absl::StrAppendFormat(&text,
                          "<svg width=\"12\" height=\"12\" style=\"display: inline\"><rect "
                          "class=\"arm%d\" width=\"12\" height=\"12\"/></svg> %s &nbsp; ",
                          i % kColors, HtmlEscaped(names[i]));
  }
  return text + "</p>\n";
}

}  // namespace frond
