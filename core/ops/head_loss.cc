#include "core/ops/head_loss.h"

#include <algorithm>
#include <vector>

#include "core/ops/cpu/elementwise.h"
#include "core/ops/cpu/master.h"
#include "core/ops/cpu/matmul.h"
#include "core/ops/cpu/softmax_loss.h"
#include "core/ops/cuda/elementwise.h"
#include "core/ops/cuda/master.h"
#include "core/ops/cuda/matmul.h"
#include "core/ops/cuda/softmax_loss.h"
#include "core/ops/dispatch.h"
#include "core/ops/head_loss_plan.h"
#include "core/ops/meta/op_memory.h"

namespace frond {
namespace {

double ProductFlops(ConstView hidden, ConstView logits) {
  return 2.0 * static_cast<double>(hidden.num_elements()) * static_cast<double>(logits.dim(1));
}

// The head's weight in the forms the products take.
class HeadOperand {
 public:
  HeadOperand(Context& ctx, const HeadWeight& weight, DType compute, bool with_backward)
      : weight_(weight), plain_(weight.value) {
    const bool needs_plain =
        weight.forward == nullptr || (with_backward && weight.backward == nullptr);
    if (!needs_plain || plain_.dtype == compute) return;
    cast_ = Tensor(ctx, plain_.shape, compute, MemoryKind::kWorkspace);
    Dispatch<cpu::WriteMaster, cuda::WriteMaster>(ctx, plain_, MasterView{cast_.view()});
    plain_ = cast_;
  }

  // logits = hidden W^T.
  void Forward(Context& ctx, ConstView hidden, View logits) const {
    if (weight_.forward != nullptr) {
      return Dispatch<cpu::MatMulPacked, cuda::MatMulPacked, meta::MatMulPacked>(
          ctx, hidden, *weight_.forward, Trans::kYes, Write::kAssign, logits);
    }
    Dispatch<cpu::MatMul, cuda::MatMul, meta::MatMul>(ctx, hidden, Trans::kNo, plain_, Trans::kYes,
                                                      Write::kAssign, logits);
  }

  // dhidden = dlogits W.
  void Backward(Context& ctx, ConstView dlogits, View dhidden) const {
    if (weight_.backward != nullptr) {
      return Dispatch<cpu::MatMulPacked, cuda::MatMulPacked, meta::MatMulPacked>(
          ctx, dlogits, *weight_.backward, Trans::kNo, Write::kAssign, dhidden);
    }
    Dispatch<cpu::MatMul, cuda::MatMul, meta::MatMul>(ctx, dlogits, Trans::kNo, plain_, Trans::kNo,
                                                      Write::kAssign, dhidden);
  }

 private:
  const HeadWeight& weight_;
  Tensor cast_;
  ConstView plain_;
};

void CheckShapes(ConstView hidden, const HeadWeight& weight, const HeadLossSpec& spec) {
  CHECK(hidden.shape.rank() == 2 && weight.value.shape.rank() == 2);
  CHECK_EQ(hidden.dim(1), weight.value.dim(1));
  CHECK(weight.value.dtype == LogitsDType(hidden.dtype) || weight.value.dtype == hidden.dtype)
      << DTypeName(weight.value.dtype);
  CHECK_GT(spec.hidden_scale, 0);
  for (const Trans trans : {Trans::kYes, Trans::kNo}) {
    const PackedWeight* pack = trans == Trans::kYes ? weight.forward : weight.backward;
    if (pack == nullptr) continue;
    CHECK_EQ(pack->weight_shape_, weight.value.shape);
    CHECK(pack->dtype_ == hidden.dtype) << DTypeName(pack->dtype_);
    CHECK(pack->Serves(trans));
  }
}

View RowsIfAny(View v, int64_t begin, int64_t end) {
  return v.data == nullptr ? v : Rows(v, begin, end);
}

// The operands of a range of rows; the gradients are empty where not wanted.
struct HeadRows {
  ConstView hidden;
  SoftmaxLossRows loss;
  View nll, log_z, dlogits, dhidden;

