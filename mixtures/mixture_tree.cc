#include "mixtures/mixture_tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "mixtures/languages.h"
#include "mixtures/share_bounds.h"
#include "mixtures/tree_limits.h"

namespace frond {
namespace {

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

TreeSize SizeOf(const MixtureNode& node) {
  if (node.children.empty()) return node.size;
  TreeSize size;
  for (const MixtureNode& child : node.children) size += SizeOf(child);
  return size;
}

absl::string_view LevelName(TreeLevel level) {
  switch (level) {
    case TreeLevel::kGroup:
      return "group";
    case TreeLevel::kDataset:
      return "dataset";
    case TreeLevel::kLanguage:
      return "language";
    case TreeLevel::kTemplate:
      return "template";
  }
  return "";
}

// What errors call a node.
std::string Where(const MixtureNode& node) {
  return node.name.empty() ? "the mixture"
                           : absl::StrCat(LevelName(node.level), " \"", node.name, "\"");
}

// Walks the tree once; each node's leaves are a range of leaf numbers.
class Resolver {
 public:
  // Resolves `node`; the shares of its leaves are those of the node's own, and sum to 1 or are 0.
  absl::Status Visit(const MixtureNode& node, int depth, const LeafPath& above) {
    const size_t at = tree_.nodes.size();
    LeafPath path = above;
    if (node.level == TreeLevel::kGroup) path.groups.push_back(node.name);
    if (node.level == TreeLevel::kDataset) path.dataset = node.name;
    if (node.level == TreeLevel::kLanguage) path.language = node.name;
    if (node.level == TreeLevel::kTemplate) path.template_id = node.name;
    ResolvedNode resolved = {
        .name = node.name, .level = node.level, .depth = depth, .size = SizeOf(node)};
    if (node.children.empty()) {
      resolved.leaf = static_cast<int>(leaves_.size());
      path.examples = node.size.examples;
      leaves_.push_back(std::move(path));
      shares_.push_back(node.size.examples > 0 ? 1 : 0);
      sizes_.push_back(node.size);
      tree_.nodes.push_back(std::move(resolved));
      return absl::OkStatus();
    }
    resolved.rule = DescribeRule(node.rule);
    tree_.nodes.push_back(std::move(resolved));
    const size_t first = leaves_.size();
    RETURN_IF_ERROR(VisitChildren(node, depth, path));
    return node.across_languages.has_value() ? RegroupByLanguage(node, first, at)
                                             : absl::OkStatus();
  }

  absl::StatusOr<ResolvedTree> Finish(const MixtureTree& tree) {
    if (std::all_of(shares_.begin(), shares_.end(), [](double share) { return share == 0; })) {
      return Invalid("the mixture is empty: no leaf has both examples and a weight");
    }
    ASSIGN_OR_RETURN(const std::vector<ShareBound> bounds,
                     BoundsOfLimits(tree.limits, leaves_, tree.examples));
    ASSIGN_OR_RETURN(BoundedShares bounded, BoundShares(shares_, bounds));
    tree_.probabilities = std::move(bounded.probabilities);
    for (size_t b = 0; b < bounds.size(); ++b) {
      ResolvedLimit limit = {.what = bounds[b].what, .binds = Binds(bounded.factors[b])};
      for (const int leaf : bounds[b].items) {
        limit.wanted += shares_[leaf];
        limit.probability += tree_.probabilities[leaf];
      }
      tree_.limits.push_back(std::move(limit));
    }
    SumNodes();
    return std::move(tree_);
  }

 private:
  static bool Binds(double factor) { return factor < 1 - 1e-12 || factor > 1 + 1e-12; }

  absl::Status VisitChildren(const MixtureNode& node, int depth, const LeafPath& path) {
    std::vector<RuleChild> children;
    std::set<std::string> names;
    for (const MixtureNode& child : node.children) {
      if (!names.insert(child.name).second) {
        return Invalid(absl::StrCat(Where(node), " has two children named \"", child.name, "\""));
      }
      children.push_back({.name = child.name,
                          .is_language = child.level == TreeLevel::kLanguage,
                          .weight = child.weight,
                          .size = SizeOf(child)});
    }
    ASSIGN_OR_RETURN(const std::vector<RuleShare> given,
                     ApplyRule(node.rule, children, Where(node)));
    for (size_t c = 0; c < node.children.size(); ++c) {
      const size_t first = leaves_.size(), at = tree_.nodes.size();
      RETURN_IF_ERROR(Visit(node.children[c], depth + 1, path));
      tree_.nodes[at].reason = given[c].reason;
      double below = 0;
      for (size_t i = first; i < leaves_.size(); ++i) below += shares_[i] *= given[c].share;
      if (given[c].share > 0 && !(below > 0)) {
        return Invalid(absl::StrCat(Where(node), ": ", Where(node.children[c]),
                                    " has a share but nothing in it has; give it weight 0"));
      }
    }
    return absl::OkStatus();
  }

  // Sets what each language has in all of the leaves from `first` on.
  absl::Status RegroupByLanguage(const MixtureNode& node, size_t first, size_t at) {
    std::map<std::string, std::vector<size_t>> leaves_of;
    for (size_t i = first; i < leaves_.size(); ++i) {
      if (shares_[i] > 0) leaves_of[CanonicalLanguage(leaves_[i].language)].push_back(i);
    }
    std::vector<RuleChild> languages;
    std::vector<double> before;
    for (const auto& [language, leaves] : leaves_of) {
      languages.push_back(
          {.name = language, .is_language = true, .weight = std::nullopt, .size = {}});
      before.push_back(0);
      for (const size_t leaf : leaves) {
        languages.back().size += sizes_[leaf];
        before.back() += shares_[leaf];
      }
    }
    const WeightRule& rule = *node.across_languages;
    ASSIGN_OR_RETURN(const std::vector<RuleShare> given,
                     ApplyRule(rule, languages, absl::StrCat("the languages of ", Where(node))));
    ResolvedNode& resolved = tree_.nodes[at];
    size_t k = 0;
    for (const auto& [language, leaves] : leaves_of) {
      for (const size_t leaf : leaves) shares_[leaf] *= given[k].share / before[k];
      resolved.languages.push_back(absl::StrFormat("%s %.4g %%, was %.4g %%: %s", language,
                                                   100 * given[k].share, 100 * before[k],
                                                   given[k].reason));
      ++k;
    }
    absl::StrAppend(&resolved.rule, "; across languages: ", DescribeRule(rule));
    return absl::OkStatus();
  }

  // Shares of nodes are those of their leaves.
  void SumNodes() {
    std::vector<size_t> open;  // the path to the current node
    for (size_t n = 0; n < tree_.nodes.size(); ++n) {
      ResolvedNode& node = tree_.nodes[n];
      open.resize(static_cast<size_t>(node.depth));
      open.push_back(n);
      if (node.leaf < 0) continue;
      for (const size_t above : open) {
        tree_.nodes[above].wanted += shares_[node.leaf];
        tree_.nodes[above].probability += tree_.probabilities[node.leaf];
      }
    }
  }

  ResolvedTree tree_;
  std::vector<LeafPath> leaves_;
  std::vector<double> shares_;
  std::vector<TreeSize> sizes_;  // of leaves
};

}  // namespace

absl::StatusOr<ResolvedTree> ResolveTree(const MixtureTree& tree) {
  if (tree.root.children.empty())
    return Invalid("the mixture has no dataset; it needs at least one");
  Resolver resolver;
  RETURN_IF_ERROR(resolver.Visit(tree.root, 0, {}));
  return resolver.Finish(tree);
}

}  // namespace frond
