// Fuzzes the config reader: the bytes up to the first NUL are the file, the strings between further
// NULs are overrides. Whatever they are, the answer is one line or a config that reads back equal.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/check.h"

namespace frond {
namespace {

constexpr size_t kMaxMessageBytes = 4000;

void CheckMessage(const absl::Status& status) {
  CHECK(!status.message().empty());
  CHECK_LE(status.message().size(), kMaxMessageBytes);
  CHECK(status.message().find('\n') == absl::string_view::npos) << status.message();
}

void CheckConfig(config::TrainConfig config) {
  ResolveDefaults(config);
  const std::string text = ConfigToText(config);
  const auto again = ParseConfig(text, "again", {});
  CHECK(again.ok()) << again.status() << "\n" << text;
  CHECK_EQ(ConfigToText(*again), text);
  const absl::Status status = ValidateTrainConfig(config);
  if (!status.ok()) return CheckMessage(status);
  // Of valid configs only: the text of a NaN loses its sign.
  CHECK_EQ(DataOrderHash(*again), DataOrderHash(config));
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> sets = absl::StrSplit(bytes, '\0');
  const std::string text = sets.front();
  sets.erase(sets.begin());
  const auto config = frond::ParseConfig(text, "fuzz", sets);
  config.ok() ? frond::CheckConfig(*config) : frond::CheckMessage(config.status());
  return 0;
}
