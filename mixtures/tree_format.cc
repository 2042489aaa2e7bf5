#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "mixtures/mixture_tree.h"

namespace frond {
namespace {

constexpr size_t kNameWidth = 34;
constexpr double kMoved = 1e-9;  // relative change that limits made

class TreeText {
 public:
  TreeText(const ResolvedTree& tree, size_t max_children)
      : tree_(tree), max_children_(max_children) {}

  std::string Write() {
    Line("share", "", "rule, and how the number came about");
    Node(0);
    Limits();
    return text_;
  }

 private:
  static std::string Percent(double share) { return absl::StrFormat("%8.4f %%", 100 * share); }

  void Line(const std::string& share, const std::string& name, const std::string& rest) {
    // Names are padded by characters, not bytes.
    const auto width = static_cast<size_t>(
        std::count_if(name.begin(), name.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    const std::string padding(width < kNameWidth ? kNameWidth - width : 0, ' ');
    std::string line = absl::StrFormat("%10s  %s%s  %s", share, name, padding, rest);
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text_, line, "\n");
  }

  std::string Explain(const ResolvedNode& node) const {
    std::string text = node.reason;
    if (std::abs(node.probability - node.wanted) > kMoved * node.wanted) {
      absl::StrAppend(&text, text.empty() ? "" : "; ",
                      absl::StrFormat("limits: from %.4g %%", 100 * node.wanted));
    }
    if (!node.rule.empty()) absl::StrAppend(&text, text.empty() ? "" : "; ", "-> ", node.rule);
    return text;
  }

  // The nodes directly below, the largest first where not all are shown.
  std::vector<size_t> ChildrenOf(size_t n) const {
    std::vector<size_t> children;
    for (size_t c = n + 1; c < tree_.nodes.size(); ++c) {
      if (tree_.nodes[c].depth <= tree_.nodes[n].depth) break;
      if (tree_.nodes[c].depth == tree_.nodes[n].depth + 1) children.push_back(c);
    }
    if (children.size() > max_children_) {
      std::stable_sort(children.begin(), children.end(), [this](size_t a, size_t b) {
        return tree_.nodes[a].probability > tree_.nodes[b].probability;
      });
    }
    return children;
  }

  void Node(size_t n) {
    const ResolvedNode& node = tree_.nodes[n];
    const std::string indent(2 * static_cast<size_t>(node.depth), ' ');
    Line(Percent(node.probability), indent + (node.name.empty() ? "mixture" : node.name),
         Explain(node));
    for (size_t l = 0; l < std::min(node.languages.size(), max_children_); ++l) {
      Line("", indent + "  (language)", node.languages[l]);
    }
    if (node.languages.size() > max_children_) {
      Line("", indent + "  (language)",
           absl::StrCat("and ", node.languages.size() - max_children_, " more"));
    }
    const std::vector<size_t> children = ChildrenOf(n);
    double rest = 0;
    for (size_t c = 0; c < children.size(); ++c) {
      if (c < max_children_) {
        Node(children[c]);
      } else {
        rest += tree_.nodes[children[c]].probability;
      }
    }
    if (children.size() <= max_children_) return;
    Line(Percent(rest), absl::StrCat(indent, "  (", children.size() - max_children_, " more)"), "");
  }

  void Limits() {
    for (const ResolvedLimit& limit : tree_.limits) {
      if (!limit.binds) continue;
      absl::StrAppend(&text_, absl::StrFormat("limit %s: %.4g %% became %.4g %%\n", limit.what,
                                              100 * limit.wanted, 100 * limit.probability));
    }
  }

  const ResolvedTree& tree_;
  const size_t max_children_;
  std::string text_;
};

}  // namespace

std::string FormatTree(const ResolvedTree& tree, size_t max_children) {
  return TreeText(tree, max_children).Write();
}

}  // namespace frond
