// The report of an ablation as one page of HTML that needs nothing else.
#pragma once

#include <string>

#include "launch/ablate_report.h"

namespace frond {

std::string AblationReportToHtml(const AblationReport& report);

}  // namespace frond
