// A mixture as a tree: groups of groups and datasets, datasets of languages, languages of
// templates. Each inner node has one rule that shares its part out among its children; limits hold
// for the whole. Resolving a tree gives every leaf's probability and, for every node, how its
// number came about.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mixtures/rule_shares.h"

namespace frond {

enum class TreeLevel { kGroup, kDataset, kLanguage, kTemplate };

struct MixtureNode {
  std::string name;
  TreeLevel level = TreeLevel::kGroup;
  std::optional<double> weight;  // for the parent's kLiteral
  WeightRule rule;               // among the children
  // Of a group: what each language below it has in all is set by this rule on the languages' sizes;
  // among the leaves of a language the shares keep the proportions that the rules gave.
  std::optional<WeightRule> across_languages;
  std::vector<MixtureNode> children;
  TreeSize size;  // of a leaf
};

// Holds for the leaves that match all that is given; empty matches everything.
struct ShareLimit {
  std::string group, dataset, language, resource_class, template_id;
  // One limit for each set of matching leaves that agree in this, or one for all together.
  enum class Each { kAll, kLanguage, kDataset, kResourceClass, kDatasetLanguage, kLeaf };
  Each each = Each::kAll;
  // Of the whole mixture.
  std::optional<double> min_share, max_share;
  // Of the run; these need MixtureTree::examples.
  std::optional<double> min_examples, max_examples, max_epochs;
};

struct MixtureTree {
  MixtureNode root;
  std::vector<ShareLimit> limits;
  // Examples that the run is to see; 0: not said.
  double examples = 0;
};

struct ResolvedNode {
  std::string name;
  TreeLevel level = TreeLevel::kGroup;
  int depth = 0;
  int leaf = -1;  // -1: an inner node
  TreeSize size;
  double wanted = 0;        // share of the mixture by the rules alone
  double probability = 0;   // and within the limits
  std::string rule = {};    // of an inner node: "temperature 3.33 over examples"
  std::string reason = {};  // what the parent's rule made the number of: "weight 3 of 4"
  std::vector<std::string> languages = {};  // what across_languages gave, a line for each language
};

struct ResolvedLimit {
  std::string what;
  double wanted = 0;  // share of what it holds for, by the rules alone
  double probability = 0;
  bool binds = false;
};

struct ResolvedTree {
  std::vector<ResolvedNode> nodes;    // depth first, the root first
  std::vector<double> probabilities;  // of the leaves, in the order of the nodes; sum to 1
  std::vector<ResolvedLimit> limits;
};

// Leaves are the nodes without children, numbered depth first. Sizes of inner nodes are sums.
// Errors, in one line: weights, temperatures, budgets out of range, a weight or limit that names
// nothing in the tree (with the nearest name), a node with a weight but no example, two children of
// one name, limits that cannot be met.
absl::StatusOr<ResolvedTree> ResolveTree(const MixtureTree& tree);

// The tree with shares, rules and reasons, a line a node; of more than `max_children` children of a
// node the largest are shown and the others summed up. Then the limits that bind.
std::string FormatTree(const ResolvedTree& tree, size_t max_children = 12);

}  // namespace frond
