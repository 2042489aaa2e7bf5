// Fuzzes templates: the bytes as Jinja and as a plain pattern, rendered for a row with a value of
// every kind.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "data/templates/prompt.h"
#include "data/templates/python_text.h"

namespace frond {
namespace {

constexpr size_t kMaxMessageBytes = 2000;

const nlohmann::json& Row() {
  static const auto* const row = new nlohmann::json(nlohmann::json::parse(R"({
    "a": "the cat\u00e9 \u4ed6", "n": -3, "x": 2.5, "big": 9223372036854775807, "yes": true, "no": null,
    "huge": 18446744073709551615,
    "list": ["a", "b", 3, [1, 2], {"k": "v"}], "map": {"text": ["p", "q"], "deep": {"z": [1, 2.5]}}
  })"));
  return *row;
}

void CheckMessage(const absl::Status& status) {
  CHECK(!status.message().empty());
  CHECK_LE(status.message().size(), kMaxMessageBytes);
  CHECK(status.message().find('\n') == absl::string_view::npos) << status.message();
}

void CheckPrompt(const absl::StatusOr<Prompt>& prompt) {
  if (!prompt.ok()) return CheckMessage(prompt.status());
  RenderedPrompt rendered, again;
  const absl::StatusOr<bool> speaks = prompt->Render(Row(), &rendered);
  if (!speaks.ok()) return CheckMessage(speaks.status());
  CHECK(*speaks != (rendered.inputs.empty() || rendered.targets.empty()));
  CHECK(templates::IsUtf8(rendered.inputs) && templates::IsUtf8(rendered.targets));
  CHECK(prompt->Render(Row(), &again).ok() && again.inputs == rendered.inputs);
}

}  // namespace
}  // namespace frond

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Callers read configs and files, which are checked before.
  if (!frond::templates::IsUtf8(text)) return 0;
  frond::CheckPrompt(
      frond::Prompt::FromJinja({.id = "t"}, text + "|||x", text.substr(0, size / 2)));
  frond::CheckPrompt(frond::Prompt::FromPatterns({.id = "t"}, text, "x"));
  return 0;
}
