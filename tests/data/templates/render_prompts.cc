// Renders templates for rows, for promptsource_test.py. Two kinds of use:
//   render_prompts FILE.yaml ROWS.jsonl   every template of the file with every row
//   render_prompts - CASES.jsonl          lines {"jinja": ..., "choices": ..., "row": ...}
// One line of JSON for each: {"id", "row", "inputs", "targets"}, without texts where the template
// has nothing to say, or {"id", "row", "error"}.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/templates/prompt.h"
#include "data/templates/prompt_file.h"

namespace frond {
namespace {

using nlohmann::json;

json Rendered(const absl::StatusOr<Prompt>& prompt, const json& row, int64_t number) {
  json line = {{"row", number}};
  RenderedPrompt texts;
  absl::StatusOr<bool> speaks =
      prompt.ok() ? prompt->Render(row, &texts) : absl::StatusOr<bool>(prompt.status());
  if (prompt.ok()) line["id"] = prompt->info().id;
  if (!speaks.ok()) {
    line["error"] = std::string(speaks.status().message());
  } else if (*speaks) {
    line["inputs"] = texts.inputs;
    line["targets"] = texts.targets;
  }
  return line;
}

int Run(const std::string& templates, const std::string& rows) {
  std::vector<Prompt> prompts;
  if (templates != "-") {
    absl::StatusOr<std::vector<Prompt>> read = ReadPromptFile(templates);
    if (!read.ok()) {
      std::cerr << read.status().message() << "\n";
      return 2;
    }
    prompts = *std::move(read);
  }
  std::ifstream in(rows);
  std::string text;
  for (int64_t number = 0; std::getline(in, text); ++number) {
    const json row = json::parse(text);
    for (const Prompt& prompt : prompts) std::cout << Rendered(prompt, row, number).dump() << "\n";
    if (templates != "-") continue;
    const auto prompt = Prompt::FromJinja({.id = "case"}, row.at("jinja").get<std::string>(),
                                          row.value("choices", ""));
    std::cout << Rendered(prompt, row.at("row"), number).dump() << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace frond

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: render_prompts FILE.yaml|- ROWS.jsonl\n";
    return 2;
  }
  return frond::Run(argv[1], argv[2]);
}
