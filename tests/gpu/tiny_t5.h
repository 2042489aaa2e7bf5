// A T5 that is small enough for the emulator and has heads for the tensor cores' attention.
#pragma once

#include "models/t5/t5_config.h"

namespace frond::testing {

inline T5Config TinyConfig() {
  T5Config config;
  config.vocab_size = 320;
  config.d_model = 64;
  config.d_kv = 32;
  config.d_ff = 128;
  config.num_heads = 2;
  config.num_layers = config.num_decoder_layers = 2;
  return config;
}

}  // namespace frond::testing
