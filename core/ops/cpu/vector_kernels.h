// Kernels that are compiled once per generation of vector units; the machine's best set is chosen
// at run time.
//
// Each kernel does one thread's share of an op. The sets compute the same functions; sums may be
// ordered differently in each.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/dtype.h"

namespace frond::cpu {

// One head of one segment. Pointers to T and Out are at the segment's first row and the head's
// first column.
template <class T, class Out = T>
struct AttentionHead {
  using A = Accumulator<T>;
  int64_t num_queries = 0, num_keys = 0;
  int64_t head_dim = 0;
  // Elements from row to row: of q and dq; of k, v, dk and dv; of out and dout.
  int64_t query_stride = 0, key_stride = 0, out_stride = 0;
  bool causal = false;
  int64_t offset = 0;  // position of query 0 less that of key 0
  const T *q = nullptr, *k = nullptr, *v = nullptr;
  // bias[distance] for distance = key position - query position; null where there is none. It can
  // be read kAttentionPadding elements beyond the largest distance.
  const A* bias = nullptr;

  // Dropout (AttentionDropoutKeeps); null where there is none.
  const uint64_t* token_keys = nullptr;
  uint64_t dropout_key = 0;
  int head = 0;  // counted over all ranks
  uint32_t dropout_threshold = 0;
  A keep_scale = 1;

  Out* out = nullptr;  // of the forward only
  A* lse = nullptr;
  int64_t lse_stride = 0;

  // For the gradient only. dbias [as bias] is accumulated and can be written kAttentionPadding
  // elements beyond the largest distance, with zeros.
  const Out* dout = nullptr;
  Out *dq = nullptr, *dk = nullptr, *dv = nullptr;
  A* dbias = nullptr;

  A* scratch = nullptr;  // AttentionScratch() elements, 64-byte aligned
};

inline constexpr int64_t kAttentionPadding = 128;

// Elements of scratch that one head may need: enough for every set of kernels.
int64_t AttentionScratch(int64_t num_keys, int64_t head_dim);

// The operands below are f32 or bf16 each, or all f64; statistics are f32 (f64).
struct Elements {
  void* data = nullptr;
  DType dtype = DType::kF32;
};
struct ConstElements {
  const void* data = nullptr;
  DType dtype = DType::kF32;
};

struct RmsNormRows {
  int64_t rows = 0, dim = 0;
  ConstElements x;
  const void* scale = nullptr;
  float epsilon = 0;
  Elements y;
  BFloat16* low = nullptr;  // null: not wanted
  void* rstd = nullptr;
};

struct RmsNormGradRows {
  int64_t rows = 0, dim = 0;
  ConstElements dy, x;
  const void *scale = nullptr, *rstd = nullptr;
  bool accumulate = false;
  Elements dx;
  void* dscale = nullptr;  // accumulated
};

struct GatedGeluRun {
  int64_t count = 0;
  DType dtype = DType::kF32;      // of gate and up
  DType out_dtype = DType::kF32;  // of the others: the same, or bf16 beside f32
  const void *dy = nullptr, *gate = nullptr, *up = nullptr;
  void *y = nullptr, *dgate = nullptr, *dup = nullptr;
};

struct DropoutRows {
  int64_t rows = 0, dim = 0;
  ConstElements x;
  uint64_t key = 0;
  const uint64_t* token_keys = nullptr;
  int64_t first_column = 0;  // of the whole tensor
  uint32_t threshold = 0;    // DropoutThreshold
  double keep_scale = 1;
  const void* residual = nullptr;  // null: none; else in out's dtype
  Elements out;
};

struct VectorKernels {
  const char* name;
  bool (*runs_here)();  // whether this machine has the instructions
  void (*attention_f32)(const AttentionHead<float>&);
  void (*attention_bf16)(const AttentionHead<BFloat16>&);
  void (*attention_f64)(const AttentionHead<double>&);
  void (*attention_f32_to_bf16)(const AttentionHead<float, BFloat16>&);
  void (*attention_grad_f32)(const AttentionHead<float>&);
  void (*attention_grad_bf16)(const AttentionHead<BFloat16>&);
  void (*attention_grad_f64)(const AttentionHead<double>&);
  void (*attention_grad_f32_to_bf16)(const AttentionHead<float, BFloat16>&);
  void (*rms_norm)(const RmsNormRows&);
  void (*rms_norm_grad)(const RmsNormGradRows&);
  void (*gated_gelu)(const GatedGeluRun&);
  void (*gated_gelu_grad)(const GatedGeluRun&);
  void (*dropout)(const DropoutRows&);
};

// Which of these a build has is decided by CMakeLists.txt.
namespace avx512 {
const VectorKernels& Kernels();
}
namespace avx2 {
const VectorKernels& Kernels();
}
namespace generic {
const VectorKernels& Kernels();
}

// The sets in this build that this machine can run, the best first. Never empty.
std::span<const VectorKernels* const> AvailableVectorKernels();

// The first of them.
inline const VectorKernels& BestVectorKernels() { return *AvailableVectorKernels().front(); }

}  // namespace frond::cpu
