#include "configs/ablation_grid.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "configs/config_reader.h"
#include "configs/field_override.h"
#include "configs/field_words.h"
#include "configs/mixture_sources.h"
#include "configs/source_schemas.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/file.h"
#include "core/base/nearest_name.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/message_differencer.h"

namespace frond {
namespace {

constexpr size_t kMostCells = 10'000;
constexpr int kMostDraws = 1'000'000;

using Variants = std::vector<const config::Variant*>;  // one of each axis

absl::Status Wrong(absl::string_view file, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", what));
}

bool IsName(absl::string_view name) {
  return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

// The grid gives these fields itself.
absl::Status CheckOverrides(absl::string_view file,
                            const google::protobuf::RepeatedPtrField<std::string>& overrides) {
  for (const std::string& set : overrides) {
    const std::string field(absl::StripAsciiWhitespace(set.substr(0, set.find('='))));
    if (field == "work_dir" || field == "seed") {
      return Wrong(file, absl::StrCat("override \"", OneLine(set), "\": ",
                                      field == "seed" ? "seeds are named by `seed`"
                                                      : "work folders follow from `out_dir`"));
    }
  }
  return absl::OkStatus();
}

std::vector<config::Axis> AxesOf(const config::AblationConfig& config) {
  std::vector<config::Axis> axes;
  if (config.mixture_size() > 0) {
    config::Axis mixture;
    mixture.set_name("mixture");
    *mixture.mutable_variant() = config.mixture();
    axes.push_back(mixture);
  }
  axes.insert(axes.end(), config.axis().begin(), config.axis().end());
  return axes;
}

absl::Status CheckAxes(absl::string_view file, const std::vector<config::Axis>& axes) {
  std::set<std::string> names;
  size_t cells = 1;
  for (const config::Axis& axis : axes) {
    if (!IsName(axis.name()) || !names.insert(axis.name()).second) {
      return Wrong(file, absl::StrCat("an axis is called \"", OneLine(axis.name()),
                                      "\"; names are letters, digits, _, - and ., and differ"));
    }
    if (axis.variant_size() == 0) {
      return Wrong(file, absl::StrCat("the axis \"", axis.name(), "\" has no variant"));
    }
    std::set<std::string> variants;
    for (const config::Variant& variant : axis.variant()) {
      if (!IsName(variant.name()) || !variants.insert(variant.name()).second) {
        return Wrong(file, absl::StrCat("a variant of axis \"", axis.name(), "\" is called \"",
                                        OneLine(variant.name()),
                                        "\"; names are letters, digits, _, - and ., and differ"));
      }
      if (variant.has_mixture() && variant.source_size() > 0) {
        return Wrong(file, absl::StrCat("the variant \"", variant.name(),
                                        "\" has `mixture` and `source`; give one of them"));
      }
      RETURN_IF_ERROR(CheckOverrides(file, variant.override()));
    }
    cells *= static_cast<size_t>(axis.variant_size());
    if (cells > kMostCells) {
      return Wrong(file, absl::StrCat("the grid has more than ", kMostCells, " arms"));
    }
  }
  return absl::OkStatus();
}

std::string NameOf(const Variants& variants) {
  if (variants.empty()) return "base";
  return absl::StrJoin(variants, "+", [](std::string* out, const config::Variant* variant) {
    out->append(variant->name());
  });
}

// Every choice of one variant from each axis.
std::vector<Variants> Product(const std::vector<config::Axis>& axes) {
  std::vector<Variants> all = {{}};
  for (const config::Axis& axis : axes) {
    std::vector<Variants> longer;
    for (const Variants& begun : all) {
      for (const config::Variant& variant : axis.variant()) {
        longer.push_back(begun);
        longer.back().push_back(&variant);
      }
    }
    all = std::move(longer);
  }
  return all;
}

// The arms that `config.arm` names, in the grid's order.
absl::Status KeepNamed(absl::string_view file, const config::AblationConfig& config,
                       std::vector<Variants>& arms) {
  if (config.arm().empty()) return absl::OkStatus();
  std::vector<std::string> names;
  for (const Variants& arm : arms) names.push_back(NameOf(arm));
  for (const std::string& name : config.arm()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return Wrong(file,
                   absl::StrCat("arm: \"", OneLine(name), "\" is not in the grid; did you mean \"",
                                NearestName(name, names), "\"?"));
    }
  }
  std::erase_if(arms, [&](const Variants& arm) {
    return std::find(config.arm().begin(), config.arm().end(), NameOf(arm)) == config.arm().end();
  });
  return absl::OkStatus();
}

absl::StatusOr<config::TrainConfig> ReadBase(const std::string& file,
                                             const config::AblationConfig& config) {
  if (config.has_base() == config.has_config()) {
    return Wrong(file, "give either `base`, a file, or `config`, the base itself");
  }
  config::TrainConfig base = config.config();
  if (config.has_base()) {
    const std::string path =
        (std::filesystem::path(file).parent_path() / config.base()).lexically_normal().string();
    ASSIGN_OR_RETURN(base, ReadConfig(path, {}));
  } else if (base.data().has_mixture()) {
    RETURN_IF_ERROR(InlineImports(file, *base.mutable_data()->mutable_mixture()));
  }
  for (const std::string& set : config.override()) RETURN_IF_ERROR(ApplyOverride(set, base));
  return base;
}

absl::Status ApplyVariant(const std::string& file, const config::Variant& variant,
                          config::TrainConfig& config) {
  config::Data& data = *config.mutable_data();
  if (variant.has_mixture() || variant.source_size() > 0) {
    data.clear_mixture();
    *data.mutable_source() = variant.source();
  }
  if (variant.has_mixture()) {
    *data.mutable_mixture() = variant.mixture();
    RETURN_IF_ERROR(InlineImports(file, *data.mutable_mixture()));
  }
  for (const std::string& set : variant.override()) RETURN_IF_ERROR(ApplyOverride(set, config));
  return absl::OkStatus();
}

std::vector<std::string> ChangesOf(const Variants& variants) {
  std::vector<std::string> changes;
  for (const config::Variant* variant : variants) {
    if (variant->has_mixture()) {
      changes.push_back(absl::StrCat("mixture { ", variant->mixture().ShortDebugString(), " }"));
    }
    for (const config::Source& source : variant->source()) {
      changes.push_back(absl::StrCat("source { ", source.ShortDebugString(), " }"));
    }
    changes.insert(changes.end(), variant->override().begin(), variant->override().end());
  }
  return changes;
}

// What an arm's runs have in common.
struct ArmConfigs {
  config::TrainConfig train;
  config::Evaluation evaluation;
};

absl::StatusOr<AblationRun> MakeRun(const AblationGrid& grid, const ArmConfigs& configs, size_t arm,
                                    uint64_t seed) {
  AblationRun run = {.name = absl::StrCat(grid.arms[arm].name, ".seed", seed),
                     .folder = "",
                     .arm = arm,
                     .seed = seed,
                     .train = configs.train,
                     .judged = {}};
  run.folder = JoinPath(grid.out_dir, run.name);
  run.train.set_seed(seed);
  run.train.set_work_dir(JoinPath(run.folder, "run"));
  if (run.train.data().cache_dir().empty()) {
    run.train.mutable_data()->set_cache_dir(JoinPath(grid.out_dir, "cache"));
  }
  run.judged = run.train;
  *run.judged.mutable_eval() = configs.evaluation;
  run.judged.mutable_eval()->clear_every_steps();
  for (config::TrainConfig* config : {&run.train, &run.judged}) {
    if (!config->eval().has_sample_seed()) {
      config->mutable_eval()->set_sample_seed(grid.seeds.front());
    }
    absl::Status valid = ResolveSchemas(*config);
    if (valid.ok()) {
      ResolveDefaults(*config);
      valid = ValidateTrainConfig(*config);
    }
    if (!valid.ok()) {
      return absl::Status(valid.code(),
                          absl::StrCat("cell ", run.name, ": ", std::string(valid.message())));
    }
  }
  return run;
}

absl::Status CheckRest(absl::string_view file, const config::AblationConfig& config) {
  if (config.out_dir().empty()) return Wrong(file, "out_dir is missing");
  if (config.ranks_per_cell() < 1) {
    return Wrong(
        file, absl::StrCat("ranks_per_cell is ", config.ranks_per_cell(), ", expected at least 1"));
  }
  const config::Bootstrap& bootstrap = config.bootstrap();
  if (bootstrap.draws() < 1 || bootstrap.draws() > kMostDraws) {
    return Wrong(file, absl::StrCat("bootstrap.draws is ", bootstrap.draws(), ", expected 1 to ",
                                    kMostDraws));
  }
  if (!(bootstrap.confidence() > 0 && bootstrap.confidence() < 1)) {
    return Wrong(file, absl::StrCat("bootstrap.confidence is ", bootstrap.confidence(),
                                    ", expected a number between 0 and 1, such as 0.95"));
  }
  return CheckOverrides(file, config.override());
}

absl::Status TakeSeeds(absl::string_view file, const config::TrainConfig& base,
                       AblationGrid& grid) {
  grid.seeds.assign(grid.config.seed().begin(), grid.config.seed().end());
  if (grid.seeds.empty()) grid.seeds.push_back(base.seed());
  if (std::set<uint64_t>(grid.seeds.begin(), grid.seeds.end()).size() != grid.seeds.size()) {
    return Wrong(file, "a seed is named twice");
  }
  return absl::OkStatus();
}

absl::Status TakeBaseline(absl::string_view file, AblationGrid& grid) {
  if (!grid.config.has_baseline()) return absl::OkStatus();
  std::vector<std::string> names;
  for (const AblationArm& arm : grid.arms) names.push_back(arm.name);
  const auto found = std::find(names.begin(), names.end(), grid.config.baseline());
  if (found == names.end()) {
    return Wrong(
        file, absl::StrCat("baseline is \"", OneLine(grid.config.baseline()), "\"; did you mean \"",
                           NearestName(grid.config.baseline(), names), "\"?"));
  }
  grid.baseline = static_cast<size_t>(found - names.begin());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AblationGrid> ParseAblation(absl::string_view text, const std::string& file) {
  AblationGrid grid;
  RETURN_IF_ERROR(ParseText(text, file, grid.config));
  RETURN_IF_ERROR(CheckRest(file, grid.config));
  const std::vector<config::Axis> axes = AxesOf(grid.config);
  RETURN_IF_ERROR(CheckAxes(file, axes));
  grid.out_dir = grid.config.out_dir();
  ASSIGN_OR_RETURN(const config::TrainConfig base, ReadBase(file, grid.config));
  RETURN_IF_ERROR(TakeSeeds(file, base, grid));
  std::vector<Variants> arms = Product(axes);
  RETURN_IF_ERROR(KeepNamed(file, grid.config, arms));
  if (arms.size() * grid.seeds.size() > kMostCells) {
    return Wrong(file, absl::StrCat("the grid has more than ", kMostCells, " cells"));
  }
  std::vector<ArmConfigs> configs;
  for (const Variants& arm : arms) {
    ArmConfigs made = {.train = base, .evaluation = {}};
    for (const config::Variant* variant : arm) {
      RETURN_IF_ERROR(ApplyVariant(file, *variant, made.train));
    }
    made.evaluation = grid.config.has_evaluation() ? grid.config.evaluation() : made.train.eval();
    if (made.evaluation.source().empty()) {
      return Wrong(file, "nothing to evaluate on: give `evaluation`, or `eval` in the base");
    }
    grid.arms.push_back({.name = NameOf(arm), .changes = ChangesOf(arm)});
    configs.push_back(std::move(made));
  }
  RETURN_IF_ERROR(TakeBaseline(file, grid));
  for (const uint64_t seed : grid.seeds) {
    for (size_t arm = 0; arm < arms.size(); ++arm) {
      ASSIGN_OR_RETURN(AblationRun run, MakeRun(grid, configs[arm], arm, seed));
      grid.runs.push_back(std::move(run));
    }
  }
  return grid;
}

absl::StatusOr<AblationGrid> ReadAblation(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseAblation(text, path);
}

config::AblationCell IdentityOf(const AblationRun& run) {
  config::AblationCell cell;
  *cell.mutable_train() = run.train;
  *cell.mutable_evaluation() = run.judged.eval();
  config::TrainConfig& train = *cell.mutable_train();
  train.clear_work_dir();
  train.clear_threads();
  train.clear_mesh();
  train.clear_report();
  train.mutable_data()->clear_cache_dir();
  const config::ComputeDType weights = train.checkpoint().weights();
  train.clear_checkpoint();
  train.mutable_checkpoint()->set_weights(weights);
  return cell;
}

std::string FirstDifference(const config::AblationCell& before, const config::AblationCell& now) {
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  if (differencer.Compare(before, now)) return "";
  const std::string line = report.substr(0, report.find('\n'));
  // "modified: train.steps: 1 -> 2"; "added: " and "deleted: " stay, as they have one value only.
  constexpr absl::string_view kModified = "modified: ";
  return OneLine(absl::StartsWith(line, kModified) ? line.substr(kModified.size()) : line);
}

}  // namespace frond
