#include "quipu/query/rank/formula.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "quipu/base/datetime.h"
#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/query/filter/geo.h"
#include "quipu/query/filter/predicates.h"

namespace quipu::query {
namespace {

constexpr std::string_view kReason = "formula_value";

// Only degrees within their ranges: a distance from elsewhere means nothing.
std::optional<GeoPoint> place_of(JsonView value) {
  const std::optional<GeoPoint> point = geo_point_of(value);
  if (!point.has_value()) return std::nullopt;
  if (!(std::fabs(point->lon) <= 180) || !(std::fabs(point->lat) <= 90)) return std::nullopt;
  return point;
}

std::optional<std::int64_t> time_of(JsonView value) {
  const std::optional<std::string_view> text = value.as_string();
  return text.has_value() ? try_parse_datetime(*text) : std::nullopt;
}

double seconds(std::int64_t time_us) { return static_cast<double>(time_us) / 1e6; }

// What a path reaches, as far as it matters: how many, and the first of them.
struct Found {
  std::size_t count = 0;
  JsonView first;
  bool take(JsonView value) {
    if (count++ == 0) first = value;
    return count < 2;
  }
};

}  // namespace

// ---------------------------------------------------------------- compiling

// Recursion is bounded by check_formula(), which comes first.
struct CompiledFormula::Compiler {
  CompiledFormula& formula;
  const FormulaQuery& query;
  const FormulaOptions& options;

  Status compile(const Expression& expression, std::uint32_t node, const Place& at) {
    formula.places_[node] = at.text();
    switch (expression.kind) {
      case Expression::Kind::kNumber: return constant(node, *expression.number);
      case Expression::Kind::kDatetime:
        return constant(node, seconds(parse_datetime(expression.name).value()));
      case Expression::Kind::kVariable: return variable(expression, node);
      case Expression::Kind::kDatetimeKey: return payload(node, Op::kDatetimeKey, expression.name);
      case Expression::Kind::kGeoDistance:
        formula.nodes_[node].origin = expression.origin;
        return payload(node, Op::kGeoDistance, expression.name);
      case Expression::Kind::kCondition: return condition(expression, node, at);
      case Expression::Kind::kSum: return inner(expression, node, Op::kSum, at);
      case Expression::Kind::kProduct: return inner(expression, node, Op::kProduct, at);
      case Expression::Kind::kMax: return inner(expression, node, Op::kMax, at);
      case Expression::Kind::kMin: return inner(expression, node, Op::kMin, at);
      case Expression::Kind::kNegate: return inner(expression, node, Op::kNegate, at);
      case Expression::Kind::kAbs: return inner(expression, node, Op::kAbs, at);
      case Expression::Kind::kSqrt: return inner(expression, node, Op::kSqrt, at);
      case Expression::Kind::kExp: return inner(expression, node, Op::kExp, at);
      case Expression::Kind::kLn: return inner(expression, node, Op::kLn, at);
      case Expression::Kind::kLog10: return inner(expression, node, Op::kLog10, at);
      case Expression::Kind::kAcosh: return inner(expression, node, Op::kAcosh, at);
      case Expression::Kind::kPower: return inner(expression, node, Op::kPower, at);
      case Expression::Kind::kDivide:
        formula.nodes_[node].has_default = expression.number.has_value();
        formula.nodes_[node].a = expression.number.value_or(0);
        return inner(expression, node, Op::kDivide, at);
      case Expression::Kind::kLinearDecay:
        formula.nodes_[node].a = (1 - expression.midpoint) / expression.scale;
        return inner(expression, node, Op::kLinearDecay, at);
      case Expression::Kind::kExpDecay:
        formula.nodes_[node].a = std::log(expression.midpoint) / expression.scale;
        return inner(expression, node, Op::kExpDecay, at);
      case Expression::Kind::kGaussDecay:
        formula.nodes_[node].a =
            std::log(expression.midpoint) / (expression.scale * expression.scale);
        return inner(expression, node, Op::kGaussDecay, at);
    }
    return at.error("is of an unknown kind", "invalid_query");
  }

  Status constant(std::uint32_t node, double value) {
    formula.nodes_[node].op = Op::kConstant;
    formula.nodes_[node].a = value;
    return ok_status();
  }

  Status variable(const Expression& expression, std::uint32_t node) {
    QUIPU_TRY(const FormulaVariable meant, parse_formula_variable(expression.name));
    if (meant.path.has_value()) return payload(node, Op::kPayload, expression.name);
    formula.nodes_[node].op = Op::kScore;
    // Beyond what a query may have; such a prefetch finds nothing either.
    constexpr std::size_t kNone = std::numeric_limits<std::uint32_t>::max();
    formula.nodes_[node].index = static_cast<std::uint32_t>(std::min(meant.prefetch, kNone));
    for (const auto& [name, value] : query.defaults) {
      QUIPU_TRY(const FormulaVariable of, parse_formula_variable(name));
      if (of == meant) formula.nodes_[node].a = std::get<double>(value);
    }
    return ok_status();
  }

