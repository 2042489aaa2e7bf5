// The cluster that a plan is made for: a preset by name, or a file (schema: configs/cluster.proto).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "configs/cluster.pb.h"

namespace frond {

// "COUNTxGPU" with A100, H100 or H200 (1xH100, 64xH100): nodes of 8 GPUs, joined by NVSwitch inside
// and by a 400 Gb/s NDR port a GPU between them; fewer than 8 GPUs are one node, more must be whole
// nodes. Anything else is the path of a text file. All sizes and rates of the result are positive.
absl::StatusOr<config::Cluster> ReadCluster(const std::string& spec);

// The same for text that is at hand; `file` is what errors call it.
absl::StatusOr<config::Cluster> ParseCluster(absl::string_view text, absl::string_view file);

}  // namespace frond
