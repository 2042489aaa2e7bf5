// Operation graphs of cuDNN 9 (its backend descriptors): tensors and operations are named, then one
// plan is built that computes them all.
//
// cuDNN matches graphs against patterns that it knows: what a pattern needs is in the file that
// makes the graph. Whatever cuDNN refuses is kept as the first error and comes back from Build.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/ops/cuda/cudnn_library.h"

namespace frond::cuda {

// A backend descriptor and the function of the library that destroys it.
struct CudnnDestroyer {
  decltype(&cudnnBackendDestroyDescriptor) destroy = nullptr;
  void operator()(cudnnBackendDescriptor_t descriptor) const { destroy(descriptor); }
};
using CudnnDescriptor =
    std::unique_ptr<std::remove_pointer_t<cudnnBackendDescriptor_t>, CudnnDestroyer>;

// The device a plan is for: a handle's, or one described by the JSON text that cuDNN itself writes
// for a device (`properties`), which needs no GPU.
struct CudnnTarget {
  cudnnHandle_t handle = nullptr;
  std::string properties;
};

class CudnnGraph {
 public:
  using Id = int64_t;
  static constexpr Id kNone = 0;
  using Dims = std::array<int64_t, 4>;

  explicit CudnnGraph(const CudnnLibrary& cudnn) : cudnn_(cudnn) {}

  struct TensorSpec {
    Dims dims, strides;
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    // Exists only inside the kernel.
    bool is_virtual = false;
    // One number in host memory.
    bool by_value = false;
    // Where each of dims[0] parts begins, in elements: a tensor of dims[0] + 1.
    Id offsets = kNone;
  };
  Id Tensor(const TensorSpec& spec);

  struct PointwiseSpec {
    cudnnPointwiseMode_t mode;
    Id x, b = kNone, predicate = kNone;
    cudnnDataType_t compute = CUDNN_DATA_FLOAT;
    int64_t axis = -1;  // of CUDNN_POINTWISE_GEN_INDEX
  };
  void Pointwise(const PointwiseSpec& spec, Id y);

  // c = a b. Where lengths are given, [batch, 1, 1, 1] i32, the product is limited to them.
  struct MatMulSpec {
    Id a, b;
    Id m_length = kNone, n_length = kNone, k_length = kNone;
  };
  void MatMul(const MatMulSpec& spec, Id c);

  // Over the dimensions that are 1 in y.
  void Reduce(cudnnReduceTensorOp_t reduction, Id x, Id y);
  // y is x with other dimensions or strides.
  void Reshape(Id x, Id y);

  struct Plan {
    CudnnDescriptor plan;  // null where the target has no handle
    int64_t workspace_bytes = 0;
    int64_t engine = -1;  // cuDNN's number of it
  };
  // The first plan of cuDNN's heuristics that it can build.
  absl::StatusOr<Plan> Build(const CudnnTarget& target);

 private:
  CudnnDescriptor Create(cudnnBackendDescriptorType_t type);
  template <class T>
  void Set(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name,
           cudnnBackendAttributeType_t type, std::span<const T> values);
  template <class T>
  void SetOne(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name,
              cudnnBackendAttributeType_t type, T value) {
    Set<T>(descriptor, name, type, {&value, 1});
  }
  void SetTensor(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name, Id id);
  void SetDescriptor(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name,
                     const CudnnDescriptor& value) {
    SetOne(descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.get());
  }
  void Finalize(const CudnnDescriptor& descriptor, const char* what);
  void AddOperation(CudnnDescriptor operation, const char* what);
  void Note(cudnnStatus_t status, const char* what);
  CudnnDescriptor MakeOperationGraph(const CudnnTarget& target);
  CudnnDescriptor MakeProperties(const CudnnTarget& target);
  std::vector<CudnnDescriptor> Propose(const CudnnDescriptor& graph,
                                       const CudnnDescriptor& properties);
  absl::StatusOr<Plan> BuildOne(const CudnnTarget& target, CudnnDescriptor config);

  CudnnLibrary cudnn_;
  absl::Status status_;
  std::vector<CudnnDescriptor> tensors_;  // Id i is at i - 1
  std::vector<CudnnDescriptor> parts_;    // what operations refer to
  std::vector<CudnnDescriptor> operations_;
};

}  // namespace frond::cuda