  Status payload(std::uint32_t node, Op op, std::string_view name) {
    QUIPU_TRY(PayloadPath path, PayloadPath::parse(name));
    formula.nodes_[node].op = op;
    std::size_t index = 0;
    while (index < formula.variables_.size() && formula.variables_[index].path != path) ++index;
    formula.nodes_[node].index = static_cast<std::uint32_t>(index);
    if (index < formula.variables_.size()) return ok_status();
    Variable found{.path = std::move(path)};
    found.key = found.path.to_string();
    found.takes_elements = found.path.steps().back().kind != PathStep::Kind::kEveryElement;
    for (const auto& [other, value] : query.defaults) {
      QUIPU_TRY(const FormulaVariable of, parse_formula_variable(other));
      if (of.path != found.path) continue;
      QUIPU_TRY(found.otherwise, default_of(value));
    }
    formula.keys_.push_back(found.key);
    formula.variables_.push_back(std::move(found));
    return ok_status();
  }

  static Result<std::optional<Default>> default_of(const std::variant<double, std::string>& value) {
    Default result;
    if (const auto* const number = std::get_if<double>(&value)) {
      result.number = *number;
      result.json = format("{}", *number);
      return std::optional(std::move(result));
    }
    result.json = std::get<std::string>(value);
    QUIPU_TRY(const JsonDocument document, JsonDocument::parse(result.json));
    result.number = document.root().as_double();
    result.place = place_of(document.root());
    result.time_us = time_of(document.root());
    return std::optional(std::move(result));
  }

  Status condition(const Expression& expression, std::uint32_t node, const Place& at) {
    const std::string field = at.text();
    QUIPU_TRY(CompiledFilter filter,
              CompiledFilter::compile(Filter{.must = expression.condition},
                                      CompileOptions{.field = field,
                                                     .text_matcher = options.text_matcher,
                                                     .unindexed_text = options.unindexed_text}));
    formula.nodes_[node].op = Op::kCondition;
    formula.nodes_[node].index = static_cast<std::uint32_t>(formula.conditions_.size());
    for (const std::string& key : filter.keys()) formula.keys_.push_back(key);
    formula.conditions_.push_back(std::move(filter));
    return ok_status();
  }

  Status inner(const Expression& expression, std::uint32_t node, Op op, const Place& at) {
    const auto first = static_cast<std::uint32_t>(formula.nodes_.size());
    const std::size_t count = expression.operands.size() + expression.target.size();
    formula.nodes_.resize(first + count);
    formula.places_.resize(first + count);
    formula.nodes_[node].op = op;
    formula.nodes_[node].first_operand = first;
    formula.nodes_[node].operand_count = static_cast<std::uint32_t>(count);
    std::uint32_t next = first;
    for (std::size_t i = 0; i < expression.operands.size(); ++i) {
      QUIPU_TRY_OK(operand(expression.operands[i], next++, op, i, at));
    }
    for (const Expression& target : expression.target) {
      QUIPU_TRY_OK(operand(target, next++, op, 1, at));
    }
    return ok_status();
  }

  // The place as in JSON.
  Status operand(const Expression& expression, std::uint32_t node, Op op, std::size_t index,
                 const Place& at) {
    const auto member = [&](std::string_view outer, std::string_view inner) {
      const Place place(at, outer);
      return compile(expression, node, Place(place, inner));
    };
    const auto element = [&](std::string_view outer) {
      const Place place(at, outer);
      return compile(expression, node, Place(place, index));
    };
    switch (op) {
      case Op::kSum: return element("sum");
      case Op::kProduct: return element("mult");
      case Op::kMax: return element("max");
      case Op::kMin: return element("min");
      case Op::kNegate: return compile(expression, node, Place(at, "neg"));
      case Op::kAbs: return compile(expression, node, Place(at, "abs"));
      case Op::kSqrt: return compile(expression, node, Place(at, "sqrt"));
      case Op::kExp: return compile(expression, node, Place(at, "exp"));
      case Op::kLn: return compile(expression, node, Place(at, "ln"));
      case Op::kLog10: return compile(expression, node, Place(at, "log10"));
      case Op::kAcosh: return compile(expression, node, Place(at, "acosh"));
      case Op::kDivide: return member("div", index == 0 ? "left" : "right");
      case Op::kPower: return member("pow", index == 0 ? "base" : "exponent");
      case Op::kLinearDecay: return member("lin_decay", index == 0 ? "x" : "target");
      case Op::kGaussDecay: return member("gauss_decay", index == 0 ? "x" : "target");
      default: return member("exp_decay", index == 0 ? "x" : "target");
    }
  }
};

Result<CompiledFormula> CompiledFormula::compile(const FormulaQuery& query,
                                                 const FormulaOptions& options) {
  const Place at(options.field);
  QUIPU_TRY_OK(check_formula(query, at));
  CompiledFormula formula;
  const Place place(at, "formula");
  formula.place_ = place.text();
  formula.nodes_.resize(1);
  formula.places_.resize(1);
  QUIPU_TRY_OK((Compiler{formula, query, options}.compile(query.formula, 0, place)));
  std::sort(formula.keys_.begin(), formula.keys_.end());
  formula.keys_.erase(std::unique(formula.keys_.begin(), formula.keys_.end()), formula.keys_.end());
  return formula;
}

// ---------------------------------------------------------------- evaluating

struct CompiledFormula::Evaluation {
  const Record& record;
  std::span<const float> scores;
  std::optional<Error> error = {};

