// CUDA graphs of repeated work, on one stream.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "core/tensor/cuda/runtime.h"
#include "core/tensor/cuda_device.h"
#include "core/tensor/repeated_work.h"

namespace frond::cuda {

class WorkGraphs {
 public:
  explicit WorkGraphs(cudaStream_t stream) : stream_(stream) {}
  ~WorkGraphs();
  WorkGraphs(const WorkGraphs&) = delete;
  WorkGraphs& operator=(const WorkGraphs&) = delete;

  // Whether work of this key has run before; from now on it has.
  bool HasRun(const WorkKey& key);
  // Captures what `work` enqueues and launches it as one graph. The key's part keeps an executable
  // graph, which takes over the arguments where the launches are alike.
  void CaptureAndLaunch(const WorkKey& key, const std::function<void()>& work);

  const CudaGraphCounts& counts() const { return counts_; }

 private:
  using Part = std::pair<const void*, int64_t>;
  struct Graph {
    cudaGraphExec_t executable = nullptr;
    std::set<int64_t> shapes;  // that have run
  };

  static Part PartOf(const WorkKey& key) { return {key.owner, key.part}; }
  void TakeOver(cudaGraph_t captured, Graph& graph);

  cudaStream_t stream_;
  std::map<Part, Graph> graphs_;
  CudaGraphCounts counts_;
};

}  // namespace frond::cuda
