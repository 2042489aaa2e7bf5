// The dry run of a mixture as one page of HTML that needs nothing else: charts as inline SVG, all
// numbers in tables behind them.
#pragma once

#include <string>

#include "launch/mix_report.h"

namespace frond {

std::string MixReportToHtml(const MixReport& report, const std::string& title);

}  // namespace frond
