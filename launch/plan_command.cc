// frond plan: what a config needs on a cluster, before it is launched.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "configs/cluster_reader.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "launch/command.h"
#include "launch/config_flags.h"
#include "launch/model_builder.h"
#include "launch/plan_report.h"
#include "launch/planner.h"

namespace frond {
namespace {

constexpr int64_t kMaxExamplesPerRow = 1 << 20;
constexpr int64_t kShown = 10;
constexpr int64_t kMaxShown = 1'000'000;

// Nothing of the config's own modes can be trained.
absl::Status OwnRefusal(const Plan& plan) {
  const PlanCandidate* refused = nullptr;
  for (const PlanCandidate& candidate : plan.candidates) {
    if (!candidate.is_own) continue;
    if (candidate.fits()) return absl::OkStatus();
    refused = &candidate;
  }
  if (refused == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("the config's mesh is not one of the ",
                                                      plan.gpus, " GPUs of ", plan.cluster,
                                                      "; see mesh.data and mesh.tensor"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the config as it is cannot be trained on ", plan.cluster, ": mesh data=", refused->mesh.data,
      " x tensor=", refused->mesh.tensor, " ", refused->refusal));
}

absl::Status Run(const CommandInput& input) {
  const Flags& flags = input.flags;
  ASSIGN_OR_RETURN(const int64_t examples_per_row,
                   flags.GetInteger("examples-per-row", 1, 1, kMaxExamplesPerRow));
  ASSIGN_OR_RETURN(const int64_t show, flags.GetInteger("show", kShown, 1, kMaxShown));
  ASSIGN_OR_RETURN(const config::TrainConfig config, ReadConfigOfFlags(flags));
  ASSIGN_OR_RETURN(const config::Cluster cluster, ReadCluster(flags.Get("cluster")));
  ASSIGN_OR_RETURN(const T5Config model, PlannedT5Config(config));
  ASSIGN_OR_RETURN(const Plan plan,
                   MakePlan(config, model, cluster,
                            {.examples_per_row = static_cast<int>(examples_per_row),
                             .only_own = flags.Has("own")}));
  std::fputs(FormatPlan(plan, static_cast<size_t>(show)).c_str(), stdout);
  if (flags.Has("json")) {
    RETURN_IF_ERROR(WriteFileAtomically(flags.Get("json"), PlanToJson(plan)));
  }
  return OwnRefusal(plan);
}

}  // namespace

Command PlanCommand() {
  std::vector<FlagSpec> flags = ConfigFlags();
  flags.push_back({.name = "cluster",
                   .value_hint = "SPEC",
                   .help = "COUNTx(A100|H100|H200), or a text file (configs/cluster.proto)",
                   .required = true});
  flags.push_back({.name = "examples-per-row",
                   .value_hint = "N",
                   .help = "examples of equal lengths that fill a row; 1 by default"});
  flags.push_back({.name = "own", .help = "only the config's own mesh and memory mode"});
  flags.push_back({.name = "show",
                   .value_hint = "N",
                   .help = "candidates that are shown of those that fit, and of the others; 10"});
  flags.push_back(
      {.name = "json", .value_hint = "FILE", .help = "the plan for programs", .writes_file = true});
  return {.name = "plan",
          .summary = "says what fits on a cluster and how fast, before a launch; allocates nothing",
          .flags = std::move(flags),
          .example = "frond plan --config configs/mt5_xxl.textproto --cluster 8xH100",
          .run = Run};
}

}  // namespace frond
