// What a run trains on, kept in its checkpoints: enough to say later where other data differs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "checkpoint/train_state.h"
#include "configs/train.pb.h"
#include "launch/training_data.h"

namespace frond {

// The manifest as JSON, one item a line (docs/checkpoint_format.md): seed, lengths, window and the
// like, sources with their content and their ledgers, rules in the mixture with their ledgers, and
// leaves with examples and shares. The same for every number of ranks; folders are not in it.
std::string MakeDataManifest(const config::TrainConfig& config, const Tokenizer& tokenizer,
                             const TrainingData& data);

struct ManifestDifference {
  // "leaf aya/fi: examples 30 -> 28", of what matters most first; long lists are cut short.
  std::vector<std::string> lines;
  // The ledgers are not the same ones.
  bool ledgers = false;
};

// Differences of `now` from `saved`. A text that is no manifest is an error.
absl::StatusOr<ManifestDifference> CompareManifests(absl::string_view saved, absl::string_view now);

// Whether a run may go on from `checkpoint`, whose state is `saved`, with the data of `now`. If
// not, the error says what differs, in a line each. Checkpoints from before there were manifests
// are judged by the hashes of their state.
absl::Status CheckSameData(const std::string& checkpoint, const TrainState& saved,
                           const TrainState& now, absl::string_view manifest);

// Copies every ledger behind the data into `work_dir`/ledgers, as NAME-HASH.json.
absl::Status SaveLedgers(const TrainingData& data, const std::string& work_dir);

}  // namespace frond
