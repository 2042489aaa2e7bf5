#include "mixtures/languages.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "core/base/nearest_name.h"

namespace frond {
namespace {

constexpr LanguageInfo kLanguages[] = {
    {"afr", "af", "Afrikaans", "Latn", ResourceClass::kMid, ""},
    {"amh", "am", "Amharic", "Ethi", ResourceClass::kLow, ""},
    {"ara", "ar", "Arabic", "Arab", ResourceClass::kHigh, "arb"},
    {"aze", "az", "Azerbaijani", "Latn", ResourceClass::kLow, "azj"},
    {"bel", "be", "Belarusian", "Cyrl", ResourceClass::kMid, ""},
    {"ben", "bn", "Bengali", "Beng", ResourceClass::kMid, ""},
    {"bul", "bg", "Bulgarian", "Cyrl", ResourceClass::kMid, ""},
    {"cat", "ca", "Catalan", "Latn", ResourceClass::kHigh, ""},
    {"ceb", "ceb", "Cebuano", "Latn", ResourceClass::kMid, ""},
    {"ces", "cs", "Czech", "Latn", ResourceClass::kHigh, ""},
    {"cym", "cy", "Welsh", "Latn", ResourceClass::kLow, ""},
    {"dan", "da", "Danish", "Latn", ResourceClass::kMid, ""},
    {"deu", "de", "German", "Latn", ResourceClass::kHigh, ""},
    {"ell", "el", "Greek", "Grek", ResourceClass::kMid, ""},
    {"eng", "en", "English", "Latn", ResourceClass::kHigh, ""},
    {"epo", "eo", "Esperanto", "Latn", ResourceClass::kLow, ""},
    {"est", "et", "Estonian", "Latn", ResourceClass::kMid, "ekk"},
    {"eus", "eu", "Basque", "Latn", ResourceClass::kHigh, ""},
    {"fil", "fil", "Filipino", "Latn", ResourceClass::kMid, "tgl tl"},
    {"fin", "fi", "Finnish", "Latn", ResourceClass::kHigh, ""},
    {"fra", "fr", "French", "Latn", ResourceClass::kHigh, ""},
    {"fry", "fy", "Western Frisian", "Latn", ResourceClass::kLow, ""},
    {"gla", "gd", "Scottish Gaelic", "Latn", ResourceClass::kLow, ""},
    {"gle", "ga", "Irish", "Latn", ResourceClass::kLow, ""},
    {"glg", "gl", "Galician", "Latn", ResourceClass::kMid, ""},
    {"guj", "gu", "Gujarati", "Gujr", ResourceClass::kLow, ""},
    {"hat", "ht", "Haitian Creole", "Latn", ResourceClass::kLow, ""},
    {"hau", "ha", "Hausa", "Latn", ResourceClass::kLow, ""},
    {"heb", "he", "Hebrew", "Hebr", ResourceClass::kMid, "iw"},
    {"hin", "hi", "Hindi", "Deva", ResourceClass::kHigh, ""},
    {"hun", "hu", "Hungarian", "Latn", ResourceClass::kHigh, ""},
    {"hye", "hy", "Armenian", "Armn", ResourceClass::kLow, ""},
    {"ibo", "ig", "Igbo", "Latn", ResourceClass::kLow, ""},
    {"ind", "id", "Indonesian", "Latn", ResourceClass::kMid, ""},
    {"isl", "is", "Icelandic", "Latn", ResourceClass::kLow, ""},
    {"ita", "it", "Italian", "Latn", ResourceClass::kHigh, ""},
    {"jav", "jv", "Javanese", "Latn", ResourceClass::kLow, "jw"},
    {"jpn", "ja", "Japanese", "Jpan", ResourceClass::kHigh, ""},
    {"kan", "kn", "Kannada", "Knda", ResourceClass::kLow, ""},
    {"kat", "ka", "Georgian", "Geor", ResourceClass::kMid, ""},
    {"kaz", "kk", "Kazakh", "Cyrl", ResourceClass::kMid, ""},
    {"khm", "km", "Khmer", "Khmr", ResourceClass::kLow, ""},
    {"kir", "ky", "Kyrgyz", "Cyrl", ResourceClass::kLow, ""},
    {"kor", "ko", "Korean", "Kore", ResourceClass::kHigh, ""},
    {"kur", "ku", "Kurdish", "Latn", ResourceClass::kLow, "kmr"},
    {"lao", "lo", "Lao", "Laoo", ResourceClass::kLow, ""},
    {"lat", "la", "Latin", "Latn", ResourceClass::kMid, ""},
    {"lav", "lv", "Latvian", "Latn", ResourceClass::kMid, "lvs"},
    {"lit", "lt", "Lithuanian", "Latn", ResourceClass::kMid, ""},
    {"ltz", "lb", "Luxembourgish", "Latn", ResourceClass::kLow, ""},
    {"mal", "ml", "Malayalam", "Mlym", ResourceClass::kLow, ""},
    {"mar", "mr", "Marathi", "Deva", ResourceClass::kLow, ""},
    {"mkd", "mk", "Macedonian", "Cyrl", ResourceClass::kLow, ""},
    {"mlg", "mg", "Malagasy", "Latn", ResourceClass::kLow, "plt"},
    {"mlt", "mt", "Maltese", "Latn", ResourceClass::kLow, ""},
    {"mon", "mn", "Mongolian", "Cyrl", ResourceClass::kLow, "khk"},
    {"mri", "mi", "Maori", "Latn", ResourceClass::kLow, ""},
    {"msa", "ms", "Malay", "Latn", ResourceClass::kMid, "zsm"},
    {"mya", "my", "Burmese", "Mymr", ResourceClass::kLow, ""},
    {"nep", "ne", "Nepali", "Deva", ResourceClass::kLow, "npi"},
    {"nld", "nl", "Dutch", "Latn", ResourceClass::kHigh, ""},
    {"nor", "no", "Norwegian", "Latn", ResourceClass::kLow, "nob nb"},
    {"nso", "nso", "Northern Sotho", "Latn", ResourceClass::kLow, ""},
    {"nya", "ny", "Chichewa", "Latn", ResourceClass::kLow, ""},
    {"ory", "or", "Odia", "Orya", ResourceClass::kLow, "ori"},
    {"pan", "pa", "Punjabi", "Guru", ResourceClass::kLow, ""},
    {"pes", "fa", "Persian", "Arab", ResourceClass::kHigh, "fas"},
    {"pol", "pl", "Polish", "Latn", ResourceClass::kHigh, ""},
    {"por", "pt", "Portuguese", "Latn", ResourceClass::kHigh, ""},
    {"pus", "ps", "Pashto", "Arab", ResourceClass::kLow, "pbt"},
    {"ron", "ro", "Romanian", "Latn", ResourceClass::kMid, ""},
    {"rus", "ru", "Russian", "Cyrl", ResourceClass::kHigh, ""},
    {"sin", "si", "Sinhala", "Sinh", ResourceClass::kLow, ""},
    {"slk", "sk", "Slovak", "Latn", ResourceClass::kMid, ""},
    {"slv", "sl", "Slovenian", "Latn", ResourceClass::kMid, ""},
    {"smo", "sm", "Samoan", "Latn", ResourceClass::kLow, ""},
    {"sna", "sn", "Shona", "Latn", ResourceClass::kLow, ""},
    {"snd", "sd", "Sindhi", "Arab", ResourceClass::kLow, ""},
    {"som", "so", "Somali", "Latn", ResourceClass::kLow, ""},
    {"sot", "st", "Southern Sotho", "Latn", ResourceClass::kLow, ""},
    {"spa", "es", "Spanish", "Latn", ResourceClass::kHigh, ""},
    {"sqi", "sq", "Albanian", "Latn", ResourceClass::kLow, "als"},
    {"srp", "sr", "Serbian", "Cyrl", ResourceClass::kHigh, ""},
    {"sun", "su", "Sundanese", "Latn", ResourceClass::kLow, ""},
    {"swa", "sw", "Swahili", "Latn", ResourceClass::kLow, "swh"},
    {"swe", "sv", "Swedish", "Latn", ResourceClass::kHigh, ""},
    {"tam", "ta", "Tamil", "Taml", ResourceClass::kMid, ""},
    {"tel", "te", "Telugu", "Telu", ResourceClass::kLow, ""},
    {"tgk", "tg", "Tajik", "Cyrl", ResourceClass::kLow, ""},
    {"tha", "th", "Thai", "Thai", ResourceClass::kMid, ""},
    {"tur", "tr", "Turkish", "Latn", ResourceClass::kHigh, ""},
    {"twi", "tw", "Twi", "Latn", ResourceClass::kLow, ""},
    {"ukr", "uk", "Ukrainian", "Cyrl", ResourceClass::kMid, ""},
    {"urd", "ur", "Urdu", "Arab", ResourceClass::kMid, ""},
    {"uzb", "uz", "Uzbek", "Latn", ResourceClass::kMid, "uzn"},
    {"vie", "vi", "Vietnamese", "Latn", ResourceClass::kHigh, ""},
    {"xho", "xh", "Xhosa", "Latn", ResourceClass::kLow, ""},
    {"yid", "yi", "Yiddish", "Hebr", ResourceClass::kLow, "ydd"},
    {"yor", "yo", "Yoruba", "Latn", ResourceClass::kLow, ""},
    {"zho", "zh", "Chinese", "Hans", ResourceClass::kHigh, "cmn"},
    {"zul", "zu", "Zulu", "Latn", ResourceClass::kLow, ""},
};

// Whether `word` is one of the words of `text`, which single spaces separate.
bool HasWord(absl::string_view text, absl::string_view word) {
  for (size_t at = text.find(word); at != absl::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || text[at - 1] == ' ') && (end == text.size() || text[end] == ' ')) return true;
  }
  return false;
}

}  // namespace

