// The encoder or decoder stack: blocks over a residual stream, then a final norm.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/t5/attention_block.h"
#include "models/t5/feed_forward_block.h"
#include "models/t5/token_chunks.h"

namespace frond {

// What a forward pass keeps for its backward pass. Every mode gives the same bits.
enum class RecomputeMode : uint8_t {
  kNone,       // every activation
  kSelective,  // what products and attention gave; norms and gates are made again
  kBlock,      // block inputs; backward runs each block's forward again
};

struct RecomputePlan {
  RecomputeMode mode = RecomputeMode::kNone;
  // With kBlock: a block runs over chunks of whole segments of at most so many tokens, forward and
  // backward, so that the activations of one chunk of one block exist at a time. Gradients add up
  // over the chunks and are closed after the last: accumulation turned inside out. 0: no chunks.
  int64_t max_chunk_tokens = 0;
};

// Self-attention, cross-attention (decoder only) and feed-forward.
struct Block {
  AttentionBlock self;
  std::unique_ptr<AttentionBlock> cross;
  FeedForwardBlock feed_forward;
  int section;                 // of its matrices
  std::vector<Param*> params;  // in the order in which a backward pass closes them
};

class Stack {
 public:
  // Declares `scope`.block.*, the relative-position table in block 0 and `scope`.final_layer_norm.
  Stack(ParamStore& store, const Scope& scope, const BlockDims& dims, bool is_decoder);

  // Operands of a pass. `memory` is the encoder's output, all rows of it; the decoder reads it.
  // Passes are collective over the layout's axis; elsewhere T counts this rank's own rows.
  struct Input {
    const TokenLayout* layout = nullptr;
    ConstView memory;
    const TokenLayout* memory_layout = nullptr;
    float dropout = 0;
  };
  struct BlockSaved {
    Tensor x_cross;  // input of cross-attention
    Tensor x_feed_forward;
    AttentionBlock::Saved self, cross;
    FeedForwardBlock::Saved feed_forward;
    void ReleaseCheap();
  };
  struct Saved {
    std::vector<Tensor> x;  // the blocks' inputs [T, d]
    std::vector<BlockSaved> blocks;
    Tensor x_final, rstd_final;
  };

  // `x` [T, d] is the embedded input (residual dtype), consumed. Returns the normalised output [T,
  // d] in the dtype of products, after dropout. Blocks are awaited; keep == nullptr: inference,
  // for which all weights are ready.
  Tensor Forward(Context& ctx, Tensor x, const Input& in, const RecomputePlan& plan,
                 Saved* keep) const;

  // dy: gradient of the output, in any dtype, consumed. Returns the gradient of the embedded input
  // (residual dtype). The decoder adds this rank's part to dmemory [Tm, d] (residual dtype).
  Tensor Backward(Context& ctx, Tensor dy, const Input& in, const RecomputePlan& plan, Saved saved,
                  View dmemory, GradSink& sink) const;

  // Closes every parameter in Backward's order: a pass without tokens.
  void CloseAll(Context& ctx, GradSink& sink) const;

  // For decoding with a cache.
  const std::vector<Block>& blocks() const { return blocks_; }
  const NormLayer& final_norm() const { return final_norm_; }
  ConstView bias_table() const { return bias_->Weight(); }

 private:
  // What a block's backward pass changes beside its parameters' gradients.
  struct BlockGradients {
    View dx, dmemory, dbias;
  };

  // One block over one chunk, which `in` and `x` describe. `out` may be empty where `keep` is not
  // null.
  void ForwardBlock(Context& ctx, const Block& block, const Input& in, ConstView x, View out,
                    BlockSaved* keep) const;
  void BackwardBlock(Context& ctx, const Block& block, const Input& in, ConstView x,
                     BlockSaved saved, const BlockGradients& gradients, GradSink& sink) const;
  AttentionBlock::Input SelfInput(ConstView x, const Input& in) const;
  AttentionBlock::Input CrossInput(ConstView x, const Input& in) const;
  DropoutSpec OutputDropout(const Context& ctx, const Input& in) const;

  ParamStore* store_;
  BlockDims dims_;
  bool is_decoder_;
  std::vector<Block> blocks_;
  Param* bias_;  // [buckets, heads], used by every block's self-attention
  NormLayer final_norm_;
};

}  // namespace frond
