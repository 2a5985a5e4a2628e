#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "quipu/base/datetime.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"
#include "quipu/query/rank/formula.h"

namespace quipu::query {
namespace {

constexpr std::string_view kInvalidFormula = "invalid_query";
constexpr std::string_view kFormulaTooLarge = "query_too_large";

using Kind = Expression::Kind;

struct Shape {
  std::string_view name;  // its member in JSON
  std::size_t operands_min;
  std::size_t operands_max;
};

Shape shape_of(Kind kind) {
  constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  switch (kind) {
    case Kind::kNumber: return {"", 0, 0};
    case Kind::kVariable: return {"", 0, 0};
    case Kind::kCondition: return {"", 0, 0};
    case Kind::kGeoDistance: return {"geo_distance", 0, 0};
    case Kind::kDatetime: return {"datetime", 0, 0};
    case Kind::kDatetimeKey: return {"datetime_key", 0, 0};
    case Kind::kSum: return {"sum", 0, kAny};
    case Kind::kProduct: return {"mult", 0, kAny};
    case Kind::kNegate: return {"neg", 1, 1};
    case Kind::kAbs: return {"abs", 1, 1};
    case Kind::kSqrt: return {"sqrt", 1, 1};
    case Kind::kExp: return {"exp", 1, 1};
    case Kind::kLn: return {"ln", 1, 1};
    case Kind::kLog10: return {"log10", 1, 1};
    case Kind::kDivide: return {"div", 2, 2};
    case Kind::kPower: return {"pow", 2, 2};
    case Kind::kLinearDecay: return {"lin_decay", 1, 1};
    case Kind::kGaussDecay: return {"gauss_decay", 1, 1};
    case Kind::kExpDecay: return {"exp_decay", 1, 1};
    case Kind::kMax: return {"max", 1, kAny};
    case Kind::kMin: return {"min", 1, kAny};
    case Kind::kAcosh: return {"acosh", 1, 1};
  }
  return {"", 0, 0};
}

bool is_decay(Kind kind) {
  return kind == Kind::kLinearDecay || kind == Kind::kGaussDecay || kind == Kind::kExpDecay;
}

Status check_formula_text(std::string_view text, const Place& at) {
  if (text.size() <= limits::kFilterStringBytesMax) return ok_status();
  return at.error(
      format("has {} bytes, the limit is {}", text.size(), limits::kFilterStringBytesMax),
      kFormulaTooLarge);
}

Status check_path(std::string_view key, const Place& at) {
  QUIPU_TRY_OK(check_formula_text(key, at));
  const Result<PayloadPath> path = PayloadPath::parse(key);
  if (path.ok()) return ok_status();
  return at.error(path.error().message, kInvalidFormula);
}

Status check_variable(std::string_view name, const Place& at) {
  QUIPU_TRY_OK(check_formula_text(name, at));
  const Result<FormulaVariable> variable = parse_formula_variable(name);
  if (variable.ok()) return ok_status();
  return at.error(variable.error().message, kInvalidFormula);
}

// Recursion is bounded by the depth, which is checked first.
class ExpressionCheck {
 public:
  Status run(const Expression& expression, const Place& at, std::size_t depth) {
    if (depth > limits::kExpressionDepthMax) {
      return at.error(
          format("formulas are nested deeper than the limit of {}", limits::kExpressionDepthMax),
          kFormulaTooLarge);
    }
    if (++count_ > limits::kExpressionPartsMax) {
      return at.error(
          format("the formula has more than the limit of {} parts", limits::kExpressionPartsMax),
          kFormulaTooLarge);
    }
    const Shape shape = shape_of(expression.kind);
    const Place inside(at, shape.name);
    const Place& place = shape.name.empty() ? at : inside;
    QUIPU_TRY_OK(check_shape(expression, shape, place));
    QUIPU_TRY_OK(check_values(expression, place));
    return check_operands(expression, place, depth);
  }

 private:
  static Status check_shape(const Expression& expression, const Shape& shape, const Place& at) {
    const std::size_t count = expression.operands.size();
    if (count < shape.operands_min || count > shape.operands_max) {
      return at.error(
          shape.operands_min == shape.operands_max
              ? format("has {} operands instead of {}", count, shape.operands_min)
              : format("has {} operands, it needs at least {}", count, shape.operands_min),
          kInvalidFormula);
    }
    if (expression.target.size() > (is_decay(expression.kind) ? 1U : 0U)) {
      return at.error(format("has {} targets; only a decay has one", expression.target.size()),
                      kInvalidFormula);
    }
    const std::size_t conditions = expression.kind == Kind::kCondition ? 1 : 0;
    if (expression.condition.size() != conditions) {
      return at.error(
          format("has {} conditions instead of {}", expression.condition.size(), conditions),
          kInvalidFormula);
    }
    return ok_status();
  }

  static Status check_values(const Expression& expression, const Place& at) {
    switch (expression.kind) {
      case Kind::kNumber:
        if (expression.number.has_value() && std::isfinite(*expression.number)) break;
        return at.error(expression.number.has_value()
                            ? format("{} is no finite number", *expression.number)
                            : "has no number",
                        kInvalidFormula);
      case Kind::kVariable: return check_variable(expression.name, at);
      case Kind::kCondition: return check_filter(Filter{.must = expression.condition}, at.text());
      case Kind::kGeoDistance: return check_geo(expression, at);
      case Kind::kDatetime: {
        QUIPU_TRY_OK(check_formula_text(expression.name, at));
        const Result<std::int64_t> time = parse_datetime(expression.name);
        if (!time.ok()) return at.error(time.error().message, kInvalidFormula);
        break;
      }
      case Kind::kDatetimeKey: return check_path(expression.name, at);
      case Kind::kDivide:
        if (!expression.number.has_value() || std::isfinite(*expression.number)) break;
        return Place(at, "by_zero_default")
            .error(format("{} is no finite number", *expression.number), kInvalidFormula);
      default: return is_decay(expression.kind) ? check_decay(expression, at) : ok_status();
    }
    return ok_status();
  }

