#include "mixtures/pruning/share_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/base/hash.h"
#include "core/base/human_numbers.h"
#include "mixtures/pruning/text_measure.h"

namespace frond {
namespace {

constexpr absl::string_view kUrlBeginnings[] = {"http://", "https://", "ftp://", "www."};
constexpr absl::string_view kCodeSigns = "{}[]();=<>_\\|$#&*`+";
constexpr absl::string_view kCodeBeginnings[] = {
    "#include", "import ",   "from ",      "def ",     "class ",  "return ", "public ",
    "private ", "function ", "const ",     "var ",     "let ",    "for (",   "if (",
    "while (",  "std::",     "namespace ", "package ", "SELECT ", "#!/"};
constexpr double kCodeSignShare = 0.2;

bool IsSpace(char c) { return absl::ascii_isspace(c); }

int64_t CountInk(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !IsSpace(c); });
}

int64_t CountSigns(absl::string_view line) {
  return std::count_if(line.begin(), line.end(),
                       [](char c) { return kCodeSigns.find(c) != kCodeSigns.npos; });
}

bool LooksLikeCode(absl::string_view line) {
  const int64_t signs = CountSigns(line);
  if (signs > 1) {
    const char last = line.back();
    if (last == ';' || last == '{' || last == '}') return true;
  }
  const bool begins = std::any_of(
      std::begin(kCodeBeginnings), std::end(kCodeBeginnings),
      [line](absl::string_view beginning) { return absl::StartsWith(line, beginning); });
  if (begins && (signs > 0 || absl::StartsWith(line, "import "))) return true;
  return line.size() >= 4 && static_cast<double>(signs) >= kCodeSignShare * line.size();
}

// A worker that measures one share and drops above a limit.
template <class Measure>
class ShareWorker : public RuleWorker {
 public:
  ShareWorker(Side side, double max_share, const char* what, Measure measure)
      : side_(side), max_share_(max_share), what_(what), measure_(std::move(measure)) {}

  absl::StatusOr<Opinion> Look(const Example& example, absl::string_view) override {
    const double share = measure_(SideOf(example, side_, &joined_));
    if (share <= max_share_) return Opinion::Keep();
    return Opinion::Drop(
        absl::StrFormat("%s %s, at most %s", Percent(share), what_, Percent(max_share_)));
  }

 private:
  Side side_;
  double max_share_;
  const char* what_;
  Measure measure_;
  std::string joined_;
};

template <class Measure>
class MeasureRule : public Rule {
 public:
  MeasureRule(Side side, double max_share, const char* what, Measure measure)
      : side_(side), max_share_(max_share), what_(what), measure_(std::move(measure)) {}

  std::unique_ptr<RuleWorker> NewWorker() const override {
    return std::make_unique<ShareWorker<Measure>>(side_, max_share_, what_, measure_);
  }

 private:
  Side side_;
  double max_share_;
  const char* what_;
  Measure measure_;
};

}  // namespace

double UrlShare(absl::string_view text) {
  const int64_t ink = CountInk(text);
  int64_t url = 0;
  for (size_t at = 0; at < text.size();) {
    // Nearly all bytes are none of an address's first letters.
    const char first = absl::ascii_tolower(static_cast<unsigned char>(text[at]));
    if (first != 'h' && first != 'w' && first != 'f') {
      ++at;
      continue;
    }
    const absl::string_view rest = text.substr(at);
    const bool begins = std::any_of(std::begin(kUrlBeginnings), std::end(kUrlBeginnings),
                                    [rest](absl::string_view beginning) {
                                      return absl::StartsWithIgnoreCase(rest, beginning);
                                    });
    if (!begins) {
      ++at;
      continue;
    }
    const size_t length = std::find_if(rest.begin(), rest.end(), IsSpace) - rest.begin();
    url += static_cast<int64_t>(length);
    at += length;
  }
  return ink > 0 ? static_cast<double>(url) / ink : 0;
}

double CodeShare(absl::string_view text) {
  const int64_t ink = CountInk(text);
  int64_t code = 0;
  for (const absl::string_view whole : absl::StrSplit(text, '\n')) {
    const absl::string_view line = absl::StripAsciiWhitespace(whole);
    if (!line.empty() && LooksLikeCode(line)) code += CountInk(line);
  }
  return ink > 0 ? static_cast<double>(code) / ink : 0;
}

double RepeatedShare(absl::string_view text, int ngram) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) != 0x80) starts.push_back(i);
  }
  starts.push_back(text.size());
  const size_t width = static_cast<size_t>(ngram);
  if (starts.size() <= width) return 0;
  const size_t count = starts.size() - width;
  absl::flat_hash_set<uint64_t> seen;
  seen.reserve(count);
  size_t repeated = 0;
  for (size_t i = 0; i < count; ++i) {
    repeated += !seen.insert(Hash64(text.substr(starts[i], starts[i + width] - starts[i]))).second;
  }
  return static_cast<double>(repeated) / static_cast<double>(count);
}

std::unique_ptr<Rule> MakeShareRule(const ShareOptions& options) {
  const bool urls = options.of == ShareOptions::Of::kUrls;
  using Measure = double (*)(absl::string_view);
  return std::make_unique<MeasureRule<Measure>>(options.side, options.max_share,
                                                urls ? "in URLs" : "in lines of code",
                                                urls ? UrlShare : CodeShare);
}

std::unique_ptr<Rule> MakeRepetitionRule(const RepetitionOptions& options) {
  const auto measure = [options](absl::string_view text) {
    return CountCharacters(text) < options.min_characters ? 0 : RepeatedShare(text, options.ngram);
  };
  return std::make_unique<MeasureRule<decltype(measure)>>(options.side, options.max_share,
                                                          "of the n-grams repeated", measure);
}

}  // namespace frond
