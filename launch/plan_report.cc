#include "launch/plan_report.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/human_numbers.h"
#include "core/base/text_table.h"

namespace frond {
namespace {

using Align = TextTable::Align;
using Json = nlohmann::ordered_json;

constexpr const char* kIndent = "  ";

std::string Giga(double bytes) { return absl::StrFormat("%.2f", bytes / 1e9); }

std::string MeshText(const PlanCandidate& candidate) {
  return absl::StrCat(candidate.mesh.data, "x", candidate.mesh.tensor);
}

std::string ModeText(const PlanCandidate& candidate) {
  std::string text = config::Recompute_Name(candidate.recompute);
  if (candidate.chunk_tokens > 0) absl::StrAppend(&text, " ", candidate.chunk_tokens);
  if (candidate.update_in_backward) absl::StrAppend(&text, ", in backward");
  if (candidate.zero_stage > 0) absl::StrAppend(&text, ", ZeRO-", candidate.zero_stage);
  if (candidate.sequence_parallel) absl::StrAppend(&text, ", tokens shared");
  return candidate.is_own ? absl::StrCat(text, " *") : text;
}

int64_t PeakOf(const PlanCandidate& candidate, MemoryKind kind) {
  return candidate.rehearsal.memory.by_kind[static_cast<int>(kind)].peak_bytes;
}

std::vector<TextTable::Column> Columns(std::vector<std::string> titles) {
  std::vector<TextTable::Column> columns = {
      {.title = "#"}, {.title = "mesh"}, {.title = "memory mode", .align = Align::kLeft}};
  for (std::string& title : titles) columns.push_back({.title = std::move(title)});
  return columns;
}

// A candidate and its place in the plan, from 1.
struct Numbered {
  int number;
  const PlanCandidate* candidate;
};

// What is shown, and how many are not.
struct Shown {
  std::vector<Numbered> fitting, refused;
  size_t left_out = 0;
};

Shown ChooseShown(const Plan& plan, size_t most) {
  Shown shown;
  size_t fitting = 0, refused = 0;
  int number = 0;
  for (const PlanCandidate& candidate : plan.candidates) {
    size_t& before = candidate.fits() ? fitting : refused;
    ++number;
    if (before++ < most || candidate.is_own) {
      (candidate.fits() ? shown.fitting : shown.refused).push_back({number, &candidate});
    } else {
      ++shown.left_out;
    }
  }
  return shown;
}

std::string FormatMemory(const Plan& plan, const Shown& shown) {
  TextTable table(Columns(
      {"params", "copies", "gradients", "optimizer", "activations", "workspace", "at once"}));
  std::vector<Numbered> all = shown.fitting;
  all.insert(all.end(), shown.refused.begin(), shown.refused.end());
  for (const auto& [number, pointer] : all) {
    const PlanCandidate& candidate = *pointer;
    if (!candidate.is_rehearsed) continue;
    std::vector<std::string> cells = {absl::StrCat(number), MeshText(candidate),
                                      ModeText(candidate)};
    for (const MemoryKind kind :
         {MemoryKind::kParams, MemoryKind::kComputeWeights, MemoryKind::kGradients,
          MemoryKind::kOptimizer, MemoryKind::kActivations, MemoryKind::kWorkspace}) {
      cells.push_back(Giga(static_cast<double>(PeakOf(candidate, kind))));
    }
    cells.push_back(Giga(static_cast<double>(candidate.rehearsal.memory.total.peak_bytes)));
    table.AddRow(std::move(cells));
  }
  return absl::StrCat("memory per GPU in GB: the most of each kind, and the most at once; ",
                      Giga(static_cast<double>(plan.capacity_bytes)), " are there\n",
                      table.ToString(kIndent));
}

// All ranks of a job hold an equal part of what is saved, whatever the mesh.
std::string FormatSnapshot(const Plan& plan) {
  for (const PlanCandidate& candidate : plan.candidates) {
    if (candidate.rehearsal.snapshot_bytes == 0) continue;
    return absl::StrCat("a save takes ",
                        Giga(static_cast<double>(candidate.rehearsal.snapshot_bytes)),
                        " GB of host memory for each GPU while it is written\n");
  }
  return "";
}

std::string FormatSpeed(const Shown& shown) {
  TextTable table(
      Columns({"PFLOP", "sent GB", "waits", "step", "examples/s", "MFU", "largest batch"}));
  for (const auto& [number, pointer] : shown.fitting) {
    const PlanCandidate& candidate = *pointer;
    const Rehearsal& rehearsal = candidate.rehearsal;
    table.AddRow(
        {absl::StrCat(number), MeshText(candidate), ModeText(candidate),
         absl::StrFormat("%.2f", candidate.step_flops / 1e15),
         Giga(rehearsal.SentBytes(candidate.mesh)),
         Percent(rehearsal.waited_seconds / rehearsal.seconds),
         absl::StrFormat("%.3f s", rehearsal.seconds),
         absl::StrFormat("%.1f", candidate.examples_per_second), Percent(candidate.mfu),
         absl::StrCat(candidate.largest_rows, candidate.is_largest_known ? "" : "+", " rows")});
  }
  return absl::StrCat(
      "a step: FLOPs of the model on all GPUs, what a GPU sends, share of waiting\n",
      table.ToString(kIndent));
}

std::string FormatRefusals(const Shown& shown) {
  std::string text;
  for (const auto& [number, pointer] : shown.refused) {
    const PlanCandidate& candidate = *pointer;
    absl::StrAppend(&text, kIndent, number, "  ", MeshText(candidate),
                    candidate.is_rehearsed ? absl::StrCat(", ", ModeText(candidate)) : "", ": ",
                    candidate.refusal, "\n");
  }
  return text.empty() ? text : absl::StrCat("\ncannot be trained\n", text);
}

Json CountJson(const CommunicationCount& count) {
  Json json = Json::object();
  for (int k = 0; k < kNumCollectiveKinds; ++k) {
    const auto kind = static_cast<CollectiveKind>(k);
    if (count.of(kind).calls == 0) continue;
    json[std::string(CollectiveKindName(kind))] = {{"calls", count.of(kind).calls},
                                                   {"bytes", count.of(kind).bytes}};
  }
  return json;
}

Json CandidateJson(const PlanCandidate& candidate) {
  Json json = {{"data", candidate.mesh.data},
               {"tensor", candidate.mesh.tensor},
               {"recompute", config::Recompute_Name(candidate.recompute)},
               {"chunk_tokens", candidate.chunk_tokens},
               {"update_in_backward", candidate.update_in_backward},
               {"zero_stage", candidate.zero_stage},
               {"sequence_parallel", candidate.sequence_parallel},
               {"own", candidate.is_own},
               {"fits", candidate.fits()}};
  if (!candidate.fits()) json["refusal"] = candidate.refusal;
  if (!candidate.is_rehearsed) return json;
  const Rehearsal& rehearsal = candidate.rehearsal;
  Json memory = Json::object();
  for (int kind = 0; kind < kNumMemoryKinds; ++kind) {
    memory[std::string(MemoryKindName(static_cast<MemoryKind>(kind)))] =
        rehearsal.memory.by_kind[kind].peak_bytes;
  }
  memory["at once"] = rehearsal.memory.total.peak_bytes;
  json["memory"] = memory;
  json["snapshot_bytes"] = rehearsal.snapshot_bytes;
  json["communication"] = {{"world", CountJson(rehearsal.world)},
                           {"data", CountJson(rehearsal.data)},
                           {"tensor", CountJson(rehearsal.tensor)},
                           {"sent_bytes", rehearsal.SentBytes(candidate.mesh)}};
  json["step_flops"] = candidate.step_flops;
  json["rank_flops"] = {{"products", rehearsal.products}, {"attention", rehearsal.attention}};
  json["seconds"] = {{"step", rehearsal.seconds},
                     {"work", rehearsal.work_seconds},
                     {"communication", rehearsal.communication_seconds},
                     {"waited", rehearsal.waited_seconds}};
  json["examples_per_second"] = candidate.examples_per_second;
  json["mfu"] = candidate.mfu;
  json["largest_rows"] = candidate.largest_rows;
  json["largest_rows_is_known"] = candidate.is_largest_known;
  return json;
}

}  // namespace

std::string FormatPlan(const Plan& plan, size_t most) {
  const Shown shown = ChooseShown(plan, most);
  std::string text =
      absl::StrCat(plan.cluster, ": ", plan.gpus, plan.gpus == 1 ? " GPU, " : " GPUs, ",
                   ShortNumber(static_cast<double>(plan.parameters)), " parameters, ", plan.rows,
                   " rows a step; mesh is data x tensor, * the config's own mode\n\n");
  absl::StrAppend(&text, FormatMemory(plan, shown), FormatSnapshot(plan), "\n");
  if (!shown.fitting.empty()) absl::StrAppend(&text, FormatSpeed(shown));
  absl::StrAppend(&text, FormatRefusals(shown));
  if (shown.left_out > 0) {
    absl::StrAppend(&text, "\n", shown.left_out, " more are not shown (--show, --json)\n");
  }
  return text;
}

std::string PlanToJson(const Plan& plan) {
  Json json = {
      {"cluster", plan.cluster},       {"gpus", plan.gpus}, {"capacity_bytes", plan.capacity_bytes},
      {"parameters", plan.parameters}, {"rows", plan.rows}, {"candidates", Json::array()}};
  for (const PlanCandidate& candidate : plan.candidates) {
    json["candidates"].push_back(CandidateJson(candidate));
  }
  return json.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace frond
