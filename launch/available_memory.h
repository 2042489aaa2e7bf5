// How much memory a rank may take, before it takes any.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

// Bytes that the kernel would still give to programs of this host, within the limit of this
// process's control group where there is one; -1 where neither is known.
int64_t AvailableHostMemory();

// "MemAvailable" of the text of /proc/meminfo, in bytes; -1 where it is not there.
int64_t ParseMemAvailable(absl::string_view meminfo);

// What is left below a control group's limit: the texts of memory.max ("max": no limit) and
// memory.current; -1 where there is no limit.
int64_t ParseGroupMemory(absl::string_view most, absl::string_view used);

}  // namespace frond
