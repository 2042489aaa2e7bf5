#include "core/ops/cuda/cudnn_pass.h"

#include <limits>
#include <utility>

#include "core/base/status_macros.h"
#include "core/tensor/cuda/runtime.h"

namespace frond::cuda {

absl::StatusOr<CudnnSession> CudnnSession::Open() {
  ASSIGN_OR_RETURN(const CudnnLibrary cudnn, CudnnLibrary::Load());
  cudnnHandle_t handle = nullptr;
  RETURN_IF_ERROR(cudnn.Check(cudnn.create(&handle), "cudnnCreate"));
  return CudnnSession(cudnn, handle);
}

absl::StatusOr<CudnnBuiltPass> BuildPass(const CudnnLibrary& cudnn, const CudnnSegments& segments,
                                         const CudnnAttentionOptions& options, CudnnPass pass,
                                         const CudnnTarget& target) {
  CudnnAttentionGraph made = MakeAttentionGraph(cudnn, segments, options, pass);
  ASSIGN_OR_RETURN(CudnnGraph::Plan plan, made.graph.Build(target));
  return CudnnBuiltPass{std::move(made.ids), std::move(plan)};
}

void CudnnOperands::AddNumbers(const CudnnAttentionIds& ids) {
  static constexpr float kOne = 1, kMinusInfinity = -std::numeric_limits<float>::infinity();
  Add(ids.one, &kOne);
  Add(ids.scale, &kOne);
  Add(ids.minus_infinity, &kMinusInfinity);
}

absl::Status RunPass(Context& ctx, const CudnnSession& session, const CudnnGraph::Plan& plan,
                     const CudnnOperands& operands) {
  const CudnnLibrary& cudnn = session.cudnn();
  const Tensor workspace(ctx, {(plan.workspace_bytes + 3) / 4}, DType::kF32,
                         MemoryKind::kWorkspace);
  void* const scratch = const_cast<void*>(workspace.view().data);
  cudnnBackendDescriptor_t raw = nullptr;
  RETURN_IF_ERROR(cudnn.Check(cudnn.create_descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &raw),
                              "the operands"));
  const CudnnDescriptor pack(raw, {cudnn.destroy_descriptor});
  const auto count = static_cast<int64_t>(operands.ids().size());
  RETURN_IF_ERROR(cudnn.Check(cudnn.set_attribute(raw, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                                  CUDNN_TYPE_INT64, count, operands.ids().data()),
                              "the operands' names"));
  RETURN_IF_ERROR(
      cudnn.Check(cudnn.set_attribute(raw, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                      CUDNN_TYPE_VOID_PTR, count, operands.addresses().data()),
                  "the operands' addresses"));
  RETURN_IF_ERROR(cudnn.Check(
      cudnn.set_attribute(raw, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &scratch),
      "the workspace"));
  RETURN_IF_ERROR(cudnn.Check(cudnn.finalize(raw), "the operands"));
  RETURN_IF_ERROR(cudnn.Check(cudnn.set_stream(session.handle(), StreamOf(ctx)), "cudnnSetStream"));
  return cudnn.Check(cudnn.execute(session.handle(), plan.plan.get(), raw), "attention");
}

}  // namespace frond::cuda
