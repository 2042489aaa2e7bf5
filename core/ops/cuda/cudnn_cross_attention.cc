#include "core/ops/cuda/cudnn_cross_attention.h"

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/base/status_macros.h"
#include "core/ops/cuda/attention_keep.h"
#include "core/ops/cuda/cudnn_pass.h"
#include "core/ops/cuda/sent_lists.h"
#include "core/ops/cuda/zero_rows.h"
#include "core/ops/lru_cache.h"
#include "core/tensor/cuda/runtime.h"

namespace frond::cuda {
namespace {

constexpr CudnnAttentionOptions kOptions = {.bias = false, .deterministic = true};
// Forward and gradient of some sixty shapes.
constexpr size_t kMostPlans = 128;
// A batch that every device can plan.
constexpr BatchSizes kProbe = {.batch = 2, .longest_query = 128, .longest_key = 128};

// The shape of a group's plan.
CudnnSegments SegmentsOf(const BatchSizes& sizes, const AttentionSpec& spec,
                         const CudnnPitches& pitches) {
  return {.batch = sizes.batch,
          .heads = spec.num_heads,
          .head_dim = spec.head_dim,
          .longest_query = sizes.longest_query,
          .longest_key = sizes.longest_key,
          .packed = true,
          .pitches = pitches};
}

// The plans of a context.
class CudnnPlans : public BackendState {
 public:
  CudnnPlans() : plans_(kMostPlans) {}

  // Must have succeeded before the others are called; does nothing from the second time on.
  absl::Status Open() {
    if (session_ != nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(CudnnSession session, CudnnSession::Open());
    session_ = std::make_unique<CudnnSession>(std::move(session));
    return absl::OkStatus();
  }
  const CudnnSession& session() const { return *session_; }

  absl::StatusOr<CudnnBuiltPass> Build(const CudnnSegments& segments, CudnnPass pass) const {
    return BuildPass(session_->cudnn(), segments, kOptions, pass, {.handle = session_->handle()});
  }
  const CudnnBuiltPass& Find(const CudnnSegments& s, CudnnPass pass) {
    const Key key = {
        s.heads,     s.head_dim,  s.batch,     s.longest_query, s.longest_key,
        s.pitches.q, s.pitches.k, s.pitches.v, s.pitches.dv,    static_cast<int>(pass)};
    return plans_.FindOrMake(key, [&] {
      absl::StatusOr<CudnnBuiltPass> built = Build(s, pass);
      CHECK(built.ok()) << built.status().message() << " (" << s.batch << " segments of "
                        << s.longest_query << " queries and " << s.longest_key << " keys)";
      return *std::move(built);
    });
  }

 private:
  using Key = std::array<int64_t, 10>;
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return Hash64({reinterpret_cast<const char*>(key.data()), sizeof(key)});
    }
  };
  std::unique_ptr<CudnnSession> session_;
  LruCache<Key, CudnnBuiltPass, KeyHash> plans_;  // destroyed before the session
};

// Lists of a group in one piece, which is sent to the device once for all layers and passes.
class GroupLists {
 public:
  template <class T>
  void Add(CudnnGraph::Id id, const std::vector<T>& list) {
    constexpr size_t kWords = sizeof(T) / sizeof(int32_t), kAlignedWords = 4;
    const size_t begin = words_.size(), words = list.size() * kWords;
    begins_.emplace_back(id, begin);
    words_.resize(begin + (words + kAlignedWords - 1) / kAlignedWords * kAlignedWords);
    std::memcpy(words_.data() + begin, list.data(), words * sizeof(int32_t));
  }
  void AddTo(Context& ctx, CudnnOperands& operands) const {
    const int32_t* device =
        ctx.Backend<SentLists>().OnDevice(ctx, std::span<const int32_t>(words_));
    for (const auto& [id, begin] : begins_) operands.Add(id, device + begin);
  }

