// A folder of one test, removed with it, and small tensors to fill files with.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "checkpoint/named_tensor.h"
#include "core/base/file.h"
#include "core/tensor/tensor.h"

namespace frond {

class TempFolder {
 public:
  TempFolder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    path_ = absl::StrCat(testing::TempDir(), "/frond_", ::getpid(), "_", info->name());
    EXPECT_TRUE(RemoveRecursively(path_).ok());
    EXPECT_TRUE(CreateDirectories(path_).ok());
  }
  ~TempFolder() { EXPECT_TRUE(RemoveRecursively(path_).ok()); }
  const std::string& path() const { return path_; }
  std::string operator/(absl::string_view name) const { return JoinPath(path_, name); }

 private:
  std::string path_;
};

// A seed that differs from run to run and is shown where a test fails.
inline uint64_t FreshSeed() {
  const uint64_t seed = std::random_device{}();
  testing::Test::RecordProperty("seed", absl::StrCat(seed));
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// Owns tensors that tests name and fill.
class TensorBag {
 public:
  explicit TensorBag(uint64_t seed) : random_(seed) {}

  // Normal values, each exactly a value of `dtype`.
  View Add(const std::string& name, Shape shape, DType dtype) {
    View view = Make(name, shape, dtype);
    std::normal_distribution<float> normal;
    if (dtype == DType::kI32) {
      for (int64_t i = 0; i < view.num_elements(); ++i) {
        view.As<int32_t>()[i] = static_cast<int32_t>(random_());
      }
      return view;
    }
    VisitFloatType(dtype, [&](auto t) {
      using T = decltype(t);
      for (int64_t i = 0; i < view.num_elements(); ++i) view.As<T>()[i] = T(normal(random_));
    });
    return view;
  }
  // Zeros.
  View Make(const std::string& name, Shape shape, DType dtype) {
    View view{nullptr, shape, dtype};
    memory_.push_back(std::make_unique<std::vector<char>>(view.bytes() + 1));
    view.data = memory_.back()->data();
    tensors_.push_back({name, view});
    return view;
  }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }

 private:
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<std::vector<char>>> memory_;
  std::vector<NamedTensor> tensors_;
};

inline std::string BytesOf(ConstView view) {
  return std::string(static_cast<const char*>(view.data), view.bytes());
}

}  // namespace frond