absl::string_view ResourceClassName(ResourceClass resources) {
  switch (resources) {
    case ResourceClass::kHigh:
      return "high";
    case ResourceClass::kMid:
      return "mid";
    case ResourceClass::kLow:
      return "low";
    case ResourceClass::kOther:
      return "other";
  }
  return "other";
}

std::span<const LanguageInfo> LanguageTable() { return kLanguages; }

const LanguageInfo* FindLanguage(absl::string_view code) {
  const std::string wanted = absl::AsciiStrToLower(code.substr(0, code.find_first_of("_-")));
  if (wanted.empty()) return nullptr;
  for (const LanguageInfo& language : kLanguages) {
    if (wanted == language.iso3 || wanted == language.code) return &language;
  }
  for (const LanguageInfo& language : kLanguages) {
    if (HasWord(language.aliases, wanted)) return &language;
  }
  return nullptr;
}

std::string CanonicalLanguage(absl::string_view code) {
  const LanguageInfo* found = FindLanguage(code);
  return std::string(found == nullptr ? code : found->iso3);
}

ResourceClass ResourceClassOf(absl::string_view code) {
  const LanguageInfo* found = FindLanguage(code);
  return found == nullptr ? ResourceClass::kOther : found->resources;
}

std::string NearestLanguage(absl::string_view code, std::span<const std::string> also) {
  std::vector<std::string> names(also.begin(), also.end());
  for (const LanguageInfo& language : kLanguages) {
    names.emplace_back(language.code);
    names.emplace_back(language.iso3);
  }
  return NearestName(code, names);
}

}  // namespace frond
