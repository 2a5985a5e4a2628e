#include "quipu/api/qdrant/grpc/formulas.h"

#include <algorithm>
#include <utility>

#include "quipu/api/qdrant/grpc/filters.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant::rpc {
namespace {

using Kind = Expression::Kind;

// Recursion is bounded by the depth that a message may have, 100.
class ExpressionReader {
 public:
  Result<Expression> read(const pb::Expression& from, const Place& at) {
    // Here too, so that no more is built than will be accepted.
    if (++count_ > limits::kExpressionPartsMax) {
      return at.error(
          format("the formula has more than the limit of {} parts", limits::kExpressionPartsMax),
          query::kQueryTooLarge);
    }
    switch (from.variant_case()) {
      case pb::Expression::kConstant:
        return Expression{.kind = Kind::kNumber, .number = double{from.constant()}};
      case pb::Expression::kVariable: return named(Kind::kVariable, from.variable());
      case pb::Expression::kDatetime: return named(Kind::kDatetime, from.datetime());
      case pb::Expression::kDatetimeKey: return named(Kind::kDatetimeKey, from.datetime_key());
      case pb::Expression::kCondition: {
        Expression result{.kind = Kind::kCondition};
        QUIPU_TRY(FilterCondition one, read_condition(from.condition(), at));
        result.condition.push_back(std::move(one));
        return result;
      }
      case pb::Expression::kGeoDistance:
        return Expression{.kind = Kind::kGeoDistance,
                          .name = from.geo_distance().to(),
                          .origin = {.lon = from.geo_distance().origin().lon(),
                                     .lat = from.geo_distance().origin().lat()}};
      case pb::Expression::kMult:
        return list(Kind::kProduct, from.mult().mult(), Place(at, "mult"));
      case pb::Expression::kSum: return list(Kind::kSum, from.sum().sum(), Place(at, "sum"));
      case pb::Expression::kMax: return list(Kind::kMax, from.max().max(), Place(at, "max"));
      case pb::Expression::kMin: return list(Kind::kMin, from.min().min(), Place(at, "min"));
      case pb::Expression::kNeg: return unary(Kind::kNegate, from.neg(), Place(at, "neg"));
      case pb::Expression::kAbs: return unary(Kind::kAbs, from.abs(), Place(at, "abs"));
      case pb::Expression::kSqrt: return unary(Kind::kSqrt, from.sqrt(), Place(at, "sqrt"));
      case pb::Expression::kExp: return unary(Kind::kExp, from.exp(), Place(at, "exp"));
      case pb::Expression::kLn: return unary(Kind::kLn, from.ln(), Place(at, "ln"));
      case pb::Expression::kLog10: return unary(Kind::kLog10, from.log10(), Place(at, "log10"));
      case pb::Expression::kAcosh: return unary(Kind::kAcosh, from.acosh(), Place(at, "acosh"));
      case pb::Expression::kDiv: return divide(from.div(), Place(at, "div"));
      case pb::Expression::kPow: return power(from.pow(), Place(at, "pow"));
      case pb::Expression::kExpDecay:
        return decay(Kind::kExpDecay, from.exp_decay(), Place(at, "exp_decay"));
      case pb::Expression::kGaussDecay:
        return decay(Kind::kGaussDecay, from.gauss_decay(), Place(at, "gauss_decay"));
      case pb::Expression::kLinDecay:
        return decay(Kind::kLinearDecay, from.lin_decay(), Place(at, "lin_decay"));
      case pb::Expression::VARIANT_NOT_SET: break;
    }
    return at.error("is no expression: it has none of its variants", query::kInvalidQuery);
  }

 private:
  static Expression named(Kind kind, const std::string& name) {
    return Expression{.kind = kind, .name = name};
  }

  Status operand(const pb::Expression& from, const Place& at, Expression& of) {
    QUIPU_TRY(Expression one, read(from, at));
    of.operands.push_back(std::move(one));
    return ok_status();
  }

  Result<Expression> unary(Kind kind, const pb::Expression& from, const Place& at) {
    Expression result{.kind = kind};
    QUIPU_TRY_OK(operand(from, at, result));
    return result;
  }

  Result<Expression> list(Kind kind, const google::protobuf::RepeatedPtrField<pb::Expression>& from,
                          const Place& at) {
    Expression result{.kind = kind};
    for (const pb::Expression& each : from) {
      QUIPU_TRY_OK(operand(each, Place(at, result.operands.size()), result));
    }
    return result;
  }

  Result<Expression> divide(const pb::DivExpression& from, const Place& at) {
    Expression result{.kind = Kind::kDivide};
    QUIPU_TRY_OK(operand(from.left(), Place(at, "left"), result));
    QUIPU_TRY_OK(operand(from.right(), Place(at, "right"), result));
    if (from.has_by_zero_default()) result.number = double{from.by_zero_default()};
    return result;
  }

  Result<Expression> power(const pb::PowExpression& from, const Place& at) {
    Expression result{.kind = Kind::kPower};
    QUIPU_TRY_OK(operand(from.base(), Place(at, "base"), result));
    QUIPU_TRY_OK(operand(from.exponent(), Place(at, "exponent"), result));
    return result;
  }

  Result<Expression> decay(Kind kind, const pb::DecayParamsExpression& from, const Place& at) {
    Expression result{.kind = kind};
    QUIPU_TRY_OK(operand(from.x(), Place(at, "x"), result));
    if (from.has_target()) {
      QUIPU_TRY(Expression one, read(from.target(), Place(at, "target")));
      result.target.push_back(std::move(one));
    }
    if (from.has_scale()) result.scale = double{from.scale()};
    if (from.has_midpoint()) result.midpoint = double{from.midpoint()};
    return result;
  }

  std::size_t count_ = 0;
};

Status read_defaults(const ValueMap& from, const Place& at, FormulaQuery& query) {
  if (from.size() > limits::kFormulaDefaultsMax) {
    return at.error(
        format("has {} members, the limit is {}", from.size(), limits::kFormulaDefaultsMax),
        query::kQueryTooLarge);
  }
  for (const auto& [name, value] : from) {
    if (value.has_double_value()) {
      query.defaults.emplace_back(name, value.double_value());
    } else if (value.has_integer_value()) {
      query.defaults.emplace_back(name, static_cast<double>(value.integer_value()));
    } else {
      std::string json;
      JsonWriter out(json);
      QUIPU_TRY_OK(write_json(value, Place(at, name), out));
      query.defaults.emplace_back(name, std::move(json));
    }
  }
  std::ranges::sort(query.defaults, {},
                    [](const auto& each) -> const std::string& { return each.first; });
  return ok_status();
}

}  // namespace

Result<FormulaQuery> read_formula(const pb::Formula& from, const Place& at) {
  FormulaQuery query;
  QUIPU_TRY(query.formula, ExpressionReader().read(from.expression(), Place(at, "formula")));
  QUIPU_TRY_OK(read_defaults(from.defaults(), Place(at, "defaults"), query));
  return query;
}

}  // namespace quipu::api::qdrant::rpc
