#include "launch/same_start.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/host_name.h"

namespace frond {
namespace {

struct Start {
  std::string host, program, config;
};

// Host and program hash have no line breaks.
std::string Encode(const Start& start) {
  return absl::StrCat(start.host, "\n", start.program, "\n", start.config);
}

Start Decode(const std::string& bytes) {
  const std::vector<std::string> parts = absl::StrSplit(bytes, absl::MaxSplits('\n', 2));
  return {parts[0], parts.size() > 1 ? parts[1] : "", parts.size() > 2 ? parts[2] : ""};
}

// "`steps: 20` where rank 0 has `steps: 10`", of the first line that differs.
std::string FirstDifference(const std::string& theirs, const std::string& first) {
  const std::vector<std::string> a = absl::StrSplit(theirs, '\n'), b = absl::StrSplit(first, '\n');
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  const auto line = [i](const std::vector<std::string>& lines) {
    const std::string text(i < lines.size() ? absl::StripAsciiWhitespace(lines[i]) : "");
    return text.empty() ? std::string("nothing") : absl::StrCat("`", text, "`");
  };
  return absl::StrCat(line(a), " where rank 0 has ", line(b));
}

}  // namespace

absl::Status CheckSameStart(Communicator& world, absl::string_view config_text,
                            absl::string_view program_hash) {
  if (world.size() == 1) return absl::OkStatus();
  const std::vector<std::string> all = world.AllGatherBytes(
      Encode({HostName(), std::string(program_hash), std::string(config_text)}));
  const Start first = Decode(all[0]);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const Start start = Decode(all[rank]);
    const std::string who = absl::StrCat("rank ", rank, " on ", start.host);
    if (start.program != first.program) {
      return absl::FailedPreconditionError(absl::StrCat(
          who, " runs another frond program than rank 0 on ", first.host, " (", start.program,
          ", not ", first.program, "): put the same build on every host"));
    }
    if (start.config != first.config) {
      return absl::FailedPreconditionError(
          absl::StrCat(who, " was started with another config than rank 0 on ", first.host,
                       ": it has ", FirstDifference(start.config, first.config)));
    }
  }
  return absl::OkStatus();
}

std::string ProgramHash() {
  const absl::StatusOr<std::string> bytes = ReadFile("/proc/self/exe");
  return bytes.ok() ? HashToHex(Hash64(*bytes)) : "";
}

}  // namespace frond
