#include "launch/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/human_numbers.h"

namespace frond {
namespace {

constexpr int kBarWidth = 20;
constexpr int kNarrowBarWidth = 10;
constexpr int kNarrowColumns = 110;
constexpr absl::string_view kGap = "  ";
constexpr absl::string_view kEraseToEnd = "\x1b[K";

struct Field {
  std::string text;
  int rank;  // fields of a low rank are kept longest on a narrow terminal
};

std::vector<Field> Fields(const ProgressState& state) {
  // As wide as the last step, so that the line does not dance.
  const std::string total = WithThousands(state.total_steps);
  const std::string step = WithThousands(state.step);
  const std::string blanks(total.size() - std::min(total.size(), step.size()), ' ');
  std::vector<Field> fields = {
      {absl::StrCat("step ", blanks, step, "/", total), 0},
      {absl::StrFormat("loss %.4f", state.loss), 1},
      {absl::StrFormat("lr %.2e", state.learning_rate), 6},
      {absl::StrFormat("%5s ex/s", ShortNumber(state.examples_per_second)), 4},
      {absl::StrFormat("%5s tok/s", ShortNumber(state.tokens_per_second)), 3}};
  if (state.mfu >= 0) fields.push_back({absl::StrFormat("MFU %2.0f%%", 100 * state.mfu), 5});
  if (state.communication >= 0) {
    fields.push_back({absl::StrFormat("comm %2.0f%%", 100 * state.communication), 7});
  }
  if (state.seconds_left >= 0) {
    fields.push_back({absl::StrCat("ETA ", HumanDuration(state.seconds_left)), 2});
  }
  return fields;
}

// The fields that fit into `columns`, a gap before each.
std::string FittingFields(const std::vector<Field>& fields, int columns) {
  std::vector<const Field*> by_rank;
  for (const Field& field : fields) by_rank.push_back(&field);
  std::sort(by_rank.begin(), by_rank.end(), [](auto* a, auto* b) { return a->rank < b->rank; });
  int worst_rank = -1;
  for (const Field* field : by_rank) {
    columns -= static_cast<int>(kGap.size() + field->text.size());
    if (columns < 0) break;
    worst_rank = field->rank;
  }
  std::string text;
  for (const Field& field : fields) {
    if (field.rank <= worst_rank) absl::StrAppend(&text, kGap, field.text);
  }
  return text;
}

// Heavy horizontal strokes in half steps; the rest stays light.
std::string Bar(double share, int width) {
  const int halves = std::clamp(static_cast<int>(std::floor(share * 2 * width)), 0, 2 * width);
  std::string bar;
  for (int i = 0; i < width; ++i) {
    const bool full = 2 * i + 2 <= halves, half = 2 * i + 1 == halves;
    bar += full ? "\u2501" : half ? "\u257E" : "\u2500";
  }
  return bar;
}

}  // namespace

std::string FormatProgress(const ProgressState& state) {
  const auto append_text = [](std::string* out, const Field& field) { *out += field.text; };
  return absl::StrJoin(Fields(state), kGap, append_text);
}

std::string FormatProgressBar(const ProgressState& state, int columns) {
  const double share = static_cast<double>(state.step) /
                       static_cast<double>(std::max<int64_t>(state.total_steps, 1));
  const int bar_width = columns < kNarrowColumns ? kNarrowBarWidth : kBarWidth;
  const std::string percent = absl::StrFormat(" %3.0f%%", std::floor(100 * share));
  const int left = columns - bar_width - static_cast<int>(percent.size());
  if (left < 0) return "";
  return absl::StrCat(Bar(share, bar_width), percent, FittingFields(Fields(state), left));
}

Progress::~Progress() {
  if (!shown_.empty()) out_ << "\n" << std::flush;
}

Progress::Style Progress::StyleOfStderr() {
  const char* terminal = getenv("TERM");
  const bool dumb = terminal == nullptr || absl::string_view(terminal) == "dumb";
  return isatty(STDERR_FILENO) && !dumb ? Style::kTerminal : Style::kPlain;
}

int Progress::ColumnsOfStderr() {
  constexpr int kUsual = 80;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsual;
  return size.ws_col;
}

void Progress::Update(const ProgressState& state) {
  if (style_ == Style::kSilent) return;
  if (style_ == Style::kPlain) {
    out_ << FormatProgress(state) << "\n" << std::flush;
    return;
  }
  // The last column stays free: some terminals wrap as soon as it is written.
  shown_ = FormatProgressBar(state, columns_ - 1);
  out_ << "\r" << shown_ << kEraseToEnd << std::flush;
}

void Progress::PrintLine(absl::string_view line) {
  if (style_ == Style::kSilent) return;
  if (shown_.empty()) {
    out_ << line << "\n" << std::flush;
    return;
  }
  out_ << "\r" << line << kEraseToEnd << "\n" << shown_ << std::flush;
}

}  // namespace frond
