#include "core/ops/cuda/cudnn_graph.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace frond::cuda {
namespace {

constexpr int64_t kAlignment = 16;
// Proposals that are tried before the graph counts as not supported.
constexpr int64_t kMostProposals = 8;

template <class T>
T Get(const CudnnLibrary& cudnn, const CudnnDescriptor& descriptor,
      cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T otherwise) {
  int64_t count = 0;
  T value = otherwise;
  const cudnnStatus_t status = cudnn.get_attribute(descriptor.get(), name, type, 1, &count, &value);
  return status == CUDNN_STATUS_SUCCESS && count == 1 ? value : otherwise;
}

}  // namespace

void CudnnGraph::Note(cudnnStatus_t status, const char* what) {
  if (status_.ok()) status_ = cudnn_.Check(status, what);
}

CudnnDescriptor CudnnGraph::Create(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t descriptor = nullptr;
  Note(cudnn_.create_descriptor(type, &descriptor), "a descriptor");
  return CudnnDescriptor(descriptor, {cudnn_.destroy_descriptor});
}

template <class T>
void CudnnGraph::Set(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name,
                     cudnnBackendAttributeType_t type, std::span<const T> values) {
  if (!status_.ok()) return;
  Note(cudnn_.set_attribute(descriptor.get(), name, type, static_cast<int64_t>(values.size()),
                            values.data()),
       "an attribute");
  if (!status_.ok()) {
    status_ = absl::FailedPreconditionError(
        absl::StrCat(status_.message(), " (attribute ", static_cast<int>(name), ")"));
  }
}

void CudnnGraph::SetTensor(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name,
                           Id id) {
  if (id == kNone) return;
  CHECK(id > 0 && id <= static_cast<Id>(tensors_.size())) << id;
  SetDescriptor(descriptor, name, tensors_[static_cast<size_t>(id - 1)]);
}

void CudnnGraph::Finalize(const CudnnDescriptor& descriptor, const char* what) {
  if (status_.ok()) Note(cudnn_.finalize(descriptor.get()), what);
}

void CudnnGraph::AddOperation(CudnnDescriptor operation, const char* what) {
  Finalize(operation, what);
  operations_.push_back(std::move(operation));
}

