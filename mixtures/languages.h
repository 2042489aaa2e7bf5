// The 101 languages of Aya (Ustun et al. 2024, table 11): codes, names, scripts and resource
// classes. The classes are the paper's: of Joshi et al. (2020), 5 and 4 are high, 3 is mid, and
// the rest is low.
#pragma once

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace frond {

// kOther: a language that the table does not have.
enum class ResourceClass { kHigh, kMid, kLow, kOther };

// "high", "mid", "low", "other".
absl::string_view ResourceClassName(ResourceClass resources);

struct LanguageInfo {
  absl::string_view iso3;  // ISO 639-3, "fin"; the table is sorted by it
  absl::string_view
      code;  // the code of mT5 and CLDR, "fi"; ISO 639-3 where there is no shorter one
  absl::string_view name;    // English
  absl::string_view script;  // ISO 15924, the one most used: "Latn"
  ResourceClass resources = ResourceClass::kOther;
  absl::string_view aliases;  // other codes in use, separated by spaces: "arb"
};

std::span<const LanguageInfo> LanguageTable();

// Finds a language by any of its codes, with or without script or region behind ("fi", "fin",
// "fin_Latn", "zh-CN"), whatever their case; nullptr where the table has none.
const LanguageInfo* FindLanguage(absl::string_view code);

// One name for all codes of a language: its ISO 639-3 code, or `code` itself where the table does
// not have it.
std::string CanonicalLanguage(absl::string_view code);

// kOther for codes that the table does not have.
ResourceClass ResourceClassOf(absl::string_view code);

// The code of the table or of `also` that is closest to `code`, for error messages.
std::string NearestLanguage(absl::string_view code, std::span<const std::string> also = {});

}  // namespace frond
