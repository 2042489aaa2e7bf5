// The rows a run trains on: windows of the stream, packed, served by position. A row is the unit of
// a step ("256 rows a step"), of packing and of resuming. Every rank plans the same rows and takes
// its share of each step (rank_share.h), so the order is the same for every mesh.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "data/packing.h"
#include "mixtures/stream.h"

namespace frond {

// The next row to be served; all a checkpoint needs to keep. row < rows of the window.
struct StreamPosition {
  uint64_t window = 0;
  uint64_t row = 0;

  bool operator==(const StreamPosition&) const = default;
};

struct Row {
  std::vector<StreamExample> examples;
  SideLengths tokens;     // of all examples, after truncation
  int32_t truncated = 0;  // examples that lose tokens on either side

  bool operator==(const Row&) const;
};

// Tokens of an example before truncation, at least 1 on both sides. Called from a second thread
// too.
using ExampleLengths = std::function<SideLengths(const StreamExample&)>;

struct RowOptions {
  // Tokens of a row; longer examples are truncated.
  SideLengths limits = {.source = 1024, .target = 1024};
  bool packing = true;  // else one example a row
};

// One window's rows and how well they are filled.
struct PlannedWindow {
  uint64_t window = 0;
  std::vector<Row> rows;  // never empty
  PackingReport packing;
};

class RowStream {
 public:
  RowStream(Stream stream, ExampleLengths lengths, const RowOptions& options);

  // The next `n` rows, across windows; moves the position behind them. The rows are the same for
  // any chunking. The window after the current one is planned ahead on a thread.
  std::vector<Row> NextRows(int64_t n);

  const StreamPosition& position() const { return position_; }

  // The next row served is that of `position`. Plans one window. Fails, and stays, where the window
  // has no such row: then examples, lengths or options are not those the position was taken with.
  absl::Status Seek(const StreamPosition& position);

  // Rows of a window: a pure function, for reports.
  PlannedWindow Plan(uint64_t window) const { return plan_->Plan(window); }

  const Stream& stream() const { return plan_->stream; }
  const ExampleLengths& lengths() const { return plan_->lengths; }
  const RowOptions& options() const { return plan_->options; }

 private:
  // What planning needs, shared with the thread that plans ahead.
  struct Planner {
    Stream stream;
    ExampleLengths lengths;
    RowOptions options;
    PlannedWindow Plan(uint64_t window) const;
  };

  // Makes `window` the current one and starts planning the next.
  void Enter(uint64_t window);
  PlannedWindow TakePlan(uint64_t window);

  std::shared_ptr<const Planner> plan_;
  StreamPosition position_;
  PlannedWindow current_;             // empty rows: not planned yet
  std::future<PlannedWindow> ahead_;  // of window ahead_window_, where valid
  uint64_t ahead_window_ = 0;
};

}  // namespace frond