  bool fail(std::string_view place, std::string_view problem) {
    error = Error{.code = ErrorCode::kInvalidArgument,
                  .message = format("{}: of point {}: {}", place, record.id.to_string(), problem),
                  .reason = std::string(kReason)};
    return false;
  }
};

bool CompiledFormula::finite(std::uint32_t node, std::string_view name, double value,
                             Evaluation& evaluation) const {
  if (std::isfinite(value)) return true;
  return evaluation.fail(places_[node], format("{} is {}, no finite number", name, value));
}

// The one value of the variable; empty without any. Sets the error when there are several.
std::optional<JsonView> CompiledFormula::find(const Variable& variable, std::uint32_t node,
                                              Evaluation& evaluation) const {
  struct Search {
    Found found;
    bool takes_elements;
  } search{.found = {}, .takes_elements = variable.takes_elements};
  variable.path.visit(evaluation.record.payload, [&search](JsonView value) {
    if (!search.takes_elements || !value.is_array()) return search.found.take(value);
    value.for_each_element([&search](JsonView element) { return search.found.take(element); });
    return search.found.count < 2;
  });
  if (search.found.count == 1) return search.found.first;
  if (search.found.count > 1) {
    evaluation.fail(places_[node],
                    format("the payload has several values at {}, a formula needs one",
                           in_quotes(variable.key)));
  }
  return std::nullopt;
}

// Reads the variable's value, or its default where it has none.
template <typename Value, typename Read>
bool CompiledFormula::payload_value(std::uint32_t node, std::string_view wanted,
                                    std::optional<Value> Default::*otherwise, Read read,
                                    Value& value, Evaluation& evaluation) const {
  const Variable& variable = variables_[nodes_[node].index];
  const std::optional<JsonView> json = find(variable, node, evaluation);
  if (evaluation.error.has_value()) return false;
  if (json.has_value()) {
    const std::optional<Value> got = read(*json);
    if (!got.has_value()) {
      return evaluation.fail(places_[node],
                             format("expected {} at {}, the payload has {}", wanted,
                                    in_quotes(variable.key), json_kind_name(json->kind())));
    }
    value = *got;
    return true;
  }
  if (!variable.otherwise.has_value()) {
    return evaluation.fail(places_[node],
                           format("the payload has no value at {}, and the formula no default",
                                  in_quotes(variable.key)));
  }
  const std::optional<Value>& given = (*variable.otherwise).*otherwise;
  if (!given.has_value()) {
    return evaluation.fail(places_[node],
                           format("expected {} at {}, the default is {}", wanted,
                                  in_quotes(variable.key), variable.otherwise->json));
  }
  value = *given;
  return true;
}

bool CompiledFormula::leaf(std::uint32_t node, double& value, Evaluation& evaluation) const {
  const Node& self = nodes_[node];
  switch (self.op) {
    case Op::kConstant: value = self.a; return true;
    case Op::kScore: {
      const bool given =
          self.index < evaluation.scores.size() && !std::isnan(evaluation.scores[self.index]);
      value = given ? static_cast<double>(evaluation.scores[self.index]) : self.a;
      return true;
    }
    case Op::kCondition:
      value = conditions_[self.index].matches(evaluation.record) ? 1 : 0;
      return true;
    case Op::kPayload:
      return payload_value(
          node, "a number", &Default::number, [](JsonView json) { return json.as_double(); }, value,
          evaluation);
    case Op::kGeoDistance: {
      GeoPoint point;
      if (!payload_value(node, "a place {\"lon\": ..., \"lat\": ...}", &Default::place, place_of,
                         point, evaluation)) {
        return false;
      }
      value = haversine_m(self.origin, point);
      return true;
    }
    default: {
      std::int64_t time_us = 0;
      if (!payload_value(node, "a datetime", &Default::time_us, time_of, time_us, evaluation)) {
        return false;
      }
      value = seconds(time_us);
      return true;
    }
  }
}

bool CompiledFormula::fold(const Node& node, double& value, Evaluation& evaluation) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double folded = node.op == Op::kProduct ? 1
                  : node.op == Op::kMax   ? -kInfinity
                  : node.op == Op::kMin   ? kInfinity
                                          : 0;
  for (std::uint32_t i = 0; i < node.operand_count; ++i) {
    double operand = 0;
    if (!evaluate(node.first_operand + i, operand, evaluation)) return false;
    switch (node.op) {
      case Op::kSum: folded += operand; break;
      case Op::kMax: folded = std::fmax(folded, operand); break;
      case Op::kMin: folded = std::fmin(folded, operand); break;
      default:
        folded *= operand;
        if (operand == 0) {
          value = 0;
          return true;
        }
    }
  }
  value = folded;
  return true;
}

