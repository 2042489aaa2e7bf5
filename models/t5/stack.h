// The encoder or decoder stack: blocks over a residual stream, then a final norm.
#pragma once

#include <memory>
#include <vector>

#include "models/t5/attention_block.h"
#include "models/t5/feed_forward_block.h"

namespace frond {

enum class RecomputeMode : uint8_t {
  kNone,   // keep every activation
  kBlock,  // keep block inputs; backward runs each block's forward again, to the same bits
};

// Self-attention, cross-attention (decoder only) and feed-forward.
struct Block {
  AttentionBlock self;
  std::unique_ptr<AttentionBlock> cross;
  FeedForwardBlock feed_forward;
};

class Stack {
 public:
  // Declares `scope`.block.*, the relative-position table in block 0 and `scope`.final_layer_norm.
  Stack(ParamStore& store, const Scope& scope, const BlockDims& dims, bool is_decoder);

  // Operands of a pass. `memory` is the encoder's output; the decoder reads it.
  struct Input {
    const TokenLayout* layout = nullptr;
    ConstView memory;
    const TokenLayout* memory_layout = nullptr;
    float dropout = 0;
  };
  struct BlockSaved {
    Tensor x;        // the block's input [T, d]
    Tensor x_cross;  // input of cross-attention
    Tensor x_feed_forward;
    AttentionBlock::Saved self, cross;
    FeedForwardBlock::Saved feed_forward;
  };
  struct Saved {
    std::vector<BlockSaved> blocks;
    Tensor x_final, rstd_final;
  };

  // `x` [T, d] is the embedded input (residual dtype), consumed. Returns the normalised output [T,
  // d] in the compute dtype, after dropout. keep == nullptr: inference.
  Tensor Forward(Context& ctx, Tensor x, const Input& in, RecomputeMode recompute,
                 Saved* keep) const;

  // dy: gradient of the output (compute dtype), consumed. Returns the gradient of the embedded
  // input (residual dtype). The decoder adds to dmemory [Tm, d] (compute dtype).
  Tensor Backward(Context& ctx, Tensor dy, const Input& in, RecomputeMode recompute, Saved saved,
                  View dmemory, GradSink& sink) const;

  // For decoding with a cache.
  const std::vector<Block>& blocks() const { return blocks_; }
  const NormLayer& final_norm() const { return final_norm_; }
  ConstView bias_table() const { return bias_->value; }

 private:
  // Runs one block from saved->x; fills the rest of `saved` if `keep_all`.
  Tensor ForwardBlock(Context& ctx, const Block& block, const Input& in, BlockSaved& saved,
                      bool keep_all) const;
  AttentionBlock::Input SelfInput(ConstView x, const Input& in) const;
  AttentionBlock::Input CrossInput(ConstView x, const Input& in) const;
  DropoutSpec OutputDropout(const Context& ctx, const Input& in) const;

  BlockDims dims_;
  bool is_decoder_;
  std::vector<Block> blocks_;
  Param* bias_;  // [buckets, heads], used by every block's self-attention
  NormLayer final_norm_;
};

}  // namespace frond
