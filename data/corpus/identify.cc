// "Which language is this": phrases of the other exercises, asked for by name, endonym and code.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/hash.h"
#include "data/corpus/exercises.h"
#include "data/corpus/icu_text.h"

namespace frond::corpus {
namespace {

constexpr int kShared = -1;

struct Phrase {
  std::string text;
  std::string fact;
};

// Which language says it, numbers aside; kShared where several do.
using Owners = std::map<std::string, int>;

Owners FindOwners(const std::vector<FactSink>& sinks) {
  Owners owners;
  for (size_t i = 0; i < sinks.size(); ++i) {
    for (const Candidate& candidate : sinks[i].candidates()) {
      if (!candidate.is_phrase) continue;
      const int index = static_cast<int>(i);
      const auto [owner, is_new] = owners.try_emplace(WithoutDigits(candidate.targets), index);
      if (!is_new && owner->second != index) owner->second = kShared;
    }
  }
  return owners;
}

std::vector<Phrase> OwnPhrases(const FactSink& sink, const Owners& owners) {
  std::vector<Phrase> phrases;
  for (const Candidate& candidate : sink.candidates()) {
    if (!candidate.is_phrase || !HasLetter(candidate.targets)) continue;
    const std::string key = WithoutDigits(candidate.targets);
    if (owners.at(key) == kShared || key.size() < 3) continue;
    phrases.push_back({candidate.targets, candidate.fact});
  }
  return phrases;
}

void AddQuestions(const Language& language, const Phrase& phrase, FactSink& sink) {
  const auto add = [&](const std::string& id, const std::string& verb, const std::string& targets,
                       bool to_english) {
    sink.Add({.task = Task::kIdentifyLanguage,
              .fact = phrase.fact,
              .template_id = id,
              .inputs = absl::StrCat(verb, " ", phrase.text),
              .targets = targets,
              .english_target = to_english});
  };
  // One of the four per phrase, so that no answer becomes a language's most frequent one by far.
  switch (Hash64(absl::StrCat("question ", phrase.text)) % 4) {
    case 0:
      return add("identify_name", "Which language?", language.english_name, true);
    case 1:
      return add("identify_endonym", "Own name of the language?", language.endonym, false);
    case 2:
      return add("identify_code", "Language code?", language.code, false);
    default:
      return add("identify_script", "Language and script code?",
                 absl::StrCat(language.code, "-", language.script), false);
  }
}

}  // namespace

void WriteIdentifyExercises(const std::vector<Language>& languages, std::vector<FactSink>& sinks) {
  const Owners owners = FindOwners(sinks);
  for (size_t i = 0; i < languages.size(); ++i) {
    for (const Phrase& phrase : OwnPhrases(sinks[i], owners)) {
      AddQuestions(languages[i], phrase, sinks[i]);
    }
  }
}

}  // namespace frond::corpus
