#include "quipu/query/rank/formula.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/testing/allocations.h"
#include "quipu/query/request/query_json.h"
#include "quipu/query/request/testing/random_query.h"

namespace quipu::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Kind = Expression::Kind;

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// The formula of {"formula": ..., "defaults": ...}.
FormulaQuery formula_of(std::string_view json) {
  const std::string body = R"({"prefetch":[{},{}],"query":)" + std::string(json) + "}";
  const Result<JsonDocument> document = JsonDocument::parse(body);
  EXPECT_EQ(why_not(document), "") << json;
  const Result<RankedRequest> request = read_query(document.value().root());
  EXPECT_EQ(why_not(request), "") << json;
  if (!request.ok()) return FormulaQuery{.formula = {.number = 0}};
  return std::get<FormulaQuery>(*request.value().stage.query);
}

Result<float> evaluate(const FormulaQuery& query, std::string_view payload,
                       const std::vector<float>& scores) {
  const Result<CompiledFormula> compiled = CompiledFormula::compile(query);
  EXPECT_EQ(why_not(compiled), "");
  if (!compiled.ok()) return compiled.error();
  const Result<JsonDocument> document = JsonDocument::parse(payload);
  EXPECT_EQ(why_not(document), "") << payload;
  return compiled.value().score({.id = PointId::number(7), .payload = document.value().root()},
                                scores);
}

// `expression` is the formula's JSON.
double value(std::string_view expression, std::string_view payload = "{}",
             const std::vector<float>& scores = {0.5F, 2}) {
  const std::string json = R"({"formula":)" + std::string(expression) + "}";
  const Result<float> score = evaluate(formula_of(json), payload, scores);
  EXPECT_EQ(why_not(score), "") << expression;
  return score.ok() ? static_cast<double>(score.value()) : std::nan("");
}

