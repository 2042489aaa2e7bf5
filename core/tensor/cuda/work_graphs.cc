#include "core/tensor/cuda/work_graphs.h"

namespace frond::cuda {

WorkGraphs::~WorkGraphs() {
  for (auto& [part, graph] : graphs_) {
    if (graph.executable != nullptr) FROND_CUDA_CHECK(cudaGraphExecDestroy(graph.executable));
  }
}

bool WorkGraphs::HasRun(const WorkKey& key) {
  const bool is_new = graphs_[PartOf(key)].shapes.insert(key.shape).second;
  if (is_new) ++counts_.plain_runs;
  return !is_new;
}

void WorkGraphs::TakeOver(cudaGraph_t captured, Graph& graph) {
  if (graph.executable != nullptr) {
    // Kernels, sizes and addresses may differ, kinds of nodes and their order may not.
    cudaGraphExecUpdateResultInfo info = {};
    if (cudaGraphExecUpdate(graph.executable, captured, &info) == cudaSuccess) return;
    (void)cudaGetLastError();
    // One that still runs is freed when it is done.
    FROND_CUDA_CHECK(cudaGraphExecDestroy(graph.executable));
    graph.executable = nullptr;
  }
  FROND_CUDA_CHECK(cudaGraphInstantiate(&graph.executable, captured, 0));
  ++counts_.instantiated;
}

void WorkGraphs::CaptureAndLaunch(const WorkKey& key, const std::function<void()>& work) {
  Graph& graph = graphs_[PartOf(key)];
  // Other threads may have ranks of their own, whose calls are none of this capture's.
  FROND_CUDA_CHECK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  work();
  cudaGraph_t captured = nullptr;
  FROND_CUDA_CHECK(cudaStreamEndCapture(stream_, &captured));
  size_t nodes = 0;
  FROND_CUDA_CHECK(cudaGraphGetNodes(captured, nullptr, &nodes));
  if (nodes == 0) {  // the work had nothing to do
    FROND_CUDA_CHECK(cudaGraphDestroy(captured));
    return;
  }
  TakeOver(captured, graph);
  FROND_CUDA_CHECK(cudaGraphDestroy(captured));
  FROND_CUDA_CHECK(cudaGraphLaunch(graph.executable, stream_));
  ++counts_.launches;
  counts_.nodes += static_cast<int64_t>(nodes);
}

}  // namespace frond::cuda
