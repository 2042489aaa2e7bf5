// What a run is going to be, as a table printed before its first step: model, parameters, memory by
// kind, mesh, mixture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace frond {

struct RunTable {
  // A line of the heading, e.g. {"model", "mt5-small, fresh"} or {"mesh", "data 2 x tensor 1"}.
  struct Fact {
    std::string name;
    std::string value;
  };
  struct Parameters {
    std::string part;  // "embedding", "encoder", ...
    int64_t count = 0;
  };
  // Bytes per rank.
  struct Memory {
    std::string kind;  // "parameters", "gradients", "optimizer state", ...
    int64_t bytes = 0;
  };
  // A leaf of the mixture.
  struct Leaf {
    std::string source;
    std::string language;
    int64_t examples = 0;
    double share = 0;      // of the stream's examples, 0 .. 1
    double epochs = 0;     // passes over the leaf in the whole run
    double truncated = 0;  // share of its examples that lose tokens, 0 .. 1
  };
  struct Packing {
    bool planned = false;
    double source_filled = 0;  // share of a row's tokens that are real, 0 .. 1
    double target_filled = 0;
    double examples_per_row = 0;
  };

  std::vector<Fact> facts;
  std::vector<Parameters> parameters;
  std::vector<Memory> memory;
  std::vector<Leaf> mixture;
  Packing packing;
  // Leaves beyond these, by falling share, are summed up in one line.
  size_t max_leaves = 20;
};

// Lines that each end with a line feed.
std::string FormatRunTable(const RunTable& table);

}  // namespace frond
