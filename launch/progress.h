// The line that shows how a run goes: redrawn in place on a terminal, printed plainly otherwise.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

struct ProgressState {
  int64_t step = 0;
  int64_t total_steps = 0;
  double loss = 0;
  double learning_rate = 0;
  double examples_per_second = 0;
  double tokens_per_second = 0;  // source and target
  double mfu = -1;               // 0 .. 1; negative where the peak is not known
  double communication = -1;     // share of the time in collectives, 0 .. 1; negative: not known
  double seconds_left = -1;      // negative where it is not known yet
};

// A plain line, e.g.
//   step 1,240/20,000  loss 2.3412  lr 3.00e-04  812 ex/s  41.2k tok/s  MFU 63%  comm 4%  ETA 1h
//   12m
std::string FormatProgress(const ProgressState& state);

// The same behind a bar, in at most `columns` columns: what does not fit is left out from the
// right.
std::string FormatProgressBar(const ProgressState& state, int columns);

// Writes to a stream that outlives it. Not for several threads.
class Progress {
 public:
  enum class Style { kPlain, kTerminal, kSilent };

  Progress(std::ostream& out, Style style, int columns = 80)
      : out_(out), style_(style), columns_(columns) {}
  // Leaves the last line standing.
  ~Progress();

  // Style and width for the process's standard error.
  static Style StyleOfStderr();
  static int ColumnsOfStderr();

  void Update(const ProgressState& state);
  // A line above the progress line, e.g. of an evaluation or a checkpoint.
  void PrintLine(absl::string_view line);

 private:
  std::ostream& out_;
  Style style_;
  int columns_;
  std::string shown_;  // the line on the terminal
};

}  // namespace frond
