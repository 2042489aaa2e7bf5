// The charts of an ablation's report, as SVG that needs nothing else.
#pragma once

#include <string>
#include <vector>

namespace frond {

// A difference with its interval: a line of a forest chart.
struct DifferenceMark {
  std::string label = {};  // text; empty under a line of the same group
  std::string shape = {};  // the CSS class of its colour, e.g. "arm1" or "low"
  std::string hint = {};   // text, shown where the mouse rests
  double difference = 0, low = 0, high = 0;
  std::vector<double> by_seed = {};  // small strokes
};

// One line for each mark from top to bottom, around a line at 0; a mark whose interval excludes 0
// is filled. `axis` says what is drawn; numbers are printed with so many digits.
std::string ForestChart(const std::vector<DifferenceMark>& marks, const std::string& axis,
                        int digits);

// One column for each mark from left to right, with labels standing below: for many marks.
std::string DifferenceColumns(const std::vector<DifferenceMark>& marks, const std::string& axis);

// A line over steps with a band.
struct CurveLine {
  std::string name = {};  // text
  size_t color = 0;       // of line0 .. line7; counts on from there
  struct Point {
    double x = 0, y = 0, low = 0, high = 0;
  };
  std::vector<Point> points = {};
};

// A chart of `width` of kChartWidth's pixels, to stand beside others; an SVG of its own.
std::string CurveChart(const std::vector<CurveLine>& lines, const std::string& title, double width,
                       int digits);

// The names of the lines or arms with their colours, as HTML.
std::string ColorLegend(const std::vector<std::string>& names);

}  // namespace frond
