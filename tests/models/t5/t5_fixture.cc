#include "tests/models/t5/t5_fixture.h"

#include "core/ops/elementwise.h"

namespace frond {

View MapSink::Open(Context& ctx, Param& param) {
  if (grads_.size() <= static_cast<size_t>(param.index)) grads_.resize(param.index + 1);
  Tensor& grad = grads_[param.index];
  if (grad.empty()) {
    grad = Tensor(ctx, param.shape, param.value.dtype(), MemoryKind::kGradients);
    Fill(ctx, 0, grad);
  }
  return grad;
}

double RelativeError(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

std::vector<double> Values(ConstView view) {
  std::vector<double> values;
  VisitFloatType(view.dtype, [&](auto element) {
    using T = decltype(element);
    const T* data = view.As<T>();
    for (int64_t i = 0; i < view.num_elements(); ++i) {
      values.push_back(static_cast<double>(static_cast<Accumulator<T>>(data[i])));
    }
  });
  return values;
}

T5Fixture::T5Fixture(const std::string& name) : folder("models/t5/fixtures/" + name) {
  auto opened = SafetensorsReader::Open(folder + "/expected.safetensors");
  EXPECT_TRUE(opened.ok()) << opened.status();
  expected = *std::move(opened);
  opened = SafetensorsReader::Open(folder + "/expected_bf16_weights.safetensors");
  EXPECT_TRUE(opened.ok()) << opened.status();
  expected_bf16 = *std::move(opened);
  batch.source_ids = Integers("source_ids");
  batch.source_offsets = Integers("source_offsets");
  batch.target_ids = Integers("target_ids");
  batch.target_offsets = Integers("target_offsets");
  for (int64_t i = 0; i < batch.num_examples(); ++i) batch.example_keys.push_back(i);
}

std::unique_ptr<T5Model> T5Fixture::Load(const T5Options& options) {
  const auto config = ReadT5Config(folder);
  EXPECT_TRUE(config.ok()) << config.status();
  auto model = std::make_unique<T5Model>(*config, options);
  const absl::Status loaded = LoadT5Weights(ctx, folder, *model);
  EXPECT_TRUE(loaded.ok()) << loaded;
  model->params().PrepareCompute(ctx, /*for_training=*/true);
  return model;
}

std::vector<double> T5Fixture::ReadDoubles(const SafetensorsReader& reader,
                                           const std::string& name) const {
  const SafetensorsEntry* entry = reader.Find(name);
  EXPECT_NE(entry, nullptr) << name;
  Shape shape;
  for (const int64_t dim : entry->dims) shape.Append(dim);
  std::vector<double> values(static_cast<size_t>(shape.num_elements()));
  EXPECT_TRUE(reader.Read(name, {values.data(), shape, DType::kF64}).ok());
  return values;
}

std::vector<int32_t> T5Fixture::Integers(const std::string& name) const {
  const SafetensorsEntry* entry = expected->Find(name);
  EXPECT_NE(entry, nullptr) << name;
  std::vector<int32_t> values(static_cast<size_t>(entry->dims[0]));
  EXPECT_TRUE(expected->Read(name, {values.data(), Shape{entry->dims[0]}, DType::kI32}).ok());
  return values;
}

std::vector<double> T5Fixture::PerExampleWeights() const {
  std::vector<double> weights;
  for (int64_t e = 0; e < batch.num_examples(); ++e) {
    const int32_t length = batch.target_offsets[e + 1] - batch.target_offsets[e];
    weights.insert(weights.end(), length,
                   1.0 / (static_cast<double>(length) * static_cast<double>(batch.num_examples())));
  }
  return weights;
}

}  // namespace frond