bool CompiledFormula::unary(std::uint32_t node, double& value, Evaluation& evaluation) const {
  const Node& self = nodes_[node];
  double x = 0;
  if (!evaluate(self.first_operand, x, evaluation)) return false;
  std::string_view name;
  switch (self.op) {
    case Op::kNegate: value = -x; return true;
    case Op::kAbs: value = std::fabs(x); return true;
    case Op::kSqrt: value = std::sqrt(x), name = "sqrt"; break;
    case Op::kExp: value = std::exp(x), name = "exp"; break;
    case Op::kLn: value = std::log(x), name = "ln"; break;
    case Op::kLog10: value = std::log10(x), name = "log10"; break;
    default: value = std::acosh(x), name = "acosh"; break;
  }
  if (std::isfinite(value)) return true;
  return finite(node, format("{}({})", name, x), value, evaluation);
}

bool CompiledFormula::binary(std::uint32_t node, double& value, Evaluation& evaluation) const {
  const Node& self = nodes_[node];
  double left = 0;
  if (!evaluate(self.first_operand, left, evaluation)) return false;
  if (self.op == Op::kDivide && left == 0) {
    value = 0;
    return true;
  }
  double right = 0;
  if (!evaluate(self.first_operand + 1, right, evaluation)) return false;
  if (self.op == Op::kPower) {
    value = std::pow(left, right);
    if (std::isfinite(value)) return true;
    return finite(node, format("{} to the power of {}", left, right), value, evaluation);
  }
  if (right == 0 && self.has_default) {
    value = self.a;
    return true;
  }
  value = left / right;
  if (std::isfinite(value)) return true;
  return finite(node, format("{} / {} (without by_zero_default)", left, right), value, evaluation);
}

bool CompiledFormula::decay(const Node& node, double& value, Evaluation& evaluation) const {
  double x = 0;
  double target = 0;
  if (!evaluate(node.first_operand, x, evaluation)) return false;
  if (node.operand_count > 1 && !evaluate(node.first_operand + 1, target, evaluation)) return false;
  const double distance = std::fabs(x - target);
  switch (node.op) {
    case Op::kLinearDecay: value = std::fmax(1 - node.a * distance, 0); break;
    case Op::kGaussDecay: value = std::exp(node.a * distance * distance); break;
    default: value = std::exp(node.a * distance); break;
  }
  return true;
}

// Recursion is bounded by kExpressionDepthMax.
bool CompiledFormula::evaluate(std::uint32_t node, double& value, Evaluation& evaluation) const {
  const Node& self = nodes_[node];
  switch (self.op) {
    case Op::kConstant:
    case Op::kScore:
    case Op::kPayload:
    case Op::kCondition:
    case Op::kGeoDistance:
    case Op::kDatetimeKey: return leaf(node, value, evaluation);
    case Op::kSum:
    case Op::kProduct:
    case Op::kMax:
    case Op::kMin: return fold(self, value, evaluation);
    case Op::kDivide:
    case Op::kPower: return binary(node, value, evaluation);
    case Op::kLinearDecay:
    case Op::kGaussDecay:
    case Op::kExpDecay: return decay(self, value, evaluation);
    default: return unary(node, value, evaluation);
  }
}

Result<float> CompiledFormula::score(const Record& record, std::span<const float> scores) const {
  Evaluation evaluation{.record = record, .scores = scores};
  double value = 0;
  if (!evaluate(0, value, evaluation)) return *std::move(evaluation.error);
  const auto score = static_cast<float>(value);
  if (std::isfinite(value) && std::isfinite(score)) return score;
  evaluation.fail(place_, format("the formula is {}, no finite number as a float", value));
  return *std::move(evaluation.error);
}

}  // namespace quipu::query
