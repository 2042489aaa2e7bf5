#include "core/ops/cuda/cublas_products.h"

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/ops/cuda/compare.h"
#include "core/ops/cuda/workspace_sizes.h"
#include "core/tensor/cuda/runtime.h"

namespace frond::cuda {
namespace {

constexpr size_t kMaxPlans = 4096;
constexpr size_t kMaxChoices = 4096;
// How many algorithms are tried, and how often each one runs behind its first time.
constexpr int kMaxCandidates = 4;
constexpr int kTimedRuns = 2;

void CheckBlas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  int device = -1;
  (void)cudaGetDevice(&device);
  CHECK(false) << call << " on GPU " << device << ": " << cublasLtGetStatusName(status) << ", "
               << cublasLtGetStatusString(status);
}
#define FROND_BLAS_CHECK(call) CheckBlas(call, #call)

cudaDataType_t CudaType(DType dtype) {
  CHECK(dtype == DType::kF32 || dtype == DType::kBF16)
      << "GPU products are in f32 and bf16, not " << DTypeName(dtype);
  return dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

cublasOperation_t Operation(Trans trans) {
  return trans == Trans::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
}

template <class T>
void SetPreference(cublasLtMatmulPreference_t preference,
                   cublasLtMatmulPreferenceAttributes_t attribute, T value) {
  FROND_BLAS_CHECK(
      cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
}

// Splitting the sum is for products that cannot fill the device otherwise; the parts are then added
// in f32 and in a fixed order. In large products it would only cost accuracy and time.
uint32_t ReductionSchemes(const ProductKey& key) {
  constexpr int64_t kManyElements = int64_t{128} * 256 * 132;  // a tile per multiprocessor
  return key.m * key.n >= kManyElements ? CUBLASLT_REDUCTION_SCHEME_NONE
                                        : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
}

// Times work on a stream.
class StreamTimer {
 public:
  explicit StreamTimer(cudaStream_t stream) : stream_(stream) {
    FROND_CUDA_CHECK(cudaEventCreate(&begin_));
    FROND_CUDA_CHECK(cudaEventCreate(&end_));
  }
  ~StreamTimer() {
    FROND_CUDA_CHECK(cudaEventDestroy(begin_));
    FROND_CUDA_CHECK(cudaEventDestroy(end_));
  }
  StreamTimer(const StreamTimer&) = delete;
  StreamTimer& operator=(const StreamTimer&) = delete;

  void Start() { FROND_CUDA_CHECK(cudaEventRecord(begin_, stream_)); }
  float StopSeconds() {
    FROND_CUDA_CHECK(cudaEventRecord(end_, stream_));
    FROND_CUDA_CHECK(cudaEventSynchronize(end_));
    float milliseconds = 0;
    FROND_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin_, end_));
    return milliseconds * 1e-3f;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace

CublasProducts::CublasProducts()
    : choices_(kMaxChoices), plans_(kMaxPlans), repeated_plans_(kMaxPlans) {
  FROND_BLAS_CHECK(cublasLtCreate(&handle_));
}

CublasProducts::~CublasProducts() { FROND_BLAS_CHECK(cublasLtDestroy(handle_)); }

CublasProducts::Layout CublasProducts::MakeLayout(const ColumnMajor& matrix, DType dtype) {
  cublasLtMatrixLayout_t layout = nullptr;
  FROND_BLAS_CHECK(
      cublasLtMatrixLayoutCreate(&layout, CudaType(dtype), static_cast<uint64_t>(matrix.rows),
                                 static_cast<uint64_t>(matrix.columns), matrix.leading));
  return Layout(layout);
}

CublasProducts::Candidates CublasProducts::Propose(const ProductKey& key, const Plan& plan) const {
  cublasLtMatmulPreference_t created = nullptr;
  FROND_BLAS_CHECK(cublasLtMatmulPreferenceCreate(&created));
  const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>,
                        Destroyer<cublasLtMatmulPreferenceDestroy>>
      preference(created);
  SetPreference(created, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{workspace_.bytes()});
  SetPreference(created, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, ReductionSchemes(key));
  SetPreference(created, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t{key.b_alignment});
  SetPreference(created, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, uint32_t{key.a_alignment});
  SetPreference(created, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, uint32_t{key.c_alignment});
  SetPreference(created, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, uint32_t{key.d_alignment});

  Candidates candidates(kMaxCandidates);
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_, plan.description.get(), plan.left.get(), plan.right.get(), plan.result.get(),
      plan.result.get(), created, kMaxCandidates, candidates.data(), &found);
  candidates.resize(static_cast<size_t>(found));
  std::erase_if(candidates, [](const cublasLtMatmulHeuristicResult_t& candidate) {
    return candidate.state != CUBLAS_STATUS_SUCCESS;
  });
  CHECK(!candidates.empty()) << "cuBLASLt has no algorithm for [" << key.m << ", " << key.k
                             << "] x [" << key.k << ", " << key.n << "], " << DTypeName(key.operand)
                             << " -> " << DTypeName(key.result) << ": "
                             << cublasLtGetStatusString(status);
  return candidates;
}

void CublasProducts::Execute(Context& ctx, const ProductKey& key, const ProductOperands& operands,
                             const Plan& plan) {
  const float alpha = 1.0f, beta = key.mode == Write::kAccumulate ? 1.0f : 0.0f;
  FROND_BLAS_CHECK(cublasLtMatmul(handle_, plan.description.get(), &alpha, operands.b,
                                  plan.left.get(), operands.a, plan.right.get(), &beta, operands.c,
                                  plan.result.get(), operands.d, plan.result.get(), &plan.algorithm,
                                  workspace_.view().data, workspace_.bytes(), StreamOf(ctx)));
}

bool CublasProducts::ChoiceKey::operator==(const ChoiceKey& other) const {
  return rounded == other.rounded && std::memcmp(&first, &other.first, sizeof(first)) == 0;
}

size_t CublasProducts::ChoiceKeyHash::operator()(const ChoiceKey& key) const {
  const uint64_t first = Hash64({reinterpret_cast<const char*>(&key.first), sizeof(key.first)});
  return ProductKeyHash()(key.rounded) ^ first;
}

bool CublasProducts::IsUsable(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm) const {
  cublasLtMatmulHeuristicResult_t result = {};
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(handle_, plan.description.get(), plan.left.get(), plan.right.get(),
                              plan.result.get(), plan.result.get(), &algorithm, &result);
  return status == CUBLAS_STATUS_SUCCESS && result.workspaceSize <= workspace_.bytes();
}

int CublasProducts::Measure(Context& ctx, const ProductKey& key, const ProductOperands& operands,
                            Plan& plan, const Candidates& candidates) {
  if (key.m * key.n < LeastComparedElements(key.result)) return 0;
  const bool adds = key.mode == Write::kAccumulate;
  // A result that is only assigned is first made in its own place; one that is added to must not
  // be.
  if (key.result_bytes() * (adds ? 2 : 1) > kMaxMeasuringBytes) return 0;
  const Shape shape = {key.m * key.n};
  Tensor first, other(ctx, shape, key.result, MemoryKind::kWorkspace);
  if (adds) first = Tensor(ctx, shape, key.result, MemoryKind::kWorkspace);
  const View first_result = adds ? first.view() : View{operands.d, shape, key.result};

  ++num_measured_;
  StreamTimer timer(StreamOf(ctx));
  std::vector<MeasuredAlgorithm> measured;
  for (const cublasLtMatmulHeuristicResult_t& candidate : candidates) {
    const View result = measured.empty() ? first_result : other.view();
    const ProductOperands trial = {operands.a, operands.b, adds ? operands.c : result.data,
                                   result.data};
    plan.algorithm = candidate.algo;
    Execute(ctx, key, trial, plan);
    timer.Start();
    for (int run = 0; run < kTimedRuns; ++run) Execute(ctx, key, trial, plan);
    MeasuredAlgorithm& algorithm = measured.emplace_back();
    algorithm.seconds = timer.StopSeconds();
    // Zeros say nothing about the order of a sum.
    const BitComparison bits = CompareBits(ctx, first_result, result);
    algorithm.same_result = measured.size() == 1 || (bits.equal && bits.any_set);
  }
  return ChooseAlgorithm(measured);
}

CublasProducts::Plan CublasProducts::MakePlan(Context& ctx, const ProductKey& key,
                                              const ProductOperands& operands) {
  if (workspace_.empty()) {
    const int64_t bytes = kCublasBytesPerMultiprocessor * LimitsOf(ctx).num_multiprocessors;
    workspace_ = Tensor(ctx, {bytes / 4}, DType::kI32, MemoryKind::kWorkspace);
  }
  const ColumnMajorProduct product = ToColumnMajor(key);
  Plan plan;
  cublasLtMatmulDesc_t description = nullptr;
  FROND_BLAS_CHECK(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  plan.description.reset(description);
  const cublasOperation_t left = Operation(product.trans_left);
  const cublasOperation_t right = Operation(product.trans_right);
  FROND_BLAS_CHECK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_TRANSA, &left,
                                                  sizeof(left)));
  FROND_BLAS_CHECK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_TRANSB, &right,
                                                  sizeof(right)));
  plan.left = MakeLayout(product.left, key.operand);
  plan.right = MakeLayout(product.right, key.operand);
  plan.result = MakeLayout(product.result, key.result);

  const Candidates candidates = Propose(key, plan);
  const auto measure = [&] {
    const int best = candidates.size() == 1 ? 0 : Measure(ctx, key, operands, plan, candidates);
    return candidates[static_cast<size_t>(best)].algo;
  };
  const cublasLtMatmulAlgo_t& first = candidates.front().algo;
  // Captured work runs nothing that could be timed.
  const ChoiceKey choice_key = {Rounded(key), first};
  const cublasLtMatmulAlgo_t* known = choices_.Find(choice_key);
  const cublasLtMatmulAlgo_t choice = known != nullptr ? *known
                                      : CaptureOf(ctx) != 0
                                          ? first
                                          : choices_.FindOrMake(choice_key, measure);
  plan.algorithm = IsUsable(plan, choice) ? choice : first;
  ++num_plans_;
  return plan;
}

void CublasProducts::Run(Context& ctx, ProductKey key, const ProductOperands& operands) {
  key.a_alignment = AlignmentOf(operands.a);
  key.b_alignment = AlignmentOf(operands.b);
  key.c_alignment = AlignmentOf(operands.c);
  key.d_alignment = AlignmentOf(operands.d);
  auto& plans = IsInRepeatedWork(ctx) ? repeated_plans_ : plans_;
  const Plan& plan = plans.FindOrMake(key, [&] { return MakePlan(ctx, key, operands); });
  Execute(ctx, key, operands, plan);
}

}  // namespace frond::cuda
