// A tiny T5 with what Transformers computes for it (tests/models/t5/fixtures/README.md).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "data/batch.h"
#include "models/t5/t5_folder.h"
#include "models/t5/t5_model.h"

namespace frond {

// Keeps gradients in one tensor per parameter.
class MapSink : public GradSink {
 public:
  View Open(Context& ctx, Param& param) override;
  void Close(Context&, Param&) override {}
  const Tensor& Of(const Param& param) const { return grads_.at(param.index); }

 private:
  std::vector<Tensor> grads_;
};

// ||a - b|| / ||b||.
double RelativeError(const std::vector<double>& a, const std::vector<double>& b);
std::vector<double> Values(ConstView view);

struct T5Fixture {
  explicit T5Fixture(const std::string& name);

  std::unique_ptr<T5Model> Load(const T5Options& options);
  std::vector<double> Expected(const std::string& name) const {
    return ReadDoubles(*expected, name);
  }
  std::vector<double> ReadDoubles(const SafetensorsReader& reader, const std::string& name) const;
  std::vector<int32_t> Integers(const std::string& name) const;
  // Per target token 1 / (tokens of its example * examples), or 1 / tokens.
  std::vector<double> PerExampleWeights() const;

  CpuAllocator memory;
  Context ctx{memory};
  std::string folder;
  std::unique_ptr<SafetensorsReader> expected;
  std::unique_ptr<SafetensorsReader> expected_bf16;
  Batch batch;
};

}  // namespace frond