CudnnGraph::Id CudnnGraph::Tensor(const TensorSpec& spec) {
  CudnnDescriptor tensor = Create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const auto id = static_cast<Id>(tensors_.size() + 1);
  SetOne(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  SetOne(tensor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, spec.type);
  SetOne(tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
  Set<int64_t>(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, spec.dims);
  Set<int64_t>(tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, spec.strides);
  SetOne(tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, spec.is_virtual);
  SetOne(tensor, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, spec.by_value);
  SetTensor(tensor, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, spec.offsets);
  Finalize(tensor, "a tensor");
  tensors_.push_back(std::move(tensor));
  return id;
}

void CudnnGraph::Pointwise(const PointwiseSpec& spec, Id y) {
  CudnnDescriptor part = Create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  SetOne(part, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, spec.mode);
  SetOne(part, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, spec.compute);
  if (spec.axis >= 0) SetOne(part, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, spec.axis);
  Finalize(part, "a pointwise descriptor");
  CudnnDescriptor operation = Create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  SetDescriptor(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, part);
  SetTensor(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, spec.x);
  SetTensor(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, spec.b);
  SetTensor(operation, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, spec.predicate);
  SetTensor(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  parts_.push_back(std::move(part));
  AddOperation(std::move(operation), "a pointwise operation");
}

void CudnnGraph::MatMul(const MatMulSpec& spec, Id c) {
  CudnnDescriptor part = Create(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  SetOne(part, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  Finalize(part, "a product's descriptor");
  CudnnDescriptor operation = Create(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  SetDescriptor(operation, CUDNN_ATTR_OPERATION_MATMUL_DESC, part);
  SetTensor(operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC, spec.a);
  SetTensor(operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC, spec.b);
  SetTensor(operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
  SetTensor(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, spec.m_length);
  SetTensor(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC, spec.n_length);
  SetTensor(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC, spec.k_length);
  parts_.push_back(std::move(part));
  AddOperation(std::move(operation), "a product");
}

void CudnnGraph::Reduce(cudnnReduceTensorOp_t reduction, Id x, Id y) {
  CudnnDescriptor part = Create(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  SetOne(part, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, reduction);
  SetOne(part, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  Finalize(part, "a reduction's descriptor");
  CudnnDescriptor operation = Create(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  SetDescriptor(operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC, part);
  SetTensor(operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
  SetTensor(operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
  parts_.push_back(std::move(part));
  AddOperation(std::move(operation), "a reduction");
}

void CudnnGraph::Reshape(Id x, Id y) {
  CudnnDescriptor operation = Create(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
  SetTensor(operation, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
  SetTensor(operation, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
  AddOperation(std::move(operation), "a reshape");
}

CudnnDescriptor CudnnGraph::MakeOperationGraph(const CudnnTarget& target) {
  CudnnDescriptor graph = Create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const CudnnDescriptor& operation : operations_) operations.push_back(operation.get());
  Set<cudnnBackendDescriptor_t>(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                operations);
  if (target.handle != nullptr) {
    SetOne(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  }
  Finalize(graph, "the operation graph");
  return graph;
}

CudnnDescriptor CudnnGraph::MakeProperties(const CudnnTarget& target) {
  if (target.handle != nullptr) return nullptr;
  CudnnDescriptor properties = Create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  Set<char>(properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            target.properties);
  Finalize(properties, "the description of the device");
  return properties;
}

std::vector<CudnnDescriptor> CudnnGraph::Propose(const CudnnDescriptor& graph,
                                                 const CudnnDescriptor& properties) {
  CudnnDescriptor heuristics = Create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  SetDescriptor(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  SetOne(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
  if (properties != nullptr) {
    SetDescriptor(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, properties);
  }
  Finalize(heuristics, "the heuristics");
  std::vector<CudnnDescriptor> configs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < kMostProposals; ++i) {
    configs.push_back(Create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    raw.push_back(configs.back().get());
  }
  if (!status_.ok()) return {};
  int64_t count = 0;
  Note(cudnn_.get_attribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                            CUDNN_TYPE_BACKEND_DESCRIPTOR, kMostProposals, &count, raw.data()),
       "the heuristics' proposals");
  configs.resize(static_cast<size_t>(std::min(count, kMostProposals)));
  return configs;
}

absl::StatusOr<CudnnGraph::Plan> CudnnGraph::BuildOne(const CudnnTarget& target,
                                                      CudnnDescriptor config) {
  Plan built;
  const CudnnDescriptor engine = Create(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.get();
  int64_t count = 0;
  RETURN_IF_ERROR(cudnn_.Check(cudnn_.get_attribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                                    CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
                               "the engine of a proposal"));
  built.engine =
      Get<int64_t>(cudnn_, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, built.engine);
  if (target.handle == nullptr) {
    RETURN_IF_ERROR(
        cudnn_.Check(cudnn_.get_attribute(config.get(), CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE,
                                          CUDNN_TYPE_INT64, 1, &count, &built.workspace_bytes),
                     "the workspace of a proposal"));
    return built;
  }
  built.plan = Create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  SetOne(built.plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  SetDescriptor(built.plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  RETURN_IF_ERROR(status_);
  RETURN_IF_ERROR(cudnn_.Check(cudnn_.finalize(built.plan.get()), "a plan"));
  built.workspace_bytes = Get<int64_t>(cudnn_, built.plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                       CUDNN_TYPE_INT64, 0);
  return built;
}

absl::StatusOr<CudnnGraph::Plan> CudnnGraph::Build(const CudnnTarget& target) {
  const CudnnDescriptor properties = MakeProperties(target);
  const CudnnDescriptor graph = MakeOperationGraph(target);
  std::vector<CudnnDescriptor> configs = Propose(graph, properties);
  RETURN_IF_ERROR(status_);
  absl::Status refused = absl::FailedPreconditionError(
      absl::StrCat("cuDNN ", cudnn_.version_text(), " has no engine for the graph"));
  for (CudnnDescriptor& config : configs) {
    absl::StatusOr<Plan> built = BuildOne(target, std::move(config));
    if (built.ok()) return built;
    refused = built.status();
  }
  return refused;
}

}  // namespace frond::cuda