std::string problem(std::string_view formula, std::string_view payload = "{}",
                    const std::vector<float>& scores = {0.5F, 2}) {
  const Result<float> score = evaluate(formula_of(formula), payload, scores);
  EXPECT_FALSE(score.ok()) << formula;
  if (score.ok()) return "";
  EXPECT_EQ(score.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(score.error().reason, "formula_value");
  return score.error().message;
}

TEST(Formula, Calculates) {
  EXPECT_EQ(value("1.5"), 1.5);
  EXPECT_EQ(value(R"({"sum":[1,2,{"neg":4}]})"), -1);
  EXPECT_EQ(value(R"({"sum":[]})"), 0);
  EXPECT_EQ(value(R"({"mult":[2,3,-4]})"), -24);
  EXPECT_EQ(value(R"({"mult":[]})"), 1);
  EXPECT_EQ(value(R"({"max":[1,3,2]})"), 3);
  EXPECT_EQ(value(R"({"min":[1,-3,2]})"), -3);
  EXPECT_EQ(value(R"({"abs":-2})"), 2);
  EXPECT_EQ(value(R"({"sqrt":9})"), 3);
  EXPECT_FLOAT_EQ(static_cast<float>(value(R"({"exp":1})")), 2.7182818F);
  EXPECT_FLOAT_EQ(static_cast<float>(value(R"({"ln":10})")), 2.3025851F);
  EXPECT_EQ(value(R"({"log10":1000})"), 3);
  EXPECT_FLOAT_EQ(static_cast<float>(value(R"({"acosh":2})")), 1.3169579F);
  EXPECT_EQ(value(R"({"acosh":1})"), 0);
  EXPECT_EQ(value(R"({"div":{"left":3,"right":4}})"), 0.75);
  EXPECT_EQ(value(R"({"div":{"left":3,"right":0,"by_zero_default":-1}})"), -1);
  EXPECT_EQ(value(R"({"div":{"left":0,"right":0}})"), 0);
  EXPECT_EQ(value(R"({"pow":{"base":2,"exponent":-2}})"), 0.25);
  EXPECT_EQ(value(R"({"pow":{"base":-2,"exponent":3}})"), -8);
  EXPECT_EQ(value(R"({"datetime":"1970-01-02T00:00:00.5Z"})"), 86400.5);
}

// The documentation's own promise: 1 at the target, the midpoint at a distance of the scale.
TEST(Formula, Decays) {
  for (const std::string name : {"lin_decay", "exp_decay", "gauss_decay"}) {
    const auto at = [&name](const std::string& params) {
      return value("{\"" + name + "\":{" + params + "}}");
    };
    EXPECT_EQ(at(R"("x":0)"), 1) << name;
    EXPECT_NEAR(at(R"("x":1)"), 0.5, 1e-7) << name;
    EXPECT_NEAR(at(R"("x":-1)"), 0.5, 1e-7) << name;
    EXPECT_NEAR(at(R"("x":7,"target":4,"scale":3,"midpoint":0.2)"), 0.2, 1e-7) << name;
    EXPECT_NEAR(at(R"("x":1,"target":4,"scale":3,"midpoint":0.2)"), 0.2, 1e-7) << name;
  }
  EXPECT_EQ(value(R"({"lin_decay":{"x":2}})"), 0);
  EXPECT_EQ(value(R"({"lin_decay":{"x":5}})"), 0);  // not below
  EXPECT_EQ(value(R"({"lin_decay":{"x":5,"midpoint":1}})"), 1);
  EXPECT_EQ(value(R"({"lin_decay":{"x":1,"midpoint":0}})"), 0);
  EXPECT_NEAR(value(R"({"exp_decay":{"x":3}})"), 0.125, 1e-7);
  EXPECT_NEAR(value(R"({"gauss_decay":{"x":2}})"), 0.0625, 1e-7);
}

TEST(Formula, ReadsScores) {
  EXPECT_EQ(value(R"("$score")"), 0.5);
  EXPECT_EQ(value(R"("$score[0]")"), 0.5);
  EXPECT_EQ(value(R"("$score[1]")"), 2);
  EXPECT_EQ(value(R"("$score[2]")"), 0);  // no such prefetch
  EXPECT_EQ(value(R"("$score[18446744073709551615]")"), 0);
  EXPECT_EQ(value(R"("$score")", "{}", {kNone, 2}), 0);
  EXPECT_EQ(value(R"("$score","defaults":{"$score":3})", "{}", {kNone, 2}), 3);
  EXPECT_EQ(value(R"("$score","defaults":{"$score[0]":3})", "{}", {kNone, 2}), 3);
  EXPECT_EQ(value(R"("$score[0]","defaults":{"$score":3})", "{}", {1, 2}), 1);
  EXPECT_EQ(value(R"("$score[1]","defaults":{"$score":3})", "{}", {1}), 0);
}

TEST(Formula, ReadsPayload) {
  EXPECT_EQ(value(R"("a")", R"({"a":3})"), 3);
  EXPECT_EQ(value(R"("a.b[1].c")", R"({"a":{"b":[{},{"c":-2.5}]}})"), -2.5);
  EXPECT_EQ(value(R"("a")", R"({"a":[4]})"), 4);
  EXPECT_EQ(value(R"("a[]")", R"({"a":[4]})"), 4);
  EXPECT_EQ(value(R"("a[].b")", R"({"a":[{},{"b":[4]}]})"), 4);
  EXPECT_EQ(value(R"("a")", R"({"a":18446744073709551615})"), 18446744073709551615.0F);
  EXPECT_EQ(value(R"("a","defaults":{"a":5})", R"({"a":3})"), 3);
  EXPECT_EQ(value(R"("a","defaults":{"a":5})", "{}"), 5);
  EXPECT_EQ(value(R"("a","defaults":{"a":5})", R"({"a":[]})"), 5);
  EXPECT_EQ(value(R"("a","defaults":{"\"a\"":5})", "{}"), 5);  // the same path
  EXPECT_EQ(value(R"({"datetime_key":"t"})", R"({"t":"1970-01-01T00:01:00Z"})"), 60);
  EXPECT_EQ(value(R"({"datetime_key":"t"},"defaults":{"t":"1970-01-01T00:02:00Z"})"), 120);
}

TEST(Formula, MeasuresDistances) {
  const std::string_view formula =
      R"({"geo_distance":{"origin":{"lon":13.377,"lat":52.516},"to":"at"}})";
  // Brandenburg Gate to Eiffel Tower.
  EXPECT_NEAR(value(formula, R"({"at":{"lon":2.2945,"lat":48.8583}})"), 878'000, 2'000);
  EXPECT_EQ(value(formula, R"({"at":[{"lon":13.377,"lat":52.516,"name":"x"}]})"), 0);
  EXPECT_NEAR(value(std::string(formula) + R"(,"defaults":{"at":{"lon":13.377,"lat":53.516}})"),
              111'195, 100);
}

TEST(Formula, CountsConditions) {
  EXPECT_EQ(value(R"({"key":"tag","match":{"value":"h1"}})", R"({"tag":["h2","h1"]})"), 1);
  EXPECT_EQ(value(R"({"key":"tag","match":{"value":"h1"}})", R"({"tag":"h2"})"), 0);
  EXPECT_EQ(value(R"({"has_id":[7]})"), 1);
  EXPECT_EQ(value(R"({"has_vector":"image"})"), 0);
  EXPECT_EQ(value(R"({})"), 1);  // the empty filter holds
  // The documentation's example: the score, lifted for titles and paragraphs.
  EXPECT_EQ(value(R"({"sum":["$score",{"mult":[0.5,{"key":"tag","match":{"any":["h1","h2"]}}]},)"
                  R"({"mult":[0.25,{"must_not":{"key":"tag","match":{"any":["p"]}}}]}]})",
                  R"({"tag":"h1"})"),
            1.25);
}

TEST(Formula, DoesNotLookAtWhatAZeroEnds) {
  EXPECT_EQ(value(R"({"mult":[0,"gone"]})"), 0);
  EXPECT_EQ(value(R"({"div":{"left":0,"right":"gone"}})"), 0);
  EXPECT_THAT(problem(R"({"formula":{"mult":["gone",0]}})"), HasSubstr("no value at \"gone\""));
}

TEST(Formula, NamesTheVariableThatHasNoFittingValue) {
  EXPECT_EQ(
      problem(R"({"formula":{"sum":[1,"a.b"]}})"),
      "query.formula.sum[1]: of point 7: the payload has no value at \"a.b\", and the formula "
      "no default");
  EXPECT_THAT(problem(R"({"formula":"a"})", R"({"a":"text"})"),
              HasSubstr("expected a number at \"a\", the payload has string"));
  for (const char* const other : {"true", "null", "{}", "[[1]]"}) {
    problem(R"({"formula":"a","defaults":{"a":1}})", R"({"a":)" + std::string(other) + "}");
  }
  EXPECT_THAT(problem(R"({"formula":"a","defaults":{"a":1}})", R"({"a":[1,2]})"),
              HasSubstr("several values at \"a\""));
  EXPECT_THAT(problem(R"({"formula":"a[].b"})", R"({"a":[{"b":1},{"b":2}]})"),
              HasSubstr("several values at \"a[].b\""));
  EXPECT_THAT(problem(R"({"formula":"a[]"})", R"({"a":[[1]]})"), HasSubstr("expected a number"));
  EXPECT_THAT(problem(R"({"formula":"a","defaults":{"a":"x"}})"),
              HasSubstr("expected a number at \"a\", the default is \"x\""));
  EXPECT_THAT(problem(R"({"formula":{"exp":{"datetime_key":"t"}}})", R"({"t":5})"),
              AllOf(StartsWith("query.formula.exp:"), HasSubstr("expected a datetime at \"t\"")));
  EXPECT_THAT(problem(R"({"formula":{"geo_distance":{"origin":{"lon":0,"lat":0},"to":"at"}}})",
                      R"({"at":{"lon":181,"lat":0}})"),
              HasSubstr("expected a place"));
}

TEST(Formula, RefusesWhatIsNoFiniteNumber) {
  EXPECT_EQ(problem(R"({"formula":{"sum":[1,{"div":{"left":3,"right":"$score"}}]}})", "{}", {0}),
            "query.formula.sum[1]: of point 7: 3 / 0 (without by_zero_default) is inf, no finite "
            "number");
  EXPECT_THAT(problem(R"({"formula":{"sqrt":-1}})"), HasSubstr("sqrt(-1) is"));
  EXPECT_THAT(problem(R"({"formula":{"ln":0}})"), HasSubstr("ln(0) is -inf"));
  EXPECT_THAT(problem(R"({"formula":{"ln":-1}})"), HasSubstr("ln(-1)"));
  EXPECT_THAT(problem(R"({"formula":{"log10":0}})"), HasSubstr("log10(0)"));
  EXPECT_THAT(problem(R"({"formula":{"acosh":0.5}})"), HasSubstr("acosh(0.5)"));
  EXPECT_THAT(problem(R"({"formula":{"exp":1000}})"), HasSubstr("exp(1000)"));
  EXPECT_THAT(problem(R"({"formula":{"pow":{"base":-8,"exponent":0.5}}})"),
              HasSubstr("-8 to the power of 0.5"));
  EXPECT_THAT(problem(R"({"formula":{"pow":{"base":0,"exponent":-1}}})"), HasSubstr("inf"));
  EXPECT_THAT(problem(R"({"formula":{"mult":[1e20,1e20]}})"),
              HasSubstr("the formula is 1e+40, no finite number as a float"));
  EXPECT_THAT(problem(R"({"formula":{"mult":[1e200,1e200]}})"), HasSubstr("inf"));
}

// ---------------------------------------------------------------- compiling

TEST(Formula, ListsItsKeys) {
  const Result<CompiledFormula> compiled = CompiledFormula::compile(
      formula_of(R"({"formula":{"sum":["b","$score","a",{"datetime_key":"\"b\""},)"
                 R"({"key":"c[]","match":{"value":1}}]}})"));
  ASSERT_EQ(why_not(compiled), "");
  EXPECT_THAT(compiled.value().keys(), ElementsAre("a", "b", "c[]"));
}

