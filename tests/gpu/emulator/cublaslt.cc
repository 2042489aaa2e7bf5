// Emulator: cuBLASLt's products over oneDNN's SGEMM. It proposes three algorithms: two that give
// the same bits, and, where the caller allows it, one that sums in two parts and does not.
#include "cublasLt.h"

#include <algorithm>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "core/tensor/dtype.h"

struct FrondEmulatedBlas {};

namespace {

constexpr uint64_t kSplit = 3;
// What an algorithm's first words are.
enum AlgorithmWord { kId, kAlignment };
constexpr size_t kSplitWorkspace = 1 << 20;

template <class T>
cublasStatus_t Read(const void* value, size_t bytes, T& target) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&target, value, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

// m, n, k of a product whose layouts fit together, or all 0.
struct Extents {
  int64_t m = 0, n = 0, k = 0;
};
Extents ExtentsOf(const FrondEmulatedProduct& product, const FrondEmulatedLayout& a,
                  const FrondEmulatedLayout& b, const FrondEmulatedLayout& c,
                  const FrondEmulatedLayout& d) {
  const bool across_a = product.trans_a == CUBLAS_OP_T, across_b = product.trans_b == CUBLAS_OP_T;
  const uint64_t m = across_a ? a.columns : a.rows, k = across_a ? a.rows : a.columns;
  const uint64_t n = across_b ? b.rows : b.columns, k_of_b = across_b ? b.columns : b.rows;
  const bool fits = k == k_of_b && c.rows == m && c.columns == n && d.rows == m && d.columns == n;
  const bool types = a.type == b.type && c.type == d.type &&
                     (c.type == a.type || (a.type == CUDA_R_16BF && c.type == CUDA_R_32F));
  if (!fits || !types) return {};
  return {static_cast<int64_t>(m), static_cast<int64_t>(n), static_cast<int64_t>(k)};
}

size_t ElementSize(cudaDataType_t type) { return type == CUDA_R_16BF ? 2 : 4; }

// The matrix as densely stored f32, still column-major.
std::vector<float> Load(const void* data, const FrondEmulatedLayout& layout) {
  const auto rows = static_cast<int64_t>(layout.rows);
  const auto columns = static_cast<int64_t>(layout.columns);
  std::vector<float> values(static_cast<size_t>(rows * columns));
  for (int64_t column = 0; column < columns; ++column) {
    const int64_t at = column * layout.leading;
    float* target = values.data() + column * rows;
    if (layout.type == CUDA_R_32F) {
      std::copy_n(static_cast<const float*>(data) + at, rows, target);
    } else {
      const auto* source = static_cast<const frond::BFloat16*>(data) + at;
      for (int64_t row = 0; row < rows; ++row) target[row] = static_cast<float>(source[row]);
    }
  }
  return values;
}

void Store(const std::vector<float>& values, const FrondEmulatedLayout& layout, void* data) {
  const auto rows = static_cast<int64_t>(layout.rows);
  for (int64_t column = 0; column < static_cast<int64_t>(layout.columns); ++column) {
    const int64_t at = column * layout.leading;
    const float* source = values.data() + column * rows;
    if (layout.type == CUDA_R_32F) {
      std::copy_n(source, rows, static_cast<float*>(data) + at);
    } else {
      auto* target = static_cast<frond::BFloat16*>(data) + at;
      for (int64_t row = 0; row < rows; ++row) target[row] = frond::BFloat16(source[row]);
    }
  }
}

struct Matrices {
  std::vector<float> a, b;
  const FrondEmulatedProduct& product;
  Extents extents;
};

// Terms [begin, end) of op(a) op(b), column-major: for the row-major SGEMM, b^T a^T.
std::vector<float> Multiply(const Matrices& x, int64_t begin, int64_t end) {
  const auto [m, n, k] = x.extents;
  const bool across_a = x.product.trans_a == CUBLAS_OP_T;
  const bool across_b = x.product.trans_b == CUBLAS_OP_T;
  const float* a = x.a.data() + (across_a ? begin : begin * m);
  const float* b = x.b.data() + (across_b ? begin * n : begin);
  std::vector<float> result(static_cast<size_t>(m * n));
  dnnl_sgemm(across_b ? 'T' : 'N', across_a ? 'T' : 'N', n, m, end - begin, 1.0f, b,
             across_b ? n : k, a, across_a ? k : m, 0.0f, result.data(), m);
  return result;
}

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new FrondEmulatedBlas;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasLtGetStatusName(cublasStatus_t) { return "emulated cuBLASLt status"; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "emulated cuBLASLt status"; }

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          uint64_t rows, uint64_t columns, int64_t leading) {
  if (leading < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new FrondEmulatedLayout{type, rows, columns, leading};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description, cublasComputeType_t,
                                        cudaDataType_t scale) {
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *description = new FrondEmulatedProduct;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete description;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  const bool is_a = attribute == CUBLASLT_MATMUL_DESC_TRANSA;
  return Read(value, bytes, is_a ? description->trans_a : description->trans_b);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new FrondEmulatedPreference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return Read(value, bytes, preference->max_workspace);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return Read(value, bytes, preference->reduction_schemes);
    default:
      return Read(value, bytes,
                  preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES]);
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
  const Extents extents = ExtentsOf(*description, *a, *b, *c, *d);
  if (extents.m == 0 || extents.n == 0 || extents.k == 0) return CUBLAS_STATUS_INVALID_VALUE;
  const bool may_split = (preference->reduction_schemes & 2) != 0 && extents.k > 1 &&
                         preference->max_workspace >= kSplitWorkspace;
  *found = std::min(requested, may_split ? 3 : 2);
  for (int i = 0; i < *found; ++i) {
    results[i] = {};
    results[i].algo.data[kId] = static_cast<uint64_t>(i) + 1;
    for (int operand = 0; operand < 4; ++operand) {
      results[i].algo.data[kAlignment + operand] = preference->alignment[operand];
    }
    results[i].workspaceSize = i + 1 == kSplit ? kSplitWorkspace : 0;
    results[i].state = CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algo,
                                       cublasLtMatmulHeuristicResult_t* result) {
  const bool split = algo->data[kId] == kSplit;
  const Extents extents = ExtentsOf(*description, *a, *b, *c, *d);
  if (extents.m == 0 || (split && extents.k < 2)) return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = {};
  result->algo = *algo;
  result->workspaceSize = split ? kSplitWorkspace : 0;
  return CUBLAS_STATUS_SUCCESS;
}

namespace {

struct Scales {
  float alpha, beta;
};

// d = alpha op(a) op(b) + beta c, of operands that are checked.
void Product(const FrondEmulatedProduct& product, const Scales& scales, bool split, const void* a,
             const FrondEmulatedLayout& a_layout, const void* b,
             const FrondEmulatedLayout& b_layout, const void* c,
             const FrondEmulatedLayout& c_layout, void* d, const FrondEmulatedLayout& d_layout) {
  const Extents extents = ExtentsOf(product, a_layout, b_layout, c_layout, d_layout);
  const Matrices matrices = {Load(a, a_layout), Load(b, b_layout), product, extents};
  const int64_t half = split ? extents.k / 2 : extents.k;
  std::vector<float> result = Multiply(matrices, 0, half);
  if (split) {
    const std::vector<float> rest = Multiply(matrices, half, extents.k);
    for (size_t j = 0; j < result.size(); ++j) result[j] += rest[j];
  }
  for (float& value : result) value *= scales.alpha;
  if (scales.beta != 0) {
    const std::vector<float> old = Load(c, c_layout);
    for (size_t j = 0; j < result.size(); ++j) result[j] += scales.beta * old[j];
  }
  Store(result, d_layout, d);
}

}  // namespace

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  const Extents extents = ExtentsOf(*description, *a_layout, *b_layout, *c_layout, *d_layout);
  if (extents.m == 0 || algo == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const void* const addresses[] = {a, b, c, d};
  for (int operand = 0; operand < 4; ++operand) {
    const uint64_t alignment = algo->data[kAlignment + operand];
    if (reinterpret_cast<uintptr_t>(addresses[operand]) % alignment != 0) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  const bool split = algo->data[kId] == kSplit;
  if (split && (workspace == nullptr || workspace_bytes < kSplitWorkspace)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // As a graph keeps it: whatever the caller's descriptions are later.
  const Scales scales = {*static_cast<const float*>(alpha), *static_cast<const float*>(beta)};
  const auto run = [product = *description, scales, split, a, la = *a_layout, b, lb = *b_layout, c,
                    lc = *c_layout, d, ld = *d_layout] {
    Product(product, scales, split, a, la, b, lb, c, lc, d, ld);
  };
  const cudaError_t result = frond::emulator::Enqueue(stream, frond::emulator::Work::kKernel, run);
  return result == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}
