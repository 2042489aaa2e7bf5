// The operation graphs of attention that cuDNN's fused kernels match, for one set of segments.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/ops/attention.h"
#include "core/ops/cuda/cudnn_attention.h"
#include "core/ops/cuda/cudnn_graph.h"

namespace frond::cuda {

// Segments as cuDNN sees them.
struct CudnnSegments {
  int64_t batch = 0, heads = 0, head_dim = 0;
  int64_t longest_query = 0, longest_key = 0;
  int64_t query_rows = 0, key_rows = 0;
  // Lengths differ: each segment has its offset and length. Else they are a plain batch.
  bool packed = false;
  bool causal = false;
  CudnnPitches pitches;

  int64_t width() const { return heads * head_dim; }
  // Elements of a tensor with one number for each query and head.
  int64_t num_stats() const { return heads * (packed ? query_rows : batch * longest_query); }
};
// Of operands without gaps between their rows.
absl::StatusOr<CudnnSegments> ReadSegments(const AttentionSpec& spec);

// The tensors that memory has to be given for; kNone where the graph has none.
struct CudnnAttentionIds {
  using Id = CudnnGraph::Id;
  // [batch + 1] i64: where each segment begins, in elements of an operand with this pitch, and
  // where the last one ends.
  struct Offsets {
    Id id;
    bool of_keys;
    int64_t pitch;
  };
  Id q = 0, k = 0, v = 0, bias = 0, out = 0;
  // The log of each query's sum of exponentials: [batch, heads, longest_query] f32, or
  // [query_rows, heads] where packed.
  Id stats = 0;
  Id dout = 0, dq = 0, dk = 0, dv = 0, dbias = 0;
  // Sums of dout * out, shaped like stats, and dq's sum in f32, shaped like q where packed, else
  // [batch, heads, longest_query, head_dim]: scratch memory.
  Id row_sums = 0, dq_sum = 0;
  // Only where packed. Lengths: [batch] i32.
  Id query_lengths = 0, key_lengths = 0;
  std::vector<Offsets> offsets;
  // Numbers in host memory: one, one, and minus infinity.
  Id one = 0, scale = 0, minus_infinity = 0;
};

struct CudnnAttentionGraph {
  CudnnGraph graph;
  CudnnAttentionIds ids;
};
CudnnAttentionGraph MakeAttentionGraph(const CudnnLibrary& cudnn, const CudnnSegments& segments,
                                       const CudnnAttentionOptions& options, CudnnPass pass);

}  // namespace frond::cuda
