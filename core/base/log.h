// LOG(INFO) << ...; LOG(WARNING) << ...; : one line on stderr per statement.
#pragma once

#include <sstream>

namespace frond {

enum class LogSeverity { INFO, WARNING, ERROR };

// Only lines of at least this severity are printed. Ranks other than 0 raise it to WARNING.
void SetLogThreshold(LogSeverity severity);

namespace log_internal {

class Line {
 public:
  explicit Line(LogSeverity severity) : severity_(severity) {}
  ~Line();
  std::ostream& stream() { return stream_; }

 private:
  LogSeverity severity_;
  std::ostringstream stream_;
};

}  // namespace log_internal
}  // namespace frond

#define LOG(severity) ::frond::log_internal::Line(::frond::LogSeverity::severity).stream()
