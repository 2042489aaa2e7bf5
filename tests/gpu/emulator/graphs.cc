// Emulator: streams and CUDA graphs. A capture keeps what would run, with its arguments; a launch
// runs it in that order.
#include <memory>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

struct FrondEmulatedNode {
  frond::emulator::Work kind;
  std::function<void()> run;
};
struct FrondEmulatedGraph {
  std::vector<FrondEmulatedNode> nodes;
};
struct FrondEmulatedStream {
  std::unique_ptr<FrondEmulatedGraph> capture;
};

namespace {

thread_local int captures = 0;  // that this thread has begun and not ended
thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

}  // namespace

namespace frond::emulator {

cudaError_t Enqueue(cudaStream_t stream, Work kind, const std::function<void()>& run) {
  if (Captures(stream)) {
    stream->capture->nodes.push_back({kind, run});
  } else {
    run();
  }
  return cudaSuccess;
}

bool Captures(cudaStream_t stream) { return stream != nullptr && stream->capture != nullptr; }

cudaError_t UnseenByCaptures() {
  const bool is_refused = captures > 0 && thread_mode != cudaStreamCaptureModeRelaxed;
  return is_refused ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

}  // namespace frond::emulator

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new FrondEmulatedStream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

// Of the modes, what Frond uses: other threads' calls are their own matter.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (mode != cudaStreamCaptureModeThreadLocal) return cudaErrorInvalidValue;
  if (stream->capture != nullptr) return cudaErrorIllegalState;
  stream->capture = std::make_unique<FrondEmulatedGraph>();
  ++captures;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (stream->capture == nullptr) return cudaErrorIllegalState;
  *graph = stream->capture.release();
  --captures;
  return cudaSuccess;
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(*mode, thread_mode);
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (nodes != nullptr) return cudaErrorInvalidValue;
  *count = graph->nodes.size();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new FrondEmulatedGraph(*graph);
  return cudaSuccess;
}
// As many nodes of the same kinds in the same order.
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo*) {
  if (executable->nodes.size() != graph->nodes.size()) return cudaErrorGraphExecUpdateFailure;
  for (size_t i = 0; i < graph->nodes.size(); ++i) {
    if (executable->nodes[i].kind != graph->nodes[i].kind) return cudaErrorGraphExecUpdateFailure;
  }
  *executable = *graph;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (frond::emulator::Captures(stream)) return cudaErrorStreamCaptureUnsupported;
  for (const FrondEmulatedNode& node : executable->nodes) node.run();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
