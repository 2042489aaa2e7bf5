// The datasets that a config trains on, wherever in list or tree they stand, and the files that a
// tree imports.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "configs/train.pb.h"

namespace frond {

// The list's sources, then those of the tree, depth first with a group's groups before its
// datasets. Pointers live as long as `data` is not changed.
std::vector<const config::Source*> SourcesOf(const config::Data& data);
std::vector<config::Source*> SourcesOf(config::Data& data);

// The sets that rows of a tree are pruned against, in all of it.
std::vector<config::Source*> EvaluationSetsOf(config::Data& data);

// Puts the content of imported files in the place of `import`, in all of `mixture`, which was read
// from `file`; paths of imports are relative to the file that names them. Errors, in one line: a
// file that cannot be read or parsed, files that import each other in a circle, groups, datasets or
// limits beside `import`.
absl::Status InlineImports(const std::string& file, config::Mixture& mixture);

// Whether the tree's form is right: names, weights, rules, at least one dataset. Errors name the
// path of the field from the config's top.
absl::Status ValidateMixture(const config::Mixture& mixture);

}  // namespace frond
