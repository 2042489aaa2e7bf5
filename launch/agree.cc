#include "launch/agree.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace frond {

absl::Status AgreeOnStatus(Communicator& world, const absl::Status& status) {
  if (world.size() == 1) return status;
  // One byte of code, then the message.
  const std::string mine = absl::StrCat(std::string(1, static_cast<char>(status.raw_code())),
                                        std::string(status.message()));
  for (const std::string& theirs : world.AllGatherBytes(mine)) {
    const auto code = static_cast<absl::StatusCode>(theirs[0]);
    if (code != absl::StatusCode::kOk) return absl::Status(code, theirs.substr(1));
  }
  return absl::OkStatus();
}

}  // namespace frond