 private:
  std::vector<int32_t> words_;
  std::vector<std::pair<CudnnGraph::Id, size_t>> begins_;
};

// One side of a group's segments in the plan's batch: those that fill it up have no rows and stand
// where the last one ends.
struct GroupSide {
  GroupSide(std::span<const int32_t> begin, std::span<const int32_t> end, const SegmentGroup& group)
      : lengths(static_cast<size_t>(group.sizes.batch)),
        rows(lengths.size() + 1, end[static_cast<size_t>(group.segments.back())]) {
    for (size_t i = 0; i < group.segments.size(); ++i) {
      const auto s = static_cast<size_t>(group.segments[i]);
      lengths[i] = end[s] - begin[s];
      rows[i] = begin[s];
    }
  }
  std::vector<int64_t> Offsets(int64_t pitch) const {
    std::vector<int64_t> offsets;
    for (const int64_t row : rows) offsets.push_back(row * pitch);
    return offsets;
  }

  std::vector<int32_t> lengths;
  std::vector<int64_t> rows;
};

void AddLists(Context& ctx, const AttentionSpec& spec, const SegmentGroup& group,
              const CudnnAttentionIds& ids, CudnnOperands& operands) {
  const GroupSide queries(spec.query_begin, spec.query_end, group);
  const GroupSide keys(spec.key_begin, spec.key_end, group);
  GroupLists lists;
  lists.Add(ids.query_lengths, queries.lengths);
  lists.Add(ids.key_lengths, keys.lengths);
  for (const CudnnAttentionIds::Offsets& offsets : ids.offsets) {
    lists.Add(offsets.id, (offsets.of_keys ? keys : queries).Offsets(offsets.pitch));
  }
  lists.AddTo(ctx, operands);
}

// What a call has whatever its pass.
struct Call {
  const AttentionSpec& spec;
  const AttentionGroups& groups;
  CudnnPitches pitches;
};
using AddOperands = std::function<void(const CudnnAttentionIds&, CudnnOperands&)>;

void RunGroups(Context& ctx, const Call& call, CudnnPass pass, const AddOperands& add) {
  auto& plans = ctx.Backend<CudnnPlans>();
  CHECK_OK(plans.Open());
  for (const SegmentGroup& group : call.groups.groups) {
    const CudnnBuiltPass& built =
        plans.Find(SegmentsOf(group.sizes, call.spec, call.pitches), pass);
    CudnnOperands operands;
    operands.AddNumbers(built.ids);
    AddLists(ctx, call.spec, group, built.ids, operands);
    add(built.ids, operands);
    CHECK_OK(RunPass(ctx, plans.session(), built.plan, operands));
  }
}

// v as cuDNN reads it, and dropout's factors where there is dropout.
struct Values {
  Values(Context& ctx, ConstColumns v, const AttentionSpec& spec) : read(v) {
    if (spec.dropout_rate == 0) return;
    keep = MakeKeep(ctx, spec, v.rows);
    kept = Tensor(ctx, v.shape(), v.dtype, MemoryKind::kWorkspace);
    ScaleByKeep(ctx, v, keep, kept);
    read = kept;
  }
  Tensor keep, kept;
  ConstColumns read;
};

void ZeroRows(Context& ctx, Columns x, const std::vector<RowRange>& ranges) {
  for (const RowRange& range : ranges) cuda::ZeroRows(ctx, x, range.begin, range.end);
}

}  // namespace

void CudnnCrossAttention(Context& ctx, ConstColumns q, ConstColumns k, ConstColumns v,
                         const AttentionSpec& spec, View out, View lse) {
  const AttentionGroups groups = ForwardGroups(spec, q.rows, k.rows);
  const Values values(ctx, v, spec);
  const CudnnPitches pitches = {.q = q.pitch, .k = k.pitch, .v = values.read.pitch};
  RunGroups(ctx, {spec, groups, pitches}, CudnnPass::kForward,
            [&](const CudnnAttentionIds& ids, CudnnOperands& operands) {
              operands.Add(ids.q, q.data);
              operands.Add(ids.k, k.data);
              operands.Add(ids.v, values.read.data);
              operands.Add(ids.out, out.data);
              operands.Add(ids.stats, lse.data);
            });
  ZeroRows(ctx, out, groups.idle_queries);
  ZeroRows(ctx, lse, groups.idle_queries);
}

