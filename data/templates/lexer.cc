#include "data/templates/lexer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/status_macros.h"
#include "data/templates/python_text.h"

namespace frond::templates {
namespace {

using Kind = Token::Kind;

constexpr size_t kNone = absl::string_view::npos;

bool StartsName(char c) { return absl::ascii_isalpha(c) || c == '_' || (c & 0x80) != 0; }
bool ContinuesName(char c) { return StartsName(c) || absl::ascii_isdigit(c); }

// Appends what the escape at text[*at], a backslash, stands for and moves behind it.
void AppendEscape(absl::string_view text, size_t* at, std::string* out) {
  constexpr absl::string_view kLetters = "\\'\"abfnrtv";
  constexpr absl::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
  if (*at + 1 == text.size()) {
    out->push_back('\\');
    ++*at;
    return;
  }
  const char letter = text[*at + 1];
  const size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  int32_t code = 0;
  if (digits > 0 && absl::SimpleHexAtoi(text.substr(*at + 2, digits), &code) &&
      text.size() >= *at + 2 + digits) {
    *out += Utf8Of(code);
    *at += 2 + digits;
    return;
  }
  if (letter >= '0' && letter <= '7') {
    size_t end = *at + 1;
    for (; end < std::min(text.size(), *at + 4) && text[end] >= '0' && text[end] <= '7'; ++end) {
      code = code * 8 + (text[end] - '0');
    }
    *out += Utf8Of(code);
    *at = end;
    return;
  }
  const size_t known = kLetters.find(letter);
  if (known != kNone) {
    out->push_back(kMeanings[known]);
  } else if (letter != '\n') {
    *out += {'\\', letter};
  }
  *at += 2;
}

std::string Unescaped(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\\') {
      AppendEscape(text, &i, &result);
    } else {
      result.push_back(text[i++]);
    }
  }
  return result;
}