  static Status check_geo(const Expression& expression, const Place& at) {
    const Place origin(at, "origin");
    const GeoPoint point = expression.origin;
    if (!(std::fabs(point.lon) <= 180)) {
      return Place(origin, "lon")
          .error(format("{} is not within -180 to 180", point.lon), kInvalidFormula);
    }
    if (!(std::fabs(point.lat) <= 90)) {
      return Place(origin, "lat")
          .error(format("{} is not within -90 to 90", point.lat), kInvalidFormula);
    }
    return check_path(expression.name, Place(at, "to"));
  }

  static Status check_decay(const Expression& expression, const Place& at) {
    const double midpoint = expression.midpoint;
    if (expression.kind == Kind::kLinearDecay) {
      if (!(midpoint >= 0 && midpoint <= 1)) {
        return Place(at, "midpoint")
            .error(format("{} is not within 0 to 1", midpoint), kInvalidFormula);
      }
    } else if (!(midpoint > 0 && midpoint < 1)) {
      return Place(at, "midpoint")
          .error(format("{} is not between 0 and 1", midpoint), kInvalidFormula);
    }
    // Its square is divided by.
    constexpr double kScaleMin = 1e-150;
    constexpr double kScaleMax = 1e150;
    if (expression.scale >= kScaleMin && expression.scale <= kScaleMax) return ok_status();
    return Place(at, "scale")
        .error(format("{} is not within {} to {}", expression.scale, kScaleMin, kScaleMax),
               kInvalidFormula);
  }

  Status check_operands(const Expression& expression, const Place& at, std::size_t depth) {
    const auto check = [&](std::size_t index, const Place& place) {
      return run(expression.operands[index], place, depth + 1);
    };
    if (expression.kind == Kind::kDivide) {
      QUIPU_TRY_OK(check(0, Place(at, "left")));
      return check(1, Place(at, "right"));
    }
    if (expression.kind == Kind::kPower) {
      QUIPU_TRY_OK(check(0, Place(at, "base")));
      return check(1, Place(at, "exponent"));
    }
    if (is_decay(expression.kind)) {
      QUIPU_TRY_OK(check(0, Place(at, "x")));
      if (expression.target.empty()) return ok_status();
      return run(expression.target.front(), Place(at, "target"), depth + 1);
    }
    if (shape_of(expression.kind).operands_max == 1) return check(0, at);
    for (std::size_t i = 0; i < expression.operands.size(); ++i) {
      QUIPU_TRY_OK(check(i, Place(at, i)));
    }
    return ok_status();
  }

  std::size_t count_ = 0;
};

Status check_default(const FormulaVariable& variable,
                     const std::variant<double, std::string>& value, const Place& at) {
  if (const auto* const number = std::get_if<double>(&value)) {
    if (std::isfinite(*number)) return ok_status();
    return at.error(format("{} is no finite number", *number), kInvalidFormula);
  }
  if (!variable.path.has_value()) {
    return at.error("must be a number, as scores are", kInvalidFormula);
  }
  const std::string& json = std::get<std::string>(value);
  QUIPU_TRY_OK(check_formula_text(json, at));
  const Result<JsonDocument> document = JsonDocument::parse(json);
  if (document.ok()) return ok_status();
  return at.error(format("is no JSON: {}", document.error().message), kInvalidFormula);
}

Status check_defaults(const FormulaQuery& query, const Place& at) {
  if (query.defaults.size() > limits::kFormulaDefaultsMax) {
    return at.error(format("has {} members, the limit is {}", query.defaults.size(),
                           limits::kFormulaDefaultsMax),
                    kFormulaTooLarge);
  }
  std::vector<FormulaVariable> seen;
  for (const auto& [name, value] : query.defaults) {
    const Place place(at, name);
    QUIPU_TRY_OK(check_variable(name, place));
    FormulaVariable variable = parse_formula_variable(name).value();
    if (std::find(seen.begin(), seen.end(), variable) != seen.end()) {
      return place.error("is a second default of the same variable", kInvalidFormula);
    }
    QUIPU_TRY_OK(check_default(variable, value, place));
    seen.push_back(std::move(variable));
  }
  return ok_status();
}

Error invalid_variable(std::string_view name) {
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = format("{} is no variable; the scores are \"$score\" (of the first "
                                 "prefetch), \"$score[1]\", ...; other names are payload keys",
                                 in_quotes(name)),
               .reason = std::string(kInvalidFormula)};
}

}  // namespace

Result<FormulaVariable> parse_formula_variable(std::string_view name) {
  constexpr std::string_view kScore = "$score";
  FormulaVariable variable;
  if (!name.starts_with('$')) {
    QUIPU_TRY(variable.path, PayloadPath::parse(name));
    return variable;
  }
  if (!name.starts_with(kScore)) return invalid_variable(name);
  std::string_view digits = name.substr(kScore.size());
  if (digits.empty()) return variable;
  if (digits.size() < 3 || digits.front() != '[' || digits.back() != ']') {
    return invalid_variable(name);
  }
  digits = digits.substr(1, digits.size() - 2);
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, variable.prefetch);
  if (read.ec != std::errc() || read.ptr != end) return invalid_variable(name);
  return variable;
}

Status check_formula(const FormulaQuery& query, const Place& at) {
  QUIPU_TRY_OK(ExpressionCheck().run(query.formula, Place(at, "formula"), 1));
  return check_defaults(query, Place(at, "defaults"));
}

}  // namespace quipu::query