void CudnnCrossAttentionGrad(Context& ctx, ConstView dout, ConstColumns q, ConstColumns k,
                             ConstColumns v, const CudnnAttended& attended,
                             const AttentionSpec& spec, const CudnnGradients& gradients) {
  const AttentionGroups groups = GradientGroups(spec, q.rows, k.rows);
  const Values values(ctx, v, spec);
  const Tensor row_sums(ctx, attended.lse.shape, DType::kF32, MemoryKind::kWorkspace);
  const CudnnPitches pitches = {
      .q = q.pitch, .k = k.pitch, .v = values.read.pitch, .dv = gradients.dv.pitch};
  RunGroups(ctx, {spec, groups, pitches}, CudnnPass::kGradient,
            [&](const CudnnAttentionIds& ids, CudnnOperands& operands) {
              operands.Add(ids.dout, dout.data);
              operands.Add(ids.q, q.data);
              operands.Add(ids.k, k.data);
              operands.Add(ids.v, values.read.data);
              operands.Add(ids.out, attended.out.data);
              operands.Add(ids.stats, attended.lse.data);
              operands.Add(ids.row_sums, row_sums.view().data);
              operands.Add(ids.dq, gradients.dq.data);
              operands.Add(ids.dk, gradients.dk.data);
              operands.Add(ids.dv, gradients.dv.data);
            });
  if (spec.dropout_rate > 0) ScaleByKeep(ctx, gradients.dv, values.keep, gradients.dv);
  ZeroRows(ctx, gradients.dq, groups.idle_queries);
  ZeroRows(ctx, gradients.dk, groups.idle_keys);
  ZeroRows(ctx, gradients.dv, groups.idle_keys);
}

absl::Status ProbeCudnnAttention(Context& ctx, int num_heads, int head_dim) {
  const AttentionSpec spec = {.num_heads = num_heads, .head_dim = head_dim};
  const int64_t width = int64_t{num_heads} * head_dim;
  auto& plans = ctx.Backend<CudnnPlans>();
  RETURN_IF_ERROR(plans.Open());
  // k and v are halves of one matrix.
  const CudnnPitches pitches = {.q = width, .k = 2 * width, .v = 2 * width, .dv = 2 * width};
  for (const CudnnPass pass : {CudnnPass::kForward, CudnnPass::kGradient}) {
    const absl::Status status = plans.Build(SegmentsOf(kProbe, spec, pitches), pass).status();
    if (status.ok()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("this GPU has no plan for ",
                     pass == CudnnPass::kForward ? "packed segments"
                                                 : "the repeatable gradient of packed segments",
                     ": ", std::string(status.message())));
  }
  return absl::OkStatus();
}

absl::StatusOr<CudnnPlanFacts> PlanCudnnGroup(const BatchSizes& sizes, const AttentionSpec& spec,
                                              const CudnnPitches& pitches, CudnnPass pass,
                                              absl::string_view device) {
  ASSIGN_OR_RETURN(const CudnnLibrary cudnn, CudnnLibrary::Load());
  ASSIGN_OR_RETURN(const CudnnBuiltPass built,
                   BuildPass(cudnn, SegmentsOf(sizes, spec, pitches), kOptions, pass,
                             {.properties = std::string(device)}));
  CHECK(built.ids.dq_sum == CudnnGraph::kNone) << "a gradient whose bits do not repeat";
  return CudnnPlanFacts{.engine = built.plan.engine, .workspace_bytes = built.plan.workspace_bytes};
}

}  // namespace frond::cuda
