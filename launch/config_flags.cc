#include "launch/config_flags.h"

#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/status_macros.h"

namespace frond {

std::vector<FlagSpec> ConfigFlags() {
  return {{.name = "config",
           .value_hint = "FILE",
           .help = "text-format config; fields: configs/train.proto",
           .required = true},
          {.name = "set",
           .value_hint = "PATH=VALUE",
           .help = "override a field, e.g. batch.rows=64",
           .repeated = true}};
}

absl::StatusOr<config::TrainConfig> ReadConfigOfFlags(const Flags& flags) {
  ASSIGN_OR_RETURN(config::TrainConfig config,
                   ReadConfig(flags.Get("config"), flags.GetAll("set")));
  ResolveDefaults(config);
  RETURN_IF_ERROR(ValidateTrainConfig(config));
  return config;
}

}  // namespace frond
