// Numbers as people read them, for terminal output.
#pragma once

#include <cstdint>
#include <string>

namespace frond {

// 1234567 -> "1,234,567".
std::string WithThousands(int64_t value);

// Four characters or so: 0.412, 8.31, 41.2, 812, 41.2k, 1.21M, 300M, 12.9B.
std::string ShortNumber(double value);

// 1234567890 -> "1.15 GiB"; "512 B" below one KiB.
std::string HumanBytes(int64_t bytes);

// "12s", "4m 05s", "1h 12m", "3d 07h"; "?" where negative or not finite.
std::string HumanDuration(double seconds);

// 0.12345 -> "12.3%".
std::string Percent(double share);

}  // namespace frond
