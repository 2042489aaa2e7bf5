#include "data/templates/evaluator.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "data/templates/budget.h"
#include "data/templates/filters.h"
#include "data/templates/methods.h"
#include "data/templates/predicates.h"

namespace frond::templates {
namespace {

using Kind = Expression::Kind;
using Result = absl::StatusOr<Value>;

absl::Status Bad(std::string message) { return absl::InvalidArgumentError(std::move(message)); }
Value Of(Json json) { return Value(std::move(json)); }
int64_t Size(const std::string& text) { return static_cast<int64_t>(text.size()); }

struct Loop {
  const std::vector<Value>* elements;
  size_t index;
};

// Variables of a loop's iteration, or of the whole template.
struct Frame {
  std::map<std::string, Value> variables;
  const Loop* loop = nullptr;
};

class Evaluator {
 public:
  explicit Evaluator(const Scope& scope) : scope_(scope), frames_(1) {}

  absl::Status Run(const std::vector<Statement>& body, std::vector<std::string>* parts) {
    for (const Statement& statement : body) {
      RETURN_IF_ERROR(RunOne(statement, parts));
    }
    return absl::OkStatus();
  }

 private:
  // --- statements ---

  absl::Status RunOne(const Statement& statement, std::vector<std::string>* parts) {
    switch (statement.kind) {
      case Statement::Kind::kText:
        RETURN_IF_ERROR(budget_.Take(Size(statement.text)));
        parts->back() += statement.text;
        return absl::OkStatus();
      case Statement::Kind::kSeparator:
        parts->emplace_back();
        return absl::OkStatus();
      case Statement::Kind::kPrint: {
        ASSIGN_OR_RETURN(const std::string text, Printed(*statement.expression));
        RETURN_IF_ERROR(budget_.Take(Size(text)));
        parts->back() += text;
        return absl::OkStatus();
      }
      case Statement::Kind::kIf: {
        ASSIGN_OR_RETURN(const bool holds, Holds(*statement.expression));
        return Run(holds ? statement.body : statement.otherwise, parts);
      }
      case Statement::Kind::kFor:
        return RunFor(statement, parts);
      case Statement::Kind::kSet:
        return RunSet(statement);
    }
    return absl::OkStatus();
  }

  absl::Status RunFor(const Statement& statement, std::vector<std::string>* parts) {
    ASSIGN_OR_RETURN(const Value list, Present(*statement.expression));
    ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(list, &budget_));
    if (statement.condition != nullptr) {
      std::vector<Value> kept;
      for (const Value& element : elements) {
        frames_.emplace_back();
        RETURN_IF_ERROR(Assign(statement.targets, element));
        ASSIGN_OR_RETURN(const bool keep, Holds(*statement.condition));
        frames_.pop_back();
        if (keep) kept.push_back(element);
      }
      elements = std::move(kept);
    }
    if (elements.empty()) return Run(statement.otherwise, parts);
    for (Loop loop = {&elements, 0}; loop.index < elements.size(); ++loop.index) {
      RETURN_IF_ERROR(budget_.Take(Budget::kStep));
      frames_.push_back({.variables = {}, .loop = &loop});
      RETURN_IF_ERROR(Assign(statement.targets, elements[loop.index]));
      RETURN_IF_ERROR(Run(statement.body, parts));
      frames_.pop_back();
    }
    return absl::OkStatus();
  }

  absl::Status RunSet(const Statement& statement) {
    if (statement.expression != nullptr) {
      ASSIGN_OR_RETURN(const Value value, Present(*statement.expression));
      return Assign(statement.targets, value);
    }
    std::vector<std::string> parts(1);
    RETURN_IF_ERROR(Run(statement.body, &parts));
    if (parts.size() > 1) return Bad("'|||' inside of '{% set %}'");
    return Assign(statement.targets, Of(parts[0]));
  }

  absl::Status Assign(const std::vector<std::string>& targets, const Value& value) {
    if (targets.size() == 1) return AssignOne(targets[0], value);
    ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(value, &budget_));
    if (elements.size() != targets.size()) {
      return Bad(absl::StrCat(targets.size(), " names for ", elements.size(), " values"));
    }
    for (size_t i = 0; i < targets.size(); ++i) {
      RETURN_IF_ERROR(AssignOne(targets[i], elements[i]));
    }
    return absl::OkStatus();
  }

