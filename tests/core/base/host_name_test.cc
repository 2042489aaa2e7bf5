#include "core/base/host_name.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

namespace frond {
namespace {

TEST(HostNameTest, IsTheSystems) {
  utsname system;
  ASSERT_EQ(::uname(&system), 0);
  EXPECT_EQ(HostName(), system.nodename);
}

}  // namespace
}  // namespace frond