  HeadRows Range(int64_t begin, int64_t end) const {
    const auto first = static_cast<size_t>(begin), count = static_cast<size_t>(end - begin);
    HeadRows range = *this;
    range.hidden = Rows(hidden, begin, end);
    range.loss.targets = loss.targets.subspan(first, count);
    range.loss.weights = loss.weights.subspan(first, count);
    range.nll = Rows(nll, begin, end);
    range.log_z = Rows(log_z, begin, end);
    range.dlogits = RowsIfAny(dlogits, begin, end);
    range.dhidden = RowsIfAny(dhidden, begin, end);
    return range;
  }
};

// The loss of rows whose logits are a part.
void RunPartLoss(Context& ctx, const HeadLossParts& parts, const HeadRows& rows, View logits) {
  const int64_t count = logits.dim(0);
  Tensor own(ctx, {count, kSoftmaxStatistics}, logits.dtype, MemoryKind::kWorkspace);
  Tensor all(ctx, {parts.count * count, kSoftmaxStatistics}, logits.dtype, MemoryKind::kWorkspace);
  {
    const ProfileScope scope(ctx.profiler(), "head_loss.softmax", 0, logits.bytes());
    Dispatch<cpu::PartStatistics, cuda::PartStatistics>(ctx, logits, rows.loss, own.view());
  }
  {
    const ProfileScope scope(ctx.profiler(), "head_loss.gather");
    parts.gather(ctx, own, all.view());
  }
  const ProfileScope scope(ctx.profiler(), "head_loss.softmax", 0,
                           logits.bytes() + rows.dlogits.bytes());
  Dispatch<cpu::PartLoss, cuda::PartLoss>(ctx, logits, rows.loss, ConstView(own), ConstView(all),
                                          rows.nll, rows.log_z, rows.dlogits);
}

void RunLoss(Context& ctx, const HeadOperand& operand, const HeadLossParts& parts,
             const HeadRows& rows, View logits) {
  {
    const ProfileScope scope(ctx.profiler(), "head_loss.logits", ProductFlops(rows.hidden, logits));
    operand.Forward(ctx, rows.hidden, logits);
  }
  if (parts.count > 1) return RunPartLoss(ctx, parts, rows, logits);
  const ProfileScope scope(ctx.profiler(), "head_loss.softmax", 0,
                           2 * logits.bytes() + rows.dlogits.bytes());
  Dispatch<cpu::SoftmaxLoss, cuda::SoftmaxLoss>(ctx, logits, rows.loss, rows.nll, rows.log_z,
                                                rows.dlogits);
}

void RunGradient(Context& ctx, const HeadOperand& operand, const HeadRows& rows, View dweight) {
  const double flops = ProductFlops(rows.hidden, rows.dlogits);
  if (rows.dhidden.data != nullptr) {
    const ProfileScope scope(ctx.profiler(), "head_loss.dhidden", flops);
    operand.Backward(ctx, rows.dlogits, rows.dhidden);
  }
  if (dweight.data != nullptr) {
    const ProfileScope scope(ctx.profiler(), "head_loss.dweight", flops);
    Dispatch<cpu::MatMul, cuda::MatMul, meta::MatMul>(ctx, rows.dlogits, Trans::kYes, rows.hidden,
                                                      Trans::kNo, Write::kAccumulate, dweight);
  }
}

// CHECKs the ids; the rows of the weight that are targets, -1 for those of other parts.
std::vector<int32_t> TargetRows(std::span<const int32_t> targets, const VocabularyPart& part,
                                int64_t rows) {
  const int64_t vocabulary = WholeVocabulary(part, rows);
  std::vector<int32_t> target_rows;
  target_rows.reserve(targets.size());
  for (const int32_t id : targets) {
    CHECK(id >= 0 && id < vocabulary) << id << " of " << vocabulary;
    const int64_t row = id - part.first_id;
    target_rows.push_back(row >= 0 && row < rows ? static_cast<int32_t>(row) : -1);
  }
  return target_rows;
}

// What chunks are planned for: the same on every rank, whose numbers of chunks must agree.
int64_t PlannedVocabulary(const HeadLossParts& parts, int64_t rows) {
  return (WholeVocabulary(parts.part, rows) + parts.count - 1) / parts.count;
}

void CheckParts(const HeadLossParts& parts, int64_t rows) {
  CHECK_GT(rows, 0) << "rows of the head's weight";
  CHECK_GT(parts.count, 0);
  const bool is_whole = WholeVocabulary(parts.part, rows) == rows;
  CHECK_EQ(is_whole, parts.count == 1) << "parts: " << parts.count;
  CHECK(is_whole || parts.gather != nullptr) << "nothing joins " << parts.count << " parts";
}

}  // namespace

void HeadLoss(Context& ctx, ConstView hidden, const HeadWeight& weight,
              std::span<const int32_t> targets, std::span<const double> token_weights,
              const HeadLossSpec& spec, View nll, View log_z, View dhidden, View dweight) {
  CheckShapes(hidden, weight, spec);
  const int64_t rows = hidden.dim(0), vocabulary = weight.value.dim(0);
  const DType compute = hidden.dtype, wide = LogitsDType(compute);
  CHECK(std::ssize(targets) == rows && std::ssize(token_weights) == rows) << hidden.shape;
  CHECK(nll.dtype == wide && log_z.dtype == wide);
  CHECK(nll.num_elements() == rows && log_z.num_elements() == rows) << nll.shape << log_z.shape;
  CheckParts(spec.parts, vocabulary);
  const std::vector<int32_t> target_rows = TargetRows(targets, spec.parts.part, vocabulary);
  if (dhidden.data != nullptr) CHECK_EQ(dhidden.shape, hidden.shape);
  if (dweight.data != nullptr) CHECK_EQ(dweight.shape, weight.value.shape);
  if (rows == 0) return;

  const bool with_gradient = dhidden.data != nullptr || dweight.data != nullptr;
  const HeadLossPlan plan = PlanHeadLoss({.rows = rows,
                                          .vocabulary = PlannedVocabulary(spec.parts, vocabulary),
                                          .compute = compute,
                                          .with_gradient = with_gradient,
                                          .max_bytes = spec.max_logits_bytes,
                                          .device = ctx.stands_for()});
  const HeadOperand operand(ctx, weight, compute, dhidden.data != nullptr);
  Tensor logits(ctx, {plan.logits_capacity, vocabulary}, wide, MemoryKind::kWorkspace);
  Tensor narrow_logits;
  if (plan.narrow) {
    narrow_logits =
        Tensor(ctx, {plan.gradient_capacity, vocabulary}, compute, MemoryKind::kWorkspace);
  }
  const View dlogits = plan.narrow ? narrow_logits.view() : with_gradient ? logits.view() : View{};

  const HeadRows all = {.hidden = hidden,
                        .loss = {.targets = target_rows,
                                 .weights = token_weights,
                                 .scale = spec.hidden_scale,
                                 .z_loss = spec.z_loss},
                        .nll = nll,
                        .log_z = log_z,
                        .dlogits = {},
                        .dhidden = dhidden};
  for (int64_t begin = 0; begin < rows; begin += plan.gradient) {
    HeadRows chunk = all.Range(begin, std::min(rows, begin + plan.gradient));
    const int64_t count = chunk.hidden.dim(0);
    chunk.dlogits = RowsIfAny(dlogits, 0, count);
    for (int64_t first = 0; first < count; first += plan.logits) {
      const HeadRows part = chunk.Range(first, std::min(count, first + plan.logits));
      RunLoss(ctx, operand, spec.parts, part, Rows(logits.view(), 0, part.hidden.dim(0)));
    }
    if (with_gradient) RunGradient(ctx, operand, chunk, dweight);
  }
}

void HeadLogits(Context& ctx, ConstView hidden, const HeadWeight& weight, double hidden_scale,
                View logits) {
  CheckShapes(hidden, weight, {.hidden_scale = hidden_scale});
  CHECK(logits.dtype == LogitsDType(hidden.dtype));
  CHECK_EQ(logits.shape, (Shape{hidden.dim(0), weight.value.dim(0)}));
  const ProfileScope scope(ctx.profiler(), "head_loss.logits", ProductFlops(hidden, logits));
  HeadOperand(ctx, weight, hidden.dtype, /*with_backward=*/false).Forward(ctx, hidden, logits);
  if (hidden_scale != 1) {
    Dispatch<cpu::AddScaled, cuda::AddScaled>(ctx, hidden_scale, ConstView(logits), Write::kAssign,
                                              logits);
  }
}

}  // namespace frond