  absl::Status AssignOne(const std::string& target, const Value& value) {
    const size_t dot = target.find('.');
    if (dot == std::string::npos) {
      frames_.back().variables.insert_or_assign(target, value);
      return absl::OkStatus();
    }
    const std::string name = target.substr(0, dot);
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      const auto found = frame->variables.find(name);
      if (found == frame->variables.end()) continue;
      RETURN_IF_ERROR(budget_.TakeFor(found->second.json()));
      RETURN_IF_ERROR(budget_.TakeFor(value.json()));
      Json map = found->second.json();
      if (!map.is_object()) break;
      map[target.substr(dot + 1)] = value.json();
      found->second = Of(std::move(map));
      return absl::OkStatus();
    }
    return Bad(absl::StrCat("'", name, "' is no namespace"));
  }

  // --- expressions ---

  absl::StatusOr<std::string> Printed(const Expression& expression) {
    ASSIGN_OR_RETURN(const Value value, Present(expression));
    if (value.is_nothing()) return std::string();
    if (value.json().is_null()) {
      return absl::NotFoundError(
          expression.kind == Kind::kName
              ? absl::StrCat("the field '", expression.name, "' is null")
              : absl::StrCat("line ", expression.line, " of the template prints none"));
    }
    RETURN_IF_ERROR(budget_.TakeFor(value.json()));
    return Str(value.json());
  }

  absl::StatusOr<bool> Holds(const Expression& expression) {
    ASSIGN_OR_RETURN(const Value value, Present(expression));
    return value.is_defined() && Truth(value.json());
  }

  // The value, which is not missing.
  Result Present(const Expression& expression) {
    ASSIGN_OR_RETURN(Value value, Evaluate(expression));
    if (value.is_missing()) return absl::NotFoundError(absl::StrCat("there is no ", value.what()));
    return value;
  }

  // The value, which is neither missing nor nothing.
  Result Defined(const Expression& expression) {
    ASSIGN_OR_RETURN(Value value, Present(expression));
    if (value.is_nothing()) {
      return Bad(absl::StrCat("line ", expression.line,
                              " of the template computes with an element that is not there"));
    }
    return value;
  }

  Result Evaluate(const Expression& e) {
    RETURN_IF_ERROR(budget_.Take(Budget::kStep));
    switch (e.kind) {
      case Kind::kConstant:
        return e.constant;
      case Kind::kName:
        return Lookup(e.name);
      case Kind::kList:
      case Kind::kMap:
        return Collect(e);
      case Kind::kAttribute:
        return Attribute(e);
      case Kind::kItem: {
        ASSIGN_OR_RETURN(const Value value, Defined(*e.operands[0]));
        ASSIGN_OR_RETURN(const Value key, Defined(*e.operands[1]));
        return Item(value, key.json(), &budget_);
      }
      case Kind::kSlice:
        return EvaluateSlice(e);
      case Kind::kFilter:
      case Kind::kTest:
      case Kind::kMethod:
      case Kind::kFunction:
        return Call(e);
      case Kind::kNot: {
        ASSIGN_OR_RETURN(const bool holds, Holds(*e.operands[0]));
        return Of(!holds);
      }
      case Kind::kNegative:
      case Kind::kArithmetic:
      case Kind::kJoined:
        return Compute(e);
      case Kind::kComparison:
        return CompareAll(e);
      case Kind::kAnd:
      case Kind::kOr: {
        ASSIGN_OR_RETURN(Value left, Present(*e.operands[0]));
        const bool holds = left.is_defined() && Truth(left.json());
        if (holds == (e.kind == Kind::kOr)) return left;
        return Present(*e.operands[1]);
      }
      case Kind::kConditional: {
        ASSIGN_OR_RETURN(const bool holds, Holds(*e.operands[1]));
        if (holds) return Evaluate(*e.operands[0]);
        if (e.operands[2] == nullptr) return Value::Nothing();
        return Evaluate(*e.operands[2]);
      }
    }
    return Value();
  }

  Result Compute(const Expression& e) {
    if (e.kind == Kind::kJoined) {
      std::string text;
      for (const auto& operand : e.operands) {
        ASSIGN_OR_RETURN(const std::string part, Printed(*operand));
        text += part;
      }
      return Of(std::move(text));
    }
    ASSIGN_OR_RETURN(const Value a, Defined(*e.operands[0]));
    if (e.kind == Kind::kNegative) {
      ASSIGN_OR_RETURN(Json negative, Arithmetic("*", Json(-1), a.json(), &budget_));
      return IsNumber(a.json()) ? Result(Of(std::move(negative)))
                                : Bad(absl::StrCat("cannot compute -", KindOf(a.json())));
    }
    ASSIGN_OR_RETURN(const Value b, Defined(*e.operands[1]));
    ASSIGN_OR_RETURN(Json result, Arithmetic(e.name, a.json(), b.json(), &budget_));
    return Of(std::move(result));
  }

  Value Lookup(const std::string& name) const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      const auto found = frame->variables.find(name);
      if (found != frame->variables.end()) return found->second;
    }
    if (name == "answer_choices" && scope_.choices != nullptr) {
      return Value::Borrow(*scope_.choices);
    }
    const auto field = scope_.row->find(name);
    if (field != scope_.row->end()) return Value::Borrow(*field);
    return Value::Missing(absl::StrCat("field '", name, "'"));
  }

  Result Collect(const Expression& e) {
    Json json = e.kind == Kind::kList ? Json::array() : Json::object();
    for (size_t i = 0; i < e.operands.size(); ++i) {
      ASSIGN_OR_RETURN(const Value value, Present(*e.operands[i]));
      RETURN_IF_ERROR(budget_.TakeFor(value.json()));
      if (e.kind == Kind::kList) {
        json.push_back(value.json());
        continue;
      }
      ASSIGN_OR_RETURN(const std::string key, MapKey(value.json()));
      ASSIGN_OR_RETURN(const Value element, Present(*e.operands[++i]));
      RETURN_IF_ERROR(budget_.TakeFor(element.json()));
      json[key] = element.json();
    }
    return Of(std::move(json));
  }

  const Loop* InnermostLoop() const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      if (frame->loop != nullptr) return frame->loop;
    }
    return nullptr;
  }

  Result Attribute(const Expression& e) {
    const Loop* loop = InnermostLoop();
    if (loop != nullptr && e.operands[0]->kind == Kind::kName && e.operands[0]->name == "loop") {
      return LoopAttribute(*loop, e.name);
    }
    ASSIGN_OR_RETURN(const Value value, Defined(*e.operands[0]));
    if (!value.json().is_object()) {
      return Value::Missing(absl::StrCat("'", e.name, "' of ", KindOf(value.json())));
    }
    return Item(value, Json(e.name), &budget_);
  }

  static Result LoopAttribute(const Loop& loop, absl::string_view name) {
    const auto index = static_cast<int64_t>(loop.index);
    const auto size = static_cast<int64_t>(loop.elements->size());
    if (name == "index") return Of(index + 1);
    if (name == "index0") return Of(index);
    if (name == "revindex") return Of(size - index);
    if (name == "revindex0") return Of(size - index - 1);
    if (name == "first") return Of(index == 0);
    if (name == "last") return Of(index + 1 == size);
    if (name == "length") return Of(size);
    if (name == "previtem") {
      return index == 0 ? Value::Nothing() : (*loop.elements)[loop.index - 1];
    }
    if (name == "nextitem") {
      return index + 1 == size ? Value::Nothing() : (*loop.elements)[loop.index + 1];
    }
    return Bad(absl::StrCat("'loop.", name, "' is not supported"));
  }

  Result EvaluateSlice(const Expression& e) {
    ASSIGN_OR_RETURN(const Value value, Defined(*e.operands[0]));
    Json bounds[3];
    for (size_t i = 0; i < 3; ++i) {
      if (e.operands[i + 1] == nullptr) continue;
      ASSIGN_OR_RETURN(const Value bound, Defined(*e.operands[i + 1]));
      bounds[i] = bound.json();
    }
    return Slice(value, bounds[0], bounds[1], bounds[2], &budget_);
  }

  Result Call(const Expression& e) {
    const size_t first = e.kind == Kind::kFunction ? 0 : 1;
    Arguments arguments;
    arguments.budget = &budget_;
    for (size_t i = first; i < e.operands.size(); ++i) {
      ASSIGN_OR_RETURN(Value argument, Defined(*e.operands[i]));
      arguments.positional.push_back(std::move(argument));
    }
    for (const auto& [name, expression] : e.named) {
      ASSIGN_OR_RETURN(Value argument, Defined(*expression));
      arguments.named.emplace_back(name, std::move(argument));
    }
    if (e.kind == Kind::kFunction) return CallFunction(e.name, arguments);
    if (e.kind == Kind::kMethod) {
      ASSIGN_OR_RETURN(const Value value, Defined(*e.operands[0]));
      return CallMethod(e.name, value, arguments);
    }
    ASSIGN_OR_RETURN(const Value value, Evaluate(*e.operands[0]));
    if (e.kind == Kind::kTest) {
      ASSIGN_OR_RETURN(const bool holds, ApplyTest(e.name, value, arguments));
      return Of(holds);
    }
    const uint64_t draw =
        IsRandomFilter(e.name) ? MixBits(MixBits(scope_.random_key) ^ draws_++) : 0;
    return ApplyFilter(e.name, value, arguments, draw);
  }

  Result CompareAll(const Expression& e) {
    ASSIGN_OR_RETURN(Value left, Present(*e.operands[0]));
    for (size_t i = 0; i < e.names.size(); ++i) {
      ASSIGN_OR_RETURN(Value right, Present(*e.operands[i + 1]));
      ASSIGN_OR_RETURN(const bool holds, CompareTwo(e.names[i], left, right));
      if (!holds) return Of(false);
      left = std::move(right);
    }
    return Of(true);
  }

  absl::StatusOr<bool> CompareTwo(absl::string_view op, const Value& a, const Value& b) {
    if (op == "in" || op == "not in") {
      if (b.is_nothing()) return op == "not in";
      ASSIGN_OR_RETURN(const bool contains, Contains(b.json(), a.json(), &budget_));
      return contains == (op == "in");
    }
    if (a.is_defined() && b.is_defined()) return Compares(op, a.json(), b.json(), &budget_);
    if (op != "==" && op != "!=") {
      return Bad("the template compares with an element that is not there");
    }
    return (a.is_defined() == b.is_defined()) == (op == "==");
  }

  const Scope& scope_;
  std::vector<Frame> frames_;
  Budget budget_;
  uint64_t draws_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> RenderJinja(const Syntax& syntax, const Scope& scope) {
  std::vector<std::string> parts(1);
  RETURN_IF_ERROR(Evaluator(scope).Run(syntax.body, &parts));
  return parts;
}

}  // namespace frond::templates
