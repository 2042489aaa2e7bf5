// The cuBLASLt handle, workspace and chosen algorithms of a context.
//
// cuBLASLt proposes algorithms for a product; the first use of a kind of product times some of them
// on its own operands, and the choice is kept for all products of about its sizes. Results repeat
// from run to run: no algorithm adds in an order that varies, and all that are considered give the
// same bits (see ChooseAlgorithm). Small products take the first proposal.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <type_traits>
#include <vector>

#include "core/ops/cuda/matmul_plan.h"
#include "core/ops/lru_cache.h"
#include "core/tensor/tensor.h"

namespace frond::cuda {

// The addresses of a product's operands; `c` may be `d`, and is not read where nothing is added.
struct ProductOperands {
  const void* a;
  const void* b;
  const void* c;
  void* d;
};

class CublasProducts : public BackendState {
 public:
  CublasProducts();
  ~CublasProducts() override;
  CublasProducts(const CublasProducts&) = delete;
  CublasProducts& operator=(const CublasProducts&) = delete;

  // Enqueues the product. None of m, n and k is 0. The alignments of `key` are filled in.
  void Run(Context& ctx, ProductKey key, const ProductOperands& operands);

  int64_t num_plans() const { return num_plans_; }
  int64_t num_measured() const { return num_measured_; }

 private:
  template <auto kDestroy>
  struct Destroyer {
    template <class Opaque>
    void operator()(Opaque* handle) const {
      kDestroy(handle);
    }
  };
  using Description = std::unique_ptr<std::remove_pointer_t<cublasLtMatmulDesc_t>,
                                      Destroyer<cublasLtMatmulDescDestroy>>;
  using Layout = std::unique_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>,
                                 Destroyer<cublasLtMatrixLayoutDestroy>>;
  struct Plan {
    Description description;
    Layout left, right, result;
    cublasLtMatmulAlgo_t algorithm = {};
  };
  // What a measurement holds for: products of about these sizes with this first proposal, so that
  // what it chose gives the first proposal's bits for them too.
  struct ChoiceKey {
    ProductKey rounded;
    cublasLtMatmulAlgo_t first;
    bool operator==(const ChoiceKey& other) const;
  };
  struct ChoiceKeyHash {
    size_t operator()(const ChoiceKey& key) const;
  };
  using Candidates = std::vector<cublasLtMatmulHeuristicResult_t>;

  Plan MakePlan(Context& ctx, const ProductKey& key, const ProductOperands& operands);
  Candidates Propose(const ProductKey& key, const Plan& plan) const;
  int Measure(Context& ctx, const ProductKey& key, const ProductOperands& operands, Plan& plan,
              const Candidates& candidates);
  void Execute(Context& ctx, const ProductKey& key, const ProductOperands& operands,
               const Plan& plan);
  bool IsUsable(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm) const;
  static Layout MakeLayout(const ColumnMajor& matrix, DType dtype);

  cublasLtHandle_t handle_ = nullptr;
  Tensor workspace_;
  int64_t num_plans_ = 0, num_measured_ = 0;
  LruCache<ChoiceKey, cublasLtMatmulAlgo_t, ChoiceKeyHash> choices_;
  // Those of repeated work are kept apart: training, in which sizes seldom come again, would push
  // them out, and cuBLASLt would then be asked for new ones while work is captured.
  LruCache<ProductKey, Plan, ProductKeyHash> plans_, repeated_plans_;
};

}  // namespace frond::cuda