class Lexer {
 public:
  explicit Lexer(absl::string_view source) : source_(source) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) RETURN_IF_ERROR(Next());
    Push(Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  absl::Status Bad(std::string message) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", message));
  }

  void Push(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  void Advance(size_t to) {
    to = std::min(to, source_.size());
    line_ += static_cast<int>(std::count(source_.begin() + at_, source_.begin() + to, '\n'));
    at_ = to;
  }

  void SkipSpace() { Advance(source_.size() - StripSpace(source_.substr(at_), End::kLeft).size()); }

  bool Sees(absl::string_view text) const { return source_.substr(at_, text.size()) == text; }

  // Text up to the next tag, and the tag.
  absl::Status Next() {
    size_t tag = at_;
    for (; tag + 1 < source_.size(); ++tag) {
      if (source_[tag] == '{' &&
          (source_[tag + 1] == '{' || source_[tag + 1] == '%' || source_[tag + 1] == '#')) {
        break;
      }
    }
    if (tag + 1 >= source_.size()) tag = source_.size();
    absl::string_view text = source_.substr(at_, tag - at_);
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (sign == '-') text = StripSpace(text, End::kRight);
    if (!text.empty()) Push(Kind::kText, std::string(text));
    Advance(tag);
    if (tag == source_.size()) return absl::OkStatus();
    const char kind = source_[tag + 1];
    Advance(tag + (sign == '-' || (sign == '+' && kind != '{') ? 3 : 2));
    if (kind == '#') return Comment();
    if (kind == '{') return Tag(Kind::kPrintBegin, Kind::kPrintEnd, "}}");
    if (IsRaw()) return Raw();
    return Tag(Kind::kTagBegin, Kind::kTagEnd, "%}");
  }

  absl::Status Comment() {
    const size_t end = source_.find("#}", at_);
    if (end == kNone) return Bad("a comment '{#' without '#}'");
    const bool strip = end > at_ && source_[end - 1] == '-';
    Advance(end + 2);
    if (strip) SkipSpace();
    return absl::OkStatus();
  }

  bool IsRaw() const {
    const absl::string_view rest = StripSpace(source_.substr(at_), End::kLeft);
    return rest.substr(0, 3) == "raw" && (rest.size() == 3 || !ContinuesName(rest[3]));
  }

  // The end of a tag that closes at `at_`, 0 where none does.
  size_t TagEnd(absl::string_view close) const {
    if (Sees(close)) return at_ + 2;
    const bool sign = Sees("-") || (close == "%}" && Sees("+"));
    return sign && source_.substr(at_ + 1, 2) == close ? at_ + 3 : 0;
  }

  void CloseTag(size_t end) {
    const bool strip = source_[at_] == '-';
    Advance(end);
    if (strip) SkipSpace();
  }

  absl::Status Raw() {
    SkipSpace();
    Advance(at_ + 3);
    SkipSpace();
    const size_t begin = TagEnd("%}");
    if (begin == 0) return Bad("'{% raw' without '%}'");
    CloseTag(begin);
    const size_t text_begin = at_;
    for (size_t tag = source_.find("{%", at_); tag != kNone; tag = source_.find("{%", tag + 2)) {
      Advance(tag + 2);
      const bool strip = Sees("-");
      if (strip || Sees("+")) Advance(at_ + 1);
      SkipSpace();
      if (!Sees("endraw")) continue;
      Advance(at_ + 6);
      SkipSpace();
      const size_t end = TagEnd("%}");
      if (end == 0) continue;
      absl::string_view text = source_.substr(text_begin, tag - text_begin);
      if (strip) text = StripSpace(text, End::kRight);
      Push(Kind::kText, std::string(text));
      CloseTag(end);
      return absl::OkStatus();
    }
    return Bad("'{% raw %}' without '{% endraw %}'");
  }

  absl::Status Tag(Kind begin, Kind end_kind, absl::string_view close) {
    Push(begin, begin == Kind::kPrintBegin ? "{{" : "{%");
    int open = 0;  // braces, brackets and parentheses: inside them `}}` ends no tag
    while (true) {
      SkipSpace();
      if (at_ == source_.size()) return Bad(absl::StrCat("a tag without '", close, "'"));
      if (const size_t end = open == 0 ? TagEnd(close) : 0; end > 0) {
        Push(end_kind, std::string(close));
        CloseTag(end);
        return absl::OkStatus();
      }
      const char c = source_[at_];
      if (c == '(' || c == '[' || c == '{') ++open;
      if (c == ')' || c == ']' || c == '}') {
        if (open-- == 0) return Bad(absl::StrCat("unexpected '", absl::string_view(&c, 1), "'"));
      }
      RETURN_IF_ERROR(Inside());
    }
  }

  absl::Status Inside() {
    const char c = source_[at_];
    if (c == '\'' || c == '"') return String(c);
    size_t end = at_ + 1;
    if (StartsName(c)) {
      while (end < source_.size() && ContinuesName(source_[end])) ++end;
      Push(Kind::kName, std::string(source_.substr(at_, end - at_)));
      Advance(end);
      return absl::OkStatus();
    }
    if (absl::ascii_isdigit(c)) return Number();
    for (const absl::string_view op :
         {"==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<",
          ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ".", ":", "|", ","}) {
      if (!Sees(op)) continue;
      Push(Kind::kOperator, std::string(op));
      Advance(at_ + op.size());
      return absl::OkStatus();
    }
    return Bad(absl::StrCat("unexpected '", absl::CHexEscape(absl::string_view(&c, 1)), "'"));
  }

  absl::Status String(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return Bad("a string without its closing quote");
    Push(Kind::kString, Unescaped(source_.substr(at_ + 1, end - at_ - 1)));
    Advance(end + 1);
    return absl::OkStatus();
  }

  absl::Status Number() {
    size_t end = at_;
    const auto digits = [&] {
      const size_t begin = end;
      while (end < source_.size() && (absl::ascii_isdigit(source_[end]) || source_[end] == '_')) {
        ++end;
      }
      return end > begin;
    };
    digits();
    bool is_float = false;
    // `list.0.text` has no fraction: a number behind a dot is an index.
    const bool index = !tokens_.empty() && tokens_.back().Is(Kind::kOperator, ".");
    if (!index && end + 1 < source_.size() && source_[end] == '.' &&
        absl::ascii_isdigit(source_[end + 1])) {
      ++end;
      is_float = digits();
    }
    if (!index && end + 1 < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t before = end++;
      if (source_[end] == '+' || source_[end] == '-') ++end;
      const bool exponent = digits();
      if (!exponent) end = before;
      is_float = is_float || exponent;
    }
    std::string text(source_.substr(at_, end - at_));
    absl::StrReplaceAll({{"_", ""}}, &text);
    if (end < source_.size() && StartsName(source_[end])) {
      return Bad(absl::StrCat("unexpected '", text, absl::string_view(&source_[end], 1), "'"));
    }
    Push(is_float ? Kind::kFloat : Kind::kInteger, std::move(text));
    Advance(end);
    return absl::OkStatus();
  }

  absl::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Tokenize(absl::string_view source) {
  std::string text = absl::StrReplaceAll(source, {{"\r\n", "\n"}, {"\r", "\n"}});
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return Lexer(text).Run();
}

}  // namespace frond::templates
