// Text as Python's str treats it: positions count characters, white space and letter case are
// Unicode's. Jinja templates are written against these rules. All text is UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace frond::templates {

bool IsUtf8(absl::string_view text);

// Characters, not bytes.
int64_t NumCharacters(absl::string_view text);
// One string per character.
std::vector<std::string> Characters(absl::string_view text);

// Characters [begin, end), as many of them as there are.
std::string Substring(absl::string_view text, int64_t begin, int64_t end);

// The first byte of `part` in the text, or npos, in a time that grows with the sizes of the two
// only, whatever they hold; an empty part stands at the beginning.
size_t Find(absl::string_view text, absl::string_view part);
// How often `part` occurs without overlaps; an empty one before every character and at the end.
int64_t CountOf(absl::string_view text, absl::string_view part);

// True for what str.isspace() calls white space.
bool IsSpace(int32_t character);

// Which ends of a text lose characters.
enum class End { kLeft, kRight, kBoth };

// Without white space at the given ends.
absl::string_view StripSpace(absl::string_view text, End end = End::kBoth);
// Without characters of `set` there.
std::string StripCharacters(absl::string_view text, absl::string_view set, End end);

// str.split(): runs of white space part the words. `limit` < 0: no limit, else at most that many
// cuts, from the left or, with `from_right`, from the right.
std::vector<std::string> SplitAtSpace(absl::string_view text, int64_t limit, bool from_right);
// str.split(separator); the separator is not empty.
std::vector<std::string> SplitAt(absl::string_view text, absl::string_view separator, int64_t limit,
                                 bool from_right);
std::vector<std::string> SplitLines(absl::string_view text);

// The first `limit` occurrences replaced, all where it is negative. An empty `old` stands before
// every character and at the end.
std::string Replace(absl::string_view text, absl::string_view old, absl::string_view replacement,
                    int64_t limit);

std::string Lower(absl::string_view text);
std::string Upper(absl::string_view text);
// First character in title case, all others in lower case.
std::string Capitalize(absl::string_view text);
// str.title(): every letter behind a letter in lower case, every other one in title case.
std::string Title(absl::string_view text);
// Jinja's filter of that name: words begin behind white space and - ( { [ < only.
std::string TitleWords(absl::string_view text);

bool IsDigits(absl::string_view text);
// At least one letter with a case, and none of the other case.
bool IsLower(absl::string_view text);
bool IsUpper(absl::string_view text);

// repr(text): quoted, with escapes.
std::string Quoted(absl::string_view text);

// The text for a message: on one line, and cut where it is long.
std::string OneLine(absl::string_view text);

// The UTF-8 form of one character; of U+FFFD where `character` is none.
std::string Utf8Of(int32_t character);

}  // namespace frond::templates
