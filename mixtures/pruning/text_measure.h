// Measures of text that rules share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

// Code points of valid UTF-8.
int64_t CountCharacters(absl::string_view text);

// What two texts must share to count as the same: NFKC, case folded, without default-ignorable code
// points (Unicode's NFKC_Casefold), every run of white space one space, none at the ends.
std::string NormalizeText(absl::string_view text);

// Words: runs between white space with at least one letter or digit; where a text has letters of a
// script that writes no spaces (Han, kana, Thai, Lao, Khmer, Burmese), the words of ICU's
// dictionaries. One thread at a time.
class WordCounter {
 public:
  WordCounter();
  ~WordCounter();
  WordCounter(const WordCounter&) = delete;
  WordCounter& operator=(const WordCounter&) = delete;
  int64_t Count(absl::string_view text);

 private:
  struct Dictionary;
  std::unique_ptr<Dictionary> dictionary_;
};

}  // namespace frond
