// Formulas of queries.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_reader.h"

namespace quipu::query {
namespace {

using Kind = Expression::Kind;

struct Function {
  std::string_view name;
  Kind kind;
};
constexpr Function kLists[] = {
    {"sum", Kind::kSum}, {"mult", Kind::kProduct}, {"max", Kind::kMax}, {"min", Kind::kMin}};
constexpr Function kUnary[] = {{"neg", Kind::kNegate}, {"abs", Kind::kAbs}, {"sqrt", Kind::kSqrt},
                               {"exp", Kind::kExp},    {"ln", Kind::kLn},   {"log10", Kind::kLog10},
                               {"acosh", Kind::kAcosh}};
constexpr Function kDecays[] = {{"lin_decay", Kind::kLinearDecay},
                                {"exp_decay", Kind::kExpDecay},
                                {"gauss_decay", Kind::kGaussDecay}};
constexpr std::string_view kFunctions[] = {
    "sum", "mult", "max",          "min",      "neg",         "abs",       "sqrt",
    "exp", "ln",   "log10",        "acosh",    "lin_decay",   "exp_decay", "gauss_decay",
    "div", "pow",  "geo_distance", "datetime", "datetime_key"};
// What conditions of filters begin with.
constexpr std::string_view kConditions[] = {"key",        "is_empty", "is_null",   "has_id",
                                            "has_vector", "slice",    "nested",    "must",
                                            "should",     "must_not", "min_should"};
constexpr std::string_view kWanted =
    "a number, the name of a variable, a condition or an object such as {\"sum\": [...]}";

// Recursion is bounded by kJsonDepthMax.
class ExpressionReader {
 public:
  Result<Expression> read(JsonView json, const Place& at) {
    // Here too, so that no more is built than will be accepted.
    if (++count_ > limits::kExpressionPartsMax) {
      return at.error(
          format("the formula has more than the limit of {} parts", limits::kExpressionPartsMax),
          kQueryTooLarge);
    }
    if (json.is_number()) return Expression{.kind = Kind::kNumber, .number = json.as_double()};
    if (json.is_string()) {
      return Expression{.kind = Kind::kVariable, .name = std::string(*json.as_string())};
    }
    QUIPU_TRY_OK(check_object(json, kWanted, at));
    const std::vector<std::string_view> found = present(json, kFunctions);
    if (found.empty()) return condition(json, at);
    const Names only(&found.front(), 1);
    QUIPU_TRY_OK(check_members(json, only, at));
    return function(found.front(), *member(json, found.front()), Place(at, found.front()));
  }

 private:
  Result<Expression> condition(JsonView json, const Place& at) {
    if (present(json, kConditions).empty() && json.size() > 0) {
      // Neither: a misspelt function is more likely than a misspelt condition.
      QUIPU_TRY_OK(check_members(json, kFunctions, at, kConditions));
    }
    Expression result{.kind = Kind::kCondition};
    QUIPU_TRY(FilterCondition one, parse_condition(json, at.text()));
    result.condition.push_back(std::move(one));
    return result;
  }

  Result<Expression> function(std::string_view name, JsonView json, const Place& at) {
    for (const Function& function : kLists) {
      if (function.name == name) return list(function.kind, json, at);
    }
    for (const Function& function : kUnary) {
      if (function.name != name) continue;
      Expression result{.kind = function.kind};
      QUIPU_TRY_OK(operand(json, at, result));
      return result;
    }
    for (const Function& function : kDecays) {
      if (function.name == name) return decay(function.kind, json, at);
    }
    if (name == "div") return divide(json, at);
    if (name == "pow") return power(json, at);
    if (name == "geo_distance") return geo_distance(json, at);
    QUIPU_TRY(std::string text, read_string(json, at));
    return Expression{.kind = name == "datetime" ? Kind::kDatetime : Kind::kDatetimeKey,
                      .name = std::move(text)};
  }

  Status operand(JsonView json, const Place& at, Expression& of) {
    QUIPU_TRY(Expression one, read(json, at));
    of.operands.push_back(std::move(one));
    return ok_status();
  }

  Status required_operand(JsonView object, std::string_view name, const Place& at, Expression& of) {
    QUIPU_TRY(const JsonView json, required(object, name, at));
    return operand(json, Place(at, name), of);
  }

  Result<Expression> list(Kind kind, JsonView json, const Place& at) {
    Expression result{.kind = kind};
    const auto each = [&](JsonView element, const Place& place) {
      return operand(element, place, result);
    };
    QUIPU_TRY_OK(read_elements(json, "a list of expressions", at, each));
    return result;
  }

