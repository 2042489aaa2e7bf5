// One pass of attention through cuDNN: its plan, the addresses it is given, and how it is run.
#pragma once

#include <memory>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/ops/cuda/cudnn_attention_graph.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

// cuDNN's functions and a handle on the calling thread's device.
class CudnnSession {
 public:
  // Errors: see CudnnLibrary::Load; or the device is not one for cuDNN.
  static absl::StatusOr<CudnnSession> Open();

  const CudnnLibrary& cudnn() const { return cudnn_; }
  cudnnHandle_t handle() const { return handle_.get(); }

 private:
  using Handle = std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, decltype(&cudnnDestroy)>;
  CudnnSession(const CudnnLibrary& cudnn, cudnnHandle_t handle)
      : cudnn_(cudnn), handle_(handle, cudnn.destroy) {}

  CudnnLibrary cudnn_;
  Handle handle_;
};

struct CudnnBuiltPass {
  CudnnAttentionIds ids;
  CudnnGraph::Plan plan;
};
absl::StatusOr<CudnnBuiltPass> BuildPass(const CudnnLibrary& cudnn, const CudnnSegments& segments,
                                         const CudnnAttentionOptions& options, CudnnPass pass,
                                         const CudnnTarget& target);

// Addresses by the graph's ids; ids that a graph does not have are left out.
class CudnnOperands {
 public:
  void Add(CudnnGraph::Id id, const void* address) {
    if (id == CudnnGraph::kNone) return;
    ids_.push_back(id);
    // cuDNN takes what it reads and what it writes in one list.
    addresses_.push_back(const_cast<void*>(address));
  }
  // The numbers in host memory: one, one, and minus infinity.
  void AddNumbers(const CudnnAttentionIds& ids);
  const std::vector<CudnnGraph::Id>& ids() const { return ids_; }
  const std::vector<void*>& addresses() const { return addresses_; }

 private:
  std::vector<CudnnGraph::Id> ids_;
  std::vector<void*> addresses_;
};

// Enqueues the pass on the context's stream; its workspace is taken from the context for the call.
absl::Status RunPass(Context& ctx, const CudnnSession& session, const CudnnGraph::Plan& plan,
                     const CudnnOperands& operands);

}  // namespace frond::cuda
