#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "data/templates/filters.h"
#include "data/templates/lexer.h"
#include "data/templates/methods.h"
#include "data/templates/predicates.h"
#include "data/templates/syntax.h"

namespace frond::templates {
namespace {

using Kind = Expression::Kind;
using Node = std::unique_ptr<Expression>;

// Deeper nesting is refused: the evaluator recurses.
constexpr int kDeepest = 100;
// Likewise for chains such as 1 + 1 + 1 + ..., which are as deep as they are long.
constexpr size_t kMostTokens = 4000;
constexpr absl::string_view kSeparatorText = "|||";

class Parser {
 public:
  Parser(std::vector<Token> tokens, bool separate)
      : tokens_(std::move(tokens)), separate_(separate) {}

  absl::StatusOr<Syntax> Run() {
    Syntax syntax;
    RETURN_IF_ERROR(Body({}, &syntax.body));
    if (peek().kind != Token::Kind::kEnd) return Unexpected("a tag that closes nothing");
    syntax.draws = draws_;
    return syntax;
  }

 private:
  // Counts nesting while it lives.
  struct Nested {
    explicit Nested(int* depth) : depth(depth) { ++*depth; }
    ~Nested() { --*depth; }
    int* depth;
  };

  const Token& peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token Take() {
    Token token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool Sees(absl::string_view op) const { return peek().Is(Token::Kind::kOperator, op); }
  bool SeesWord(absl::string_view word, size_t ahead = 0) const {
    return peek(ahead).Is(Token::Kind::kName, word);
  }
  bool Accept(absl::string_view op) {
    if (!Sees(op)) return false;
    Take();
    return true;
  }
  bool AcceptWord(absl::string_view word) {
    if (!SeesWord(word)) return false;
    Take();
    return true;
  }

  absl::Status Bad(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", peek().line, ": ", message));
  }
  absl::Status Unexpected(absl::string_view where) const {
    const Token& token = peek();
    if (token.kind == Token::Kind::kEnd) return Bad(absl::StrCat(where, " ends too early"));
    return Bad(absl::StrCat("unexpected '", token.text, "' in ", where));
  }
  absl::Status Expect(absl::string_view op, absl::string_view where) {
    return Accept(op) ? absl::OkStatus() : Unexpected(where);
  }
  absl::StatusOr<std::string> Word(absl::string_view where) {
    if (peek().kind != Token::Kind::kName) return Unexpected(where);
    return Take().text;
  }
  absl::Status CloseTag() {
    if (peek().kind != Token::Kind::kTagEnd) return Unexpected("a tag");
    Take();
    return absl::OkStatus();
  }

  // --- statements ---

  // Whether a tag with one of `words` comes next.
  bool AtTag(const std::vector<absl::string_view>& words) const {
    return peek().kind == Token::Kind::kTagBegin &&
           std::any_of(words.begin(), words.end(),
                       [this](absl::string_view word) { return SeesWord(word, 1); });
  }

  // Statements up to a tag with one of `ends`, which stays, or the end of the template.
  absl::Status Body(const std::vector<absl::string_view>& ends, std::vector<Statement>* body) {
    const Nested nested(&depth_);
    if (depth_ > kDeepest) return Bad("the template is nested too deeply");
    while (peek().kind != Token::Kind::kEnd && !AtTag(ends)) {
      if (peek().kind == Token::Kind::kText) {
        AppendText(Take().text, body);
      } else if (peek().kind == Token::Kind::kPrintBegin) {
        Take();
        Statement print = {.kind = Statement::Kind::kPrint};
        ASSIGN_OR_RETURN(print.expression, Tuple());
        if (peek().kind != Token::Kind::kPrintEnd) return Unexpected("'{{ }}'");
        Take();
        body->push_back(std::move(print));
      } else {
        ASSIGN_OR_RETURN(Statement statement, Tag());
        body->push_back(std::move(statement));
      }
    }
    if (!ends.empty() && peek().kind == Token::Kind::kEnd) {
      return Bad(absl::StrCat("'{% ", ends.back(), " %}' is missing"));
    }
    return absl::OkStatus();
  }

  void AppendText(absl::string_view text, std::vector<Statement>* body) {
    while (true) {
      const size_t cut = separate_ ? text.find(kSeparatorText) : absl::string_view::npos;
      if (const absl::string_view part = text.substr(0, cut); !part.empty()) {
        body->push_back({.kind = Statement::Kind::kText, .text = std::string(part)});
      }
      if (cut == absl::string_view::npos) return;
      body->push_back({.kind = Statement::Kind::kSeparator});
      text.remove_prefix(cut + kSeparatorText.size());
    }
  }

  absl::StatusOr<Statement> Tag() {
    Take();
    if (SeesWord("if")) return If();
    if (SeesWord("for")) return For();
    if (SeesWord("set")) return Set();
    if (peek().kind != Token::Kind::kName) return Unexpected("a tag");
    return Bad(absl::StrCat("the tag '{% ", peek().text, " %}' is not supported"));
  }

  // At `if` or `elif`; takes the rest up to and with `endif`.
  absl::StatusOr<Statement> If() {
    Take();
    Statement statement = {.kind = Statement::Kind::kIf};
    ASSIGN_OR_RETURN(statement.expression, Condition());
    RETURN_IF_ERROR(CloseTag());
    RETURN_IF_ERROR(Body({"elif", "else", "endif"}, &statement.body));
    Take();
    if (SeesWord("elif")) {
      ASSIGN_OR_RETURN(Statement otherwise, If());
      statement.otherwise.push_back(std::move(otherwise));
      return statement;
    }
    if (AcceptWord("else")) {
      RETURN_IF_ERROR(CloseTag());
      RETURN_IF_ERROR(Body({"endif"}, &statement.otherwise));
      Take();
    }
    Take();
    RETURN_IF_ERROR(CloseTag());
    return statement;
  }

  absl::StatusOr<Statement> For() {
    Take();
    Statement statement = {.kind = Statement::Kind::kFor};
    const bool parenthesised = Accept("(");
    do {
      ASSIGN_OR_RETURN(std::string target, Word("'{% for %}'"));
      statement.targets.push_back(std::move(target));
    } while (Accept(","));
    if (parenthesised) RETURN_IF_ERROR(Expect(")", "'{% for %}'"));
    if (!AcceptWord("in")) return Unexpected("'{% for %}'");
    ASSIGN_OR_RETURN(statement.expression, Tuple(/*with_condition=*/false));
    if (AcceptWord("if")) {
      ASSIGN_OR_RETURN(statement.condition, Condition());
    }
    if (SeesWord("recursive")) return Bad("'recursive' loops are not supported");
    RETURN_IF_ERROR(CloseTag());
    RETURN_IF_ERROR(Body({"else", "endfor"}, &statement.body));
    Take();
    if (AcceptWord("else")) {
      RETURN_IF_ERROR(CloseTag());
      RETURN_IF_ERROR(Body({"endfor"}, &statement.otherwise));
      Take();
    }
    Take();
    RETURN_IF_ERROR(CloseTag());
    return statement;
  }

  absl::StatusOr<Statement> Set() {
    Take();
    Statement statement = {.kind = Statement::Kind::kSet};
    do {
      ASSIGN_OR_RETURN(std::string target, Word("'{% set %}'"));
      if (Accept(".")) {
        ASSIGN_OR_RETURN(const std::string attribute, Word("'{% set %}'"));
        absl::StrAppend(&target, ".", attribute);
      }
      statement.targets.push_back(std::move(target));
    } while (Accept(","));
    if (Accept("=")) {
      ASSIGN_OR_RETURN(statement.expression, Tuple());
      RETURN_IF_ERROR(CloseTag());
      return statement;
    }
    if (statement.targets.size() > 1) return Unexpected("'{% set %}'");
    if (Sees("|")) return Bad("filters on a '{% set %}' block are not supported");
    RETURN_IF_ERROR(CloseTag());
    RETURN_IF_ERROR(Body({"endset"}, &statement.body));
    Take();
    Take();
    RETURN_IF_ERROR(CloseTag());
    return statement;
  }

  // --- expressions ---

  Node Make(Kind kind, std::string name = "") const {
    auto node = std::make_unique<Expression>();
    node->kind = kind;
    node->name = std::move(name);
    node->line = peek().line;
    return node;
  }
  Node Constant(Json json) const {
    Node node = Make(Kind::kConstant);
    node->constant = Value(std::move(json));
    return node;
  }
  Node Operation(Kind kind, std::string name, Node a, Node b = nullptr) const {
    Node node = Make(kind, std::move(name));
    node->operands.push_back(std::move(a));
    if (b != nullptr) node->operands.push_back(std::move(b));
    return node;
  }

  // One expression, or several with commas, which are a list.
  absl::StatusOr<Node> Tuple(bool with_condition = true) {
    ASSIGN_OR_RETURN(Node first, with_condition ? Condition() : Or());
    if (!Sees(",")) return first;
    Node list = Operation(Kind::kList, "", std::move(first));
    while (Accept(",")) {
      if (AtTupleEnd()) break;
      ASSIGN_OR_RETURN(Node next, with_condition ? Condition() : Or());
      list->operands.push_back(std::move(next));
    }
    return list;
  }
  bool AtTupleEnd() const {
    return Sees(")") || peek().kind == Token::Kind::kPrintEnd ||
           peek().kind == Token::Kind::kTagEnd;
  }

  absl::StatusOr<Node> Condition() {
    const Nested nested(&depth_);
    if (depth_ > kDeepest) return Bad("the template is nested too deeply");
    ASSIGN_OR_RETURN(Node node, Or());
    while (AcceptWord("if")) {
      Node conditional = Operation(Kind::kConditional, "", std::move(node));
      ASSIGN_OR_RETURN(Node condition, Or());
      conditional->operands.push_back(std::move(condition));
      conditional->operands.push_back(nullptr);
      if (AcceptWord("else")) {
        ASSIGN_OR_RETURN(conditional->operands.back(), Condition());
      }
      node = std::move(conditional);
    }
    return node;
  }

  absl::StatusOr<Node> Or() {
    ASSIGN_OR_RETURN(Node left, And());
    while (AcceptWord("or")) {
      ASSIGN_OR_RETURN(Node right, And());
      left = Operation(Kind::kOr, "", std::move(left), std::move(right));
    }
    return left;
  }

  absl::StatusOr<Node> And() {
    ASSIGN_OR_RETURN(Node left, Not());
    while (AcceptWord("and")) {
      ASSIGN_OR_RETURN(Node right, Not());
      left = Operation(Kind::kAnd, "", std::move(left), std::move(right));
    }
    return left;
  }

  absl::StatusOr<Node> Not() {
    const Nested nested(&depth_);
    if (depth_ > kDeepest) return Bad("the template is nested too deeply");
    if (!AcceptWord("not")) return Comparison();
    ASSIGN_OR_RETURN(Node operand, Not());
    return Operation(Kind::kNot, "", std::move(operand));
  }

  // The comparison operator that comes next, taken; empty where none does.
  std::string ComparisonOperator() {
    for (const absl::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (Accept(op)) return std::string(op);
    }
    if (AcceptWord("in")) return "in";
    if (!SeesWord("not") || !SeesWord("in", 1)) return "";
    Take();
    Take();
    return "not in";
  }

  absl::StatusOr<Node> Comparison() {
    ASSIGN_OR_RETURN(Node left, Binary({"+", "-"}, &Parser::Joined));
    std::string op = ComparisonOperator();
    if (op.empty()) return left;
    Node node = Operation(Kind::kComparison, "", std::move(left));
    for (; !op.empty(); op = ComparisonOperator()) {
      node->names.push_back(op);
      ASSIGN_OR_RETURN(Node right, Binary({"+", "-"}, &Parser::Joined));
      node->operands.push_back(std::move(right));
    }
    return node;
  }

  // Operands that `next` parses, joined by operators of one precedence from left to right.
  absl::StatusOr<Node> Binary(const std::vector<absl::string_view>& ops,
                              absl::StatusOr<Node> (Parser::*next)()) {
    ASSIGN_OR_RETURN(Node left, (this->*next)());
    while (true) {
      const auto op = std::find_if(ops.begin(), ops.end(),
                                   [this](absl::string_view text) { return Sees(text); });
      if (op == ops.end()) return left;
      Take();
      ASSIGN_OR_RETURN(Node right, (this->*next)());
      left = Operation(Kind::kArithmetic, std::string(*op), std::move(left), std::move(right));
    }
  }

  absl::StatusOr<Node> Joined() {
    ASSIGN_OR_RETURN(Node first, Product());
    if (!Sees("~")) return first;
    Node node = Operation(Kind::kJoined, "", std::move(first));
    while (Accept("~")) {
      ASSIGN_OR_RETURN(Node next, Product());
      node->operands.push_back(std::move(next));
    }
    return node;
  }
  absl::StatusOr<Node> Product() { return Binary({"*", "/", "//", "%"}, &Parser::Power); }
  absl::StatusOr<Node> Power() { return Binary({"**"}, &Parser::FilteredUnary); }
  absl::StatusOr<Node> FilteredUnary() { return Unary(/*with_filters=*/true); }

  absl::StatusOr<Node> Unary(bool with_filters) {
    const Nested nested(&depth_);
    if (depth_ > kDeepest) return Bad("the template is nested too deeply");
    Node node;
    if (Accept("-")) {
      ASSIGN_OR_RETURN(Node operand, Unary(/*with_filters=*/false));
      node = Operation(Kind::kNegative, "", std::move(operand));
    } else if (Accept("+")) {
      ASSIGN_OR_RETURN(node, Unary(/*with_filters=*/false));
    } else {
      ASSIGN_OR_RETURN(node, Primary());
    }
    ASSIGN_OR_RETURN(node, Postfix(std::move(node)));
    if (!with_filters) return node;
    while (Sees("|") || SeesWord("is")) {
      ASSIGN_OR_RETURN(node, Accept("|") ? Filter(std::move(node)) : Test(std::move(node)));
    }
    return node;
  }

  absl::StatusOr<Node> Primary() {
    const Token& token = peek();
    switch (token.kind) {
      case Token::Kind::kName:
        return Name();
      case Token::Kind::kString: {
        std::string text;
        while (peek().kind == Token::Kind::kString) text += Take().text;
        return Constant(std::move(text));
      }
      case Token::Kind::kInteger: {
        int64_t value = 0;
        if (!absl::SimpleAtoi(token.text, &value)) return Unexpected("an expression");
        Take();
        return Constant(value);
      }
      case Token::Kind::kFloat: {
        double value = 0;
        if (!absl::SimpleAtod(token.text, &value)) return Unexpected("an expression");
        Take();
        return Constant(value);
      }
      default:
        break;
    }
    if (Accept("(")) {
      if (Accept(")")) return Make(Kind::kList);
      ASSIGN_OR_RETURN(Node inner, Tuple());
      RETURN_IF_ERROR(Expect(")", "an expression"));
      return inner;
    }
    if (Accept("[")) return List();
    if (Accept("{")) return Map();
    return Unexpected("an expression");
  }

  absl::StatusOr<Node> Name() {
    const std::string name = Take().text;
    if (name == "true" || name == "True") return Constant(true);
    if (name == "false" || name == "False") return Constant(false);
    if (name == "none" || name == "None") return Constant(nullptr);
    if (!Sees("(")) return Make(Kind::kName, name);
    if (!IsFunction(name)) return Bad(absl::StrCat("the function '", name, "' is not supported"));
    Node call = Make(Kind::kFunction, name);
    RETURN_IF_ERROR(Arguments(call.get()));
    return call;
  }

  absl::StatusOr<Node> List() {
    Node list = Make(Kind::kList);
    while (!Accept("]")) {
      if (!list->operands.empty()) RETURN_IF_ERROR(Expect(",", "a list"));
      if (Accept("]")) break;
      ASSIGN_OR_RETURN(Node element, Condition());
      list->operands.push_back(std::move(element));
    }
    return list;
  }

  absl::StatusOr<Node> Map() {
    Node map = Make(Kind::kMap);
    while (!Accept("}")) {
      if (!map->operands.empty()) RETURN_IF_ERROR(Expect(",", "a map"));
      if (Accept("}")) break;
      ASSIGN_OR_RETURN(Node key, Condition());
      RETURN_IF_ERROR(Expect(":", "a map"));
      ASSIGN_OR_RETURN(Node element, Condition());
      map->operands.push_back(std::move(key));
      map->operands.push_back(std::move(element));
    }
    return map;
  }

  absl::StatusOr<Node> Postfix(Node node) {
    while (true) {
      if (Accept(".")) {
        ASSIGN_OR_RETURN(node, Attribute(std::move(node)));
      } else if (Accept("[")) {
        ASSIGN_OR_RETURN(node, Subscript(std::move(node)));
      } else if (Sees("(")) {
        return Bad("this call is not supported");
      } else {
        return node;
      }
    }
  }

  absl::StatusOr<Node> Attribute(Node node) {
    if (peek().kind == Token::Kind::kInteger) {
      int64_t index = 0;
      if (!absl::SimpleAtoi(peek().text, &index)) return Unexpected("an index");
      Take();
      return Operation(Kind::kItem, "", std::move(node), Constant(index));
    }
    ASSIGN_OR_RETURN(std::string name, Word("an attribute"));
    if (!Sees("(")) return Operation(Kind::kAttribute, std::move(name), std::move(node));
    if (!IsMethod(name)) return Bad(absl::StrCat("the method '", name, "' is not supported"));
    Node call = Operation(Kind::kMethod, std::move(name), std::move(node));
    RETURN_IF_ERROR(Arguments(call.get()));
    return call;
  }

  absl::StatusOr<Node> Subscript(Node node) {
    Node slice = Operation(Kind::kSlice, "", std::move(node));
    bool is_slice = false;
    for (int bound = 0; bound < 3; ++bound) {
      if (!Sees(":") && !Sees("]")) {
        ASSIGN_OR_RETURN(Node value, Condition());
        slice->operands.push_back(std::move(value));
      } else {
        slice->operands.push_back(nullptr);
      }
      if (bound < 2 && Accept(":")) {
        is_slice = true;
      } else if (!is_slice) {
        break;
      }
    }
    RETURN_IF_ERROR(Expect("]", "an index"));
    if (is_slice) return slice;
    if (slice->operands[1] == nullptr) return Bad("an index without a value");
    slice->kind = Kind::kItem;
    return slice;
  }

  // `(a, b, name=c)`.
  absl::Status Arguments(Expression* call) {
    RETURN_IF_ERROR(Expect("(", "a call"));
    bool first = true;
    while (!Accept(")")) {
      if (!first) RETURN_IF_ERROR(Expect(",", "a call"));
      if (Accept(")")) break;
      first = false;
      const bool named =
          peek().kind == Token::Kind::kName && peek(1).Is(Token::Kind::kOperator, "=");
      std::string name = named ? Take().text : "";
      if (named) Take();
      if (!named && !call->named.empty()) return Unexpected("a call");
      ASSIGN_OR_RETURN(Node argument, Condition());
      if (named) {
        call->named.emplace_back(std::move(name), std::move(argument));
      } else {
        call->operands.push_back(std::move(argument));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Node> Filter(Node input) {
    ASSIGN_OR_RETURN(const std::string name, Word("a filter"));
    if (!IsFilter(name)) return Bad(absl::StrCat("the filter '", name, "' is not supported"));
    Node filter = Operation(Kind::kFilter, name, std::move(input));
    if (IsRandomFilter(name)) draws_ = true;
    if (Sees("(")) RETURN_IF_ERROR(Arguments(filter.get()));
    return filter;
  }

  absl::StatusOr<Node> Test(Node input) {
    Take();
    const bool negated = AcceptWord("not");
    ASSIGN_OR_RETURN(const std::string name, Word("a test"));
    if (!IsTest(name)) return Bad(absl::StrCat("the test '", name, "' is not supported"));
    Node test = Operation(Kind::kTest, name, std::move(input));
    if (Sees("(")) {
      RETURN_IF_ERROR(Arguments(test.get()));
    } else if (StartsArgument()) {
      ASSIGN_OR_RETURN(Node argument, Primary());
      ASSIGN_OR_RETURN(argument, Postfix(std::move(argument)));
      test->operands.push_back(std::move(argument));
    }
    return negated ? Operation(Kind::kNot, "", std::move(test)) : std::move(test);
  }

  // Whether a test's argument follows without parentheses, as in `is divisibleby 3`.
  bool StartsArgument() const {
    switch (peek().kind) {
      case Token::Kind::kName: {
        static constexpr absl::string_view kWords[] = {"if",  "else", "and", "or",
                                                       "not", "in",   "is",  "recursive"};
        return std::find(std::begin(kWords), std::end(kWords), peek().text) == std::end(kWords);
      }
      case Token::Kind::kString:
      case Token::Kind::kInteger:
      case Token::Kind::kFloat:
        return true;
      default:
        return Sees("[") || Sees("{");
    }
  }

  std::vector<Token> tokens_;
  bool separate_;
  size_t at_ = 0;
  int depth_ = 0;
  bool draws_ = false;
};

}  // namespace

absl::StatusOr<Syntax> ParseJinja(absl::string_view source, bool separate) {
  ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  if (tokens.size() > kMostTokens) {
    return absl::InvalidArgumentError(absl::StrCat("it has more than ", kMostTokens, " tokens"));
  }
  return Parser(std::move(tokens), separate).Run();
}

}  // namespace frond::templates