  Result<Expression> divide(JsonView json, const Place& at) {
    constexpr std::string_view kMembers[] = {"left", "right", "by_zero_default"};
    QUIPU_TRY_OK(check_object(json, "an object with left and right", at));
    QUIPU_TRY_OK(check_members(json, kMembers, at));
    Expression result{.kind = Kind::kDivide};
    QUIPU_TRY_OK(required_operand(json, "left", at, result));
    QUIPU_TRY_OK(required_operand(json, "right", at, result));
    QUIPU_TRY_OK(read_optional(json, "by_zero_default", at, result.number, read_number));
    return result;
  }

  Result<Expression> power(JsonView json, const Place& at) {
    constexpr std::string_view kMembers[] = {"base", "exponent"};
    QUIPU_TRY_OK(check_object(json, "an object with base and exponent", at));
    QUIPU_TRY_OK(check_members(json, kMembers, at));
    Expression result{.kind = Kind::kPower};
    QUIPU_TRY_OK(required_operand(json, "base", at, result));
    QUIPU_TRY_OK(required_operand(json, "exponent", at, result));
    return result;
  }

  Result<Expression> decay(Kind kind, JsonView json, const Place& at) {
    constexpr std::string_view kMembers[] = {"x", "target", "scale", "midpoint"};
    QUIPU_TRY_OK(check_object(json, "an object with x, target, scale and midpoint", at));
    QUIPU_TRY_OK(check_members(json, kMembers, at));
    Expression result{.kind = kind};
    QUIPU_TRY_OK(required_operand(json, "x", at, result));
    if (const std::optional<JsonView> target = member(json, "target")) {
      QUIPU_TRY(Expression one, read(*target, Place(at, "target")));
      result.target.push_back(std::move(one));
    }
    QUIPU_TRY_OK(read_optional(json, "scale", at, result.scale, read_number));
    QUIPU_TRY_OK(read_optional(json, "midpoint", at, result.midpoint, read_number));
    return result;
  }

  static Result<Expression> geo_distance(JsonView json, const Place& at) {
    constexpr std::string_view kMembers[] = {"origin", "to"};
    constexpr std::string_view kPoint[] = {"lon", "lat"};
    QUIPU_TRY_OK(check_object(json, "an object with origin and to", at));
    QUIPU_TRY_OK(check_members(json, kMembers, at));
    Expression result{.kind = Kind::kGeoDistance};
    const Place origin_at(at, "origin");
    QUIPU_TRY(const JsonView origin, required(json, "origin", at));
    QUIPU_TRY_OK(check_object(origin, "an object {\"lon\": ..., \"lat\": ...}", origin_at));
    QUIPU_TRY_OK(check_members(origin, kPoint, origin_at));
    QUIPU_TRY(const JsonView lon, required(origin, "lon", origin_at));
    QUIPU_TRY(result.origin.lon, read_number(lon, Place(origin_at, "lon")));
    QUIPU_TRY(const JsonView lat, required(origin, "lat", origin_at));
    QUIPU_TRY(result.origin.lat, read_number(lat, Place(origin_at, "lat")));
    QUIPU_TRY(const JsonView to, required(json, "to", at));
    QUIPU_TRY(result.name, read_string(to, Place(at, "to")));
    return result;
  }

  std::size_t count_ = 0;
};

Status read_defaults(JsonView json, const Place& at, FormulaQuery& query) {
  QUIPU_TRY_OK(check_object(json, "an object with the values of variables", at));
  if (json.size() > limits::kFormulaDefaultsMax) {
    return at.error(
        format("has {} members, the limit is {}", json.size(), limits::kFormulaDefaultsMax),
        kQueryTooLarge);
  }
  json.for_each_member([&query](std::string_view name, JsonView value) {
    if (const std::optional<double> number = value.as_double()) {
      query.defaults.emplace_back(std::string(name), *number);
    } else {
      query.defaults.emplace_back(std::string(name), value.to_string());
    }
    return true;
  });
  return ok_status();
}

}  // namespace

Result<FormulaQuery> read_formula(JsonView object, const Place& at) {
  FormulaQuery query;
  QUIPU_TRY(const JsonView formula, required(object, "formula", at));
  QUIPU_TRY(query.formula, ExpressionReader().read(formula, Place(at, "formula")));
  if (const std::optional<JsonView> defaults = member(object, "defaults")) {
    QUIPU_TRY_OK(read_defaults(*defaults, Place(at, "defaults"), query));
  }
  return query;
}

}  // namespace quipu::query
