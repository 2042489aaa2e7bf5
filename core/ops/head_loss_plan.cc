#include "core/ops/head_loss_plan.h"

#include <algorithm>

namespace frond {
namespace {

// What a device's products ask of chunks.
struct ChunkStyle {
  int64_t tile;         // rows of a chunk are a multiple of it where memory allows
  int64_t step;         // rows of memory are, where all rows fit
  double logits_share;  // of the memory, beside a narrow gradient
};

// Memory on the CPU comes in steps, since its allocator reuses blocks by size and the number of
// target tokens changes from batch to batch. On a GPU products have tiles of 128 rows, and the time
// that is lost to reading and writing the weight (2 bytes of it a chunk of logits, 10 a chunk of
// gradient rows) is least where a chunk of gradient rows is sqrt(10) times as tall.
ChunkStyle StyleOf(Device device) {
  if (device == Device::kCuda) return {.tile = 128, .step = 128, .logits_share = 0.375};
  return {.tile = 1, .step = 64, .logits_share = 0.25};
}

int64_t RoundUp(int64_t rows, int64_t unit) { return (rows + unit - 1) / unit * unit; }

// Rows of memory: no more than needed.
int64_t Capacity(int64_t rows, int64_t row_bytes, double max_bytes, const ChunkStyle& style) {
  const double bytes = static_cast<double>(std::max<int64_t>(row_bytes, 1));
  int64_t fitting = std::max<int64_t>(1, static_cast<int64_t>(max_bytes / bytes));
  if (fitting > style.tile) fitting = fitting / style.tile * style.tile;
  return std::min(fitting, RoundUp(rows, style.step));
}

// Rows of one chunk: as many as fit, evened out over the chunks in whole tiles.
int64_t ChunkRows(int64_t rows, int64_t capacity, const ChunkStyle& style) {
  if (rows == 0) return 0;
  const int64_t chunks = (rows + capacity - 1) / capacity;
  return std::min({RoundUp((rows + chunks - 1) / chunks, style.tile), capacity, rows});
}

}  // namespace

HeadLossPlan PlanHeadLoss(const HeadLossProblem& problem) {
  const ChunkStyle style = StyleOf(problem.device);
  const auto row_bytes = [&](DType dtype) {
    return problem.vocabulary * static_cast<int64_t>(DTypeSize(dtype));
  };
  const int64_t wide_bytes = row_bytes(LogitsDType(problem.compute));
  const auto max_bytes = static_cast<double>(problem.max_bytes);
  HeadLossPlan plan = {.narrow = problem.with_gradient && problem.compute == DType::kBF16};
  if (!plan.narrow) {
    plan.logits_capacity = plan.gradient_capacity =
        Capacity(problem.rows, wide_bytes, max_bytes, style);
    plan.logits = plan.gradient = ChunkRows(problem.rows, plan.logits_capacity, style);
    return plan;
  }
  plan.logits_capacity = Capacity(problem.rows, wide_bytes, max_bytes * style.logits_share, style);
  plan.gradient_capacity = Capacity(problem.rows, row_bytes(problem.compute),
                                    max_bytes * (1 - style.logits_share), style);
  plan.gradient = ChunkRows(problem.rows, plan.gradient_capacity, style);
  plan.logits = ChunkRows(plan.gradient, plan.logits_capacity, style);
  return plan;
}

}  // namespace frond
