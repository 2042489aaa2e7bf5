// Whether the normalisation table in a SentencePiece model can be walked safely. The library
// follows its offsets unchecked, so one flipped bit of a model file would read outside of it.
// Private to data/.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace frond {

// `model_bytes` is a serialised ModelProto. An error says what is wrong, without the file's name.
// Whatever else may be wrong with the model, the library reports itself.
absl::Status CheckNormalisationTables(absl::string_view model_bytes);

}  // namespace frond
