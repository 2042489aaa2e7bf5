// CHECK: our own mistakes (shapes, states) end the process with file, line and the values.
//
// A mistake by the user, a file or the network is an absl::Status instead (status_macros.h).
#pragma once

#include <sstream>
#include <string>

#include "absl/status/status.h"

namespace frond {

// Prints "file:line: CHECK failed: <what>" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const std::string& what);

namespace check_internal {

// Collects the streamed message of a failed CHECK and aborts when it is destroyed.
class Failure {
 public:
  Failure(const char* file, int line, const std::string& condition) : file_(file), line_(line) {
    stream_ << condition << " ";
  }
  [[noreturn]] ~Failure() { CheckFailed(file_, line_, stream_.str()); }
  std::ostream& stream() { return stream_; }

 private:
  const char* file_;
  int line_;
  std::ostringstream stream_;
};

template <class A, class B>
std::string Compared(const char* text, const A& a, const B& b) {
  std::ostringstream out;
  out << text << " (" << a << " vs. " << b << ")";
  return out.str();
}

}  // namespace check_internal
}  // namespace frond

#define FROND_CHECK_OP_(a, op, b)                                                                 \
  if (const auto& check_a = (a); true)                                                            \
    if (const auto& check_b = (b); !(check_a op check_b))                                         \
  ::frond::check_internal::Failure(                                                               \
      __FILE__, __LINE__, ::frond::check_internal::Compared(#a " " #op " " #b, check_a, check_b)) \
      .stream()

#define CHECK(condition) \
  if (!(condition)) ::frond::check_internal::Failure(__FILE__, __LINE__, #condition).stream()
#define CHECK_EQ(a, b) FROND_CHECK_OP_(a, ==, b)
#define CHECK_NE(a, b) FROND_CHECK_OP_(a, !=, b)
#define CHECK_LT(a, b) FROND_CHECK_OP_(a, <, b)
#define CHECK_LE(a, b) FROND_CHECK_OP_(a, <=, b)
#define CHECK_GT(a, b) FROND_CHECK_OP_(a, >, b)
#define CHECK_GE(a, b) FROND_CHECK_OP_(a, >=, b)
#define CHECK_OK(expression)                                              \
  if (const absl::Status check_status = (expression); !check_status.ok()) \
  ::frond::check_internal::Failure(__FILE__, __LINE__, #expression).stream() << check_status
