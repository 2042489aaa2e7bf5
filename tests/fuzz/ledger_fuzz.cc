// Fuzzes the reader of ledgers: the bytes once as a file, once as the body of one whose hash is
// right.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "mixtures/pruning/ledger_file.h"

namespace frond {
namespace {

constexpr size_t kMaxMessageBytes = 500;

void Fuzz(absl::string_view text) {
  const absl::StatusOr<LedgerFile> ledger = ParseLedger(text, "ledger.json");
  if (ledger.ok()) {
    CHECK_EQ(ledger->hash.size(), 16u);
    CHECK(IsLedger(text));
    return;
  }
  CHECK_LE(ledger.status().message().size(), kMaxMessageBytes);
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  frond::Fuzz(bytes);
  frond::Fuzz(absl::StrCat("{\n\"format\": \"frond prune ledger\",\n\"hash\": \"",
                           frond::HashToHex(frond::Hash64(bytes)), "\",\n", bytes, "}\n"));
  return 0;
}