struct FormulaRefusal {
  FormulaQuery query;
  const char* message;
};

TEST(Formula, RefusesWhatIsNoFormula) {
  const Expression one{.kind = Kind::kNumber, .number = 1};
  const auto of = [](Expression expression) {
    return FormulaQuery{.formula = std::move(expression)};
  };
  const double nan = std::nan("");
  const FormulaRefusal refusals[] = {
      {of({.kind = Kind::kNumber}), "query.formula: has no number"},
      {of({.kind = Kind::kNumber, .number = nan}), "query.formula: nan is no finite number"},
      {of({.kind = Kind::kVariable, .name = "$other"}), "query.formula: \"$other\" is no variable"},
      {of({.kind = Kind::kVariable, .name = "$score[]"}), "is no variable"},
      {of({.kind = Kind::kVariable, .name = "$score[-1]"}), "is no variable"},
      {of({.kind = Kind::kVariable, .name = "$score[1]x"}), "is no variable"},
      {of({.kind = Kind::kVariable, .name = "a..b"}), "query.formula: "},
      {of({.kind = Kind::kVariable, .name = ""}), "query.formula: "},
      {of({.kind = Kind::kVariable, .name = std::string(limits::kFilterStringBytesMax + 1, 'a')}),
       "query.formula: has 65537 bytes, the limit is 65536"},
      {of({.kind = Kind::kDatetimeKey, .name = "["}), "query.formula.datetime_key: "},
      {of({.kind = Kind::kDatetime, .name = "soon"}), "query.formula.datetime: "},
      {of({.kind = Kind::kSum, .operands = {one, {.kind = Kind::kAbs}}}),
       "query.formula.sum[1].abs: has 0 operands instead of 1"},
      {of({.kind = Kind::kMax}), "query.formula.max: has 0 operands, it needs at least 1"},
      {of({.kind = Kind::kMin}), "query.formula.min: has 0 operands"},
      {of({.kind = Kind::kPower, .operands = {one}}),
       "query.formula.pow: has 1 operands instead of 2"},
      {of({.kind = Kind::kDivide, .number = nan, .operands = {one, one}}),
       "query.formula.div.by_zero_default: nan is no finite number"},
      {of({.kind = Kind::kDivide, .operands = {one, {.kind = Kind::kNumber}}}),
       "query.formula.div.right: has no number"},
      {of({.kind = Kind::kCondition}), "query.formula: has 0 conditions instead of 1"},
      {of({.kind = Kind::kNumber, .number = 1, .target = {one}}), "has 1 targets"},
      {of({.kind = Kind::kExpDecay, .operands = {one}, .scale = 0}),
       "query.formula.exp_decay.scale: 0 is not within 1e-150 to 1e+150"},
      {of({.kind = Kind::kExpDecay, .operands = {one}, .midpoint = 1}),
       "query.formula.exp_decay.midpoint: 1 is not between 0 and 1"},
      {of({.kind = Kind::kGaussDecay, .operands = {one}, .midpoint = nan}),
       "query.formula.gauss_decay.midpoint: nan is not between 0 and 1"},
      {of({.kind = Kind::kLinearDecay, .operands = {one}, .midpoint = 1.01}),
       "query.formula.lin_decay.midpoint: 1.01 is not within 0 to 1"},
      {of({.kind = Kind::kLinearDecay, .operands = {one}, .target = {{.kind = Kind::kNumber}}}),
       "query.formula.lin_decay.target: has no number"},
      {of({.kind = Kind::kGeoDistance, .name = "at", .origin = {.lon = 0, .lat = -91}}),
       "query.formula.geo_distance.origin.lat: -91 is not within -90 to 90"},
      {of({.kind = Kind::kGeoDistance, .name = "at", .origin = {.lon = nan, .lat = 0}}),
       "query.formula.geo_distance.origin.lon: nan is not within -180 to 180"},
      {of({.kind = Kind::kGeoDistance, .name = ""}), "query.formula.geo_distance.to: "},
      {{.formula = one, .defaults = {{"$score", "1"}}}, "query.defaults.$score: must be a number"},
      {{.formula = one, .defaults = {{"$x", 1.0}}}, "query.defaults.$x: \"$x\" is no variable"},
      {{.formula = one, .defaults = {{"a", nan}}}, "query.defaults.a: nan is no finite number"},
      {{.formula = one, .defaults = {{"a", "{"}}}, "query.defaults.a: is no JSON"},
      {{.formula = one, .defaults = {{"$score", 1.0}, {"$score[0]", 2.0}}},
       "query.defaults.$score[0]: is a second default of the same variable"},
  };
  for (const FormulaRefusal& refusal : refusals) {
    const Result<CompiledFormula> compiled = CompiledFormula::compile(refusal.query);
    ASSERT_FALSE(compiled.ok()) << refusal.message;
    EXPECT_THAT(compiled.error().message, HasSubstr(refusal.message));
    EXPECT_EQ(compiled.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Formula, KeepsItsLimits) {
  const Expression one{.kind = Kind::kNumber, .number = 1};
  Expression deep = one;
  for (std::size_t depth = 1; depth < limits::kExpressionDepthMax; ++depth) {
    deep = Expression{.kind = Kind::kAbs, .operands = {deep}};
  }
  EXPECT_EQ(why_not(CompiledFormula::compile({.formula = deep})), "");
  deep = Expression{.kind = Kind::kAbs, .operands = {deep}};
  EXPECT_THAT(why_not(CompiledFormula::compile({.formula = deep})),
              HasSubstr("nested deeper than the limit of 24"));
  Expression wide{.kind = Kind::kSum};
  wide.operands.assign(limits::kExpressionPartsMax - 1, one);
  EXPECT_EQ(evaluate({.formula = wide}, "{}", {}).value(), 1023);
  wide.operands.push_back(one);
  EXPECT_THAT(why_not(CompiledFormula::compile({.formula = wide})),
              HasSubstr("more than the limit of 1024 parts"));
  FormulaQuery many{.formula = one};
  for (std::size_t i = 0; i < limits::kFormulaDefaultsMax; ++i) {
    many.defaults.emplace_back("k" + std::to_string(i), 1.0);
  }
  EXPECT_EQ(why_not(CompiledFormula::compile(many)), "");
  many.defaults.emplace_back("one_more", 1.0);
  EXPECT_THAT(why_not(CompiledFormula::compile(many)),
              HasSubstr("query.defaults: has 257 members, the limit is 256"));
}

TEST(Formula, AllocatesNothingToScore) {
  const Result<CompiledFormula> compiled = CompiledFormula::compile(formula_of(
      R"({"formula":{"sum":["$score",{"mult":["a",{"key":"tag","match":{"any":["x","y"]}}]},)"
      R"({"gauss_decay":{"x":{"geo_distance":{"origin":{"lon":1,"lat":2},"to":"at"}},)"
      R"("scale":5000}},{"exp_decay":{"x":{"datetime_key":"when"},"target":)"
      R"({"datetime":"2024-05-01"},"scale":86400}},{"pow":{"base":"items[].n","exponent":2}},)"
      R"({"max":["gone",{"ln":{"abs":-3}}]}]},"defaults":{"gone":1}})"));
  ASSERT_EQ(why_not(compiled), "");
  const Result<JsonDocument> payload = JsonDocument::parse(
      R"({"a":[2.5],"tag":["z","y"],"at":{"lon":1.01,"lat":2},"when":"2024-05-02T00:00:00Z",)"
      R"("items":[{"m":1},{"n":[3]}]})");
  ASSERT_EQ(why_not(payload), "");
  const Record record{.id = PointId::number(1), .payload = payload.value().root()};
  const std::vector<float> scores = {0.5F};
  const Result<float> first = compiled.value().score(record, scores);
  ASSERT_EQ(why_not(first), "");
  const std::uint64_t before = testing_support::allocations_so_far();
  float sum = 0;
  for (int i = 0; i < 4; ++i) sum += compiled.value().score(record, scores).value();
  EXPECT_EQ(testing_support::allocations_so_far(), before);
  EXPECT_FLOAT_EQ(sum, 4 * first.value());
}

// ---------------------------------------------------------------- against a plain twin

// What a payload of the model test has at its four keys, as values of C++.
struct TwinPayload {
  std::optional<double> a;
  std::optional<double> b;
  std::optional<double> when_seconds;
  std::optional<GeoPoint> place;
  std::string json;
};

// Other formulas where there are: decays as powers of the midpoint, distances by the angle between
// two directions in space. Every value from outside is made `nudge` larger, as a part of itself.
class Twin {
 public:
  Twin(const TwinPayload& payload, const std::vector<float>& scores, const FormulaQuery& query,
       const Record& record, double nudge)
      : payload_(payload), scores_(scores), query_(query), record_(record), nudge_(1 + nudge) {}

  // NaN or infinite where the formula has no value.
  double of(const Expression& e) const {
    constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
    switch (e.kind) {
      case Kind::kNumber: return *e.number * nudge_;
      case Kind::kVariable: return variable(e.name) * nudge_;
      case Kind::kCondition: {
        const Result<CompiledFilter> filter = CompiledFilter::compile({.must = e.condition});
        return filter.value().matches(record_) ? 1 : 0;
      }
      case Kind::kGeoDistance:
        if (e.name != "place") return kNever;
        if (payload_.place.has_value()) return distance(e.origin, *payload_.place) * nudge_;
        return has_default("place") ? nudge_ * distance(e.origin, {.lon = 1.5, .lat = -2}) : kNever;
      case Kind::kDatetime: return 1714559415.5;
      case Kind::kDatetimeKey:
        if (e.name != "when") return kNever;
        return payload_.when_seconds.value_or(has_default("when") ? 1714521600 : kNever);
      case Kind::kSum: {
        double sum = 0;
        for (const Expression& operand : e.operands) sum += of(operand);
        return sum;
      }
      case Kind::kProduct: return product(e.operands, 0);
      case Kind::kMax:
      case Kind::kMin: {
        double best = of(e.operands[0]);
        for (const Expression& operand : e.operands) {
          const double other = of(operand);
          if (std::isnan(other)) return kNever;
          if (e.kind == Kind::kMax ? other > best : other < best) best = other;
        }
        return best;
      }
      case Kind::kDivide: {
        const double left = of(e.operands[0]);
        if (left == 0) return 0;
        const double right = of(e.operands[1]);
        return finite(right == 0 && !std::isnan(left) ? e.number.value_or(kNever) : left / right);
      }
      case Kind::kPower: {
        const double base = of(e.operands[0]);
        const double exponent = of(e.operands[1]);
        // NaN to the power of 0 is 1, but no value to any power is none.
        return std::isnan(base) || std::isnan(exponent) ? kNever : finite(std::pow(base, exponent));
      }
      case Kind::kNegate: return -of(e.operands[0]);
      case Kind::kAbs: return std::abs(of(e.operands[0]));
      case Kind::kSqrt: return finite(std::sqrt(of(e.operands[0])));
      case Kind::kExp: return finite(std::exp(of(e.operands[0])));
      case Kind::kLn: return finite(std::log(of(e.operands[0])));
      case Kind::kLog10: return finite(std::log10(of(e.operands[0])));
      case Kind::kAcosh: {
        const double x = of(e.operands[0]);
        return finite(std::log(x) + std::log1p(std::sqrt(1 - 1 / (x * x))));
      }
      default: break;
    }
    const double x = of(e.operands[0]);
    const double far = std::abs(x - (e.target.empty() ? 0 : of(e.target[0]))) / e.scale;
    if (std::isnan(far)) return kNever;
    if (e.kind == Kind::kLinearDecay) return std::max(0.0, 1 - far * (1 - e.midpoint));
    return std::pow(e.midpoint, e.kind == Kind::kExpDecay ? far : far * far);
  }

 private:
  static double finite(double value) {
    return std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN();
  }
  double product(const std::vector<Expression>& operands, std::size_t from) const {
    if (from == operands.size()) return 1;
    const double first = of(operands[from]);
    return first == 0 ? 0 : first * product(operands, from + 1);
  }
  static double distance(GeoPoint a, GeoPoint b) {
    const auto direction = [](GeoPoint point) {
      const double lon = point.lon * std::acos(-1.0) / 180;
      const double lat = point.lat * std::acos(-1.0) / 180;
      return std::array<double, 3>{std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon),
                                   std::sin(lat)};
    };
    const auto u = direction(a);
    const auto v = direction(b);
    const double cross =
        std::hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]);
    return 6371008.8 * std::atan2(cross, u[0] * v[0] + u[1] * v[1] + u[2] * v[2]);
  }
  bool has_default(std::string_view name) const {
    for (const auto& entry : query_.defaults) {
      if (entry.first == name) return true;
    }
    return false;
  }
  double default_of(std::string_view name, double otherwise) const {
    for (const auto& entry : query_.defaults) {
      if (entry.first == name) return std::get<double>(entry.second);
    }
    return otherwise;
  }
  double variable(const std::string& name) const {
    constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
    if (name == "a") return payload_.a.value_or(default_of("a", kNever));
    if (name == "b") return payload_.b.value_or(kNever);
    if (name == "gone") return kNever;
    const std::size_t index = name == "$score[7]" ? 7 : name == "$score[1]" ? 1 : 0;
    if (index < scores_.size() && !std::isnan(scores_[index])) return scores_[index];
    return index == 1 ? default_of("$score[1]", 0) : 0;
  }

  const TwinPayload& payload_;
  const std::vector<float>& scores_;
  const FormulaQuery& query_;
  const Record& record_;
  double nudge_;
};

