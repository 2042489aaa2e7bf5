#include "core/base/log.h"

#include <atomic>
#include <cstdio>
#include <string>

namespace frond {
namespace {

// The one process-wide setting: how chatty stderr is. It changes no result.
std::atomic<LogSeverity> threshold{LogSeverity::INFO};

}  // namespace

void SetLogThreshold(LogSeverity severity) { threshold = severity; }

namespace log_internal {

Line::~Line() {
  if (severity_ < threshold.load()) return;
  const char* prefix = severity_ == LogSeverity::INFO      ? ""
                       : severity_ == LogSeverity::WARNING ? "warning: "
                                                           : "error: ";
  const std::string text = prefix + stream_.str() + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace log_internal
}  // namespace frond
