#include "launch/config_flags.h"

#include "configs/config_reader.h"
#include "configs/train_defaults.h"
#include "configs/train_validation.h"
#include "core/base/status_macros.h"
#include "launch/compute_device.h"

namespace frond {

std::vector<FlagSpec> ConfigFlags() {
  return {{.name = "config",
           .value_hint = "FILE",
           .help = "text-format config; fields: configs/train.proto",
           .required = true},
          {.name = "set",
           .value_hint = "PATH=VALUE",
           .help = "override a field, e.g. batch.rows=64",
           .repeated = true},
          {.name = "device",
           .value_hint = "DEVICE",
           .help = "CPU, CUDA or AUTO; as --set device=DEVICE"}};
}

absl::StatusOr<config::TrainConfig> ReadConfigOfFlags(const Flags& flags) {
  ASSIGN_OR_RETURN(config::TrainConfig config,
                   ReadConfig(flags.Get("config"), flags.GetAll("set")));
  if (flags.Has("device")) {
    ASSIGN_OR_RETURN(const config::Device device, ParseDevice(flags.Get("device")));
    config.set_device(device);
  }
  ResolveDefaults(config);
  RETURN_IF_ERROR(ValidateTrainConfig(config));
  return config;
}

}  // namespace frond