TwinPayload draw_payload(Rng& rng) {
  TwinPayload payload;
  JsonWriter out(payload.json);
  out.begin_object();
  if (rng.below(5) > 0) out.key("a").value(*(payload.a = rng.normal() * 2));
  if (rng.below(5) > 0) {
    payload.b = static_cast<double>(rng.below(4));
    out.key("b").begin_array().value(*payload.b).end_array();
  }
  if (rng.below(5) > 0) {
    out.key("when").value("2024-05-01T10:30:00Z");
    payload.when_seconds = 1714559400;
  }
  if (rng.below(5) > 0) {
    payload.place = GeoPoint{.lon = rng.uniform() * 360 - 180, .lat = rng.uniform() * 180 - 90};
    out.key("place").begin_object().key("lon").value(payload.place->lon);
    out.key("lat").value(payload.place->lat).end_object();
  }
  out.end_object();
  return payload;
}

TEST(FormulaModel, EqualsThePlainEvaluation) {
  Rng rng(test_seed());
  testing_support::RandomQueries queries(rng);
  int values = 0;
  int failures = 0;
  for (int round = 0; round < 4000; ++round) {
    FormulaQuery query{.formula = queries.expression()};
    if (rng.below(2) == 0) query.defaults.emplace_back("$score[1]", rng.normal());
    if (rng.below(2) == 0) query.defaults.emplace_back("a", rng.normal());
    if (rng.below(3) == 0) query.defaults.emplace_back("when", "\"2024-05-01\"");
    if (rng.below(3) == 0) query.defaults.emplace_back("place", R"({"lon":1.5,"lat":-2})");
    const TwinPayload payload = draw_payload(rng);
    const Result<JsonDocument> document = JsonDocument::parse(payload.json);
    ASSERT_EQ(why_not(document), "");
    const Record record{.id = PointId::number(rng.below(6)), .payload = document.value().root()};
    std::vector<float> scores(rng.below(3));
    for (float& score : scores)
      score = rng.below(3) == 0 ? kNone : static_cast<float>(rng.normal());
    const Result<CompiledFormula> compiled = CompiledFormula::compile(query);
    ASSERT_EQ(why_not(compiled), "");
    const Result<float> got = compiled.value().score(record, scores);
    const double wanted = Twin(payload, scores, query, record, 0).of(query.formula);
    // Beside a pole, a jump or the largest float, rounding decides: that is no difference.
    bool sure = !std::isfinite(wanted) || std::abs(wanted) < 1e30;
    for (const double nudge : {1e-9, -1e-9}) {
      const double near = Twin(payload, scores, query, record, nudge).of(query.formula);
      sure = sure && std::isfinite(near) == std::isfinite(wanted);
      if (sure && std::isfinite(wanted)) {
        sure = std::abs(near - wanted) < 1e-5 * std::max(1.0, std::abs(wanted));
      }
    }
    if (!sure) continue;
    std::string json;
    JsonWriter out(json);
    write_query({.prefetch = {{}}, .query = query}, out);
    ASSERT_EQ(got.ok(), std::isfinite(wanted)) << json << payload.json << why_not(got);
    (got.ok() ? values : failures)++;
    if (!got.ok()) continue;
    ASSERT_NEAR(got.value(), wanted, 1e-4 * std::max(1.0, std::abs(wanted)))
        << json << payload.json;
  }
  EXPECT_GT(values, 1000);
  EXPECT_GT(failures, 300);
}

}  // namespace
}  // namespace quipu::query
