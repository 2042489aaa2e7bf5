#include "data/row_examples.h"

#include <utility>

#include "absl/status/statusor.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace frond {

absl::Status ReadExamples(const RowBlock& block, size_t row, const RowTemplates* templates,
                          std::vector<Example>* examples) {
  if (templates == nullptr) {
    examples->assign(1, {});
    return block.ReadExample(row, &examples->front());
  }
  nlohmann::json raw;
  RETURN_IF_ERROR(block.ReadRaw(row, &raw));
  Example names;
  RETURN_IF_ERROR(block.ReadNames(row, raw, &names));
  absl::StatusOr<std::vector<Example>> rendered = templates->Render(raw, names);
  if (!rendered.ok()) return block.AtRow(row, rendered.status());
  *examples = *std::move(rendered);
  return absl::OkStatus();
}

}  // namespace frond
