// Lists of names, of which there may be very many, as people read them.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace frond {

// "a, b, c and 2 more", where there are more than `most` names.
std::string NameList(std::span<const std::string> names, size_t most);

}  // namespace frond
