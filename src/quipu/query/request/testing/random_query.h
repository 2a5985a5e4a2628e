// Random queries, for tests. Not for the product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/query.h"
#include "quipu/query/filter/testing/random_filter.h"

namespace quipu::query::testing_support {

// All satisfy check_query() and are written canonically, so that they read back equal.
class RandomQueries {
 public:
  explicit RandomQueries(Rng& rng) : rng_(rng), filters_(rng) {}

  QueryStage stage(std::size_t depth_left = 2) {
    QueryStage drawn;
    const std::size_t kind = below(12);
    const bool ranks_prefetches = kind == 5 || kind == 6 || kind == 10;
    if (depth_left > 0 && (ranks_prefetches || chance(30))) {
      for (std::size_t count = 1 + below(3); count > 0; --count) {
        drawn.prefetch.push_back(stage(depth_left - 1));
      }
    }
    if (kind < 11) {
      drawn.query = query(ranks_prefetches && drawn.prefetch.empty() ? 0 : kind, drawn);
    } else if (!drawn.prefetch.empty()) {
      drawn.query = SampleQuery{};
    }
    if (chance(30)) drawn.filter = filters_.filter(1);
    if (chance(30)) drawn.params = params();
    const bool has_scores =
        drawn.query.has_value() && !std::holds_alternative<OrderByQuery>(*drawn.query);
    if (has_scores && chance(30)) drawn.score_threshold = real();
    if (chance(50)) drawn.limit = 1 + below(100);
    const bool fusion =
        drawn.query.has_value() && (std::holds_alternative<FusionQuery>(*drawn.query) ||
                                    std::holds_alternative<RerankQuery>(*drawn.query));
    const bool words = drawn.query.has_value() && std::holds_alternative<WordsQuery>(*drawn.query);
    if (words || (!fusion && chance(40))) drawn.using_name = pick({"image", "title words", "x"});
    if (chance(10)) drawn.lookup_from = LookupFrom{.collection = "other", .vector_name = name()};
    return drawn;
  }

  VectorInput input() {
    switch (below(5)) {
      case 0: return reals(1 + below(4));
      case 1: {
        std::set<std::uint32_t> indices;
        while (chance(70)) indices.insert(static_cast<std::uint32_t>(rng_.below(1ULL << 32U)));
        return SparseValues{.indices = {indices.begin(), indices.end()},
                            .values = reals(indices.size())};
      }
      case 2: {
        const auto rows = static_cast<std::uint32_t>(1 + below(3));
        return MultiValues{.rows = rows, .values = reals(rows * (1 + below(3)))};
      }
      case 3: return filters_.id();
      default:
        return TextInput{.text = pick({"", "rivers of Peru", "Ünicode \"quoted\""}),
                         .model = pick({"", "all-minilm"}),
                         .options = pick({"", "", R"({"deep":[{"k":1.5}]})"})};
    }
  }

  // Over the payload keys a, b, when, place and the scores of two prefetches.
  Expression expression(std::size_t depth_left = 3) {
    using Kind = Expression::Kind;
    constexpr Kind kLeaves[] = {Kind::kNumber,      Kind::kNumber,   Kind::kVariable,
                                Kind::kVariable,    Kind::kVariable, Kind::kCondition,
                                Kind::kGeoDistance, Kind::kDatetime, Kind::kDatetimeKey};
    constexpr Kind kInner[] = {
        Kind::kSum,      Kind::kProduct, Kind::kNegate,      Kind::kAbs,
        Kind::kSqrt,     Kind::kExp,     Kind::kLn,          Kind::kLog10,
        Kind::kDivide,   Kind::kPower,   Kind::kLinearDecay, Kind::kGaussDecay,
        Kind::kExpDecay, Kind::kMax,     Kind::kMin,         Kind::kAcosh};
    const bool leaf = depth_left == 0 || chance(25);
    Expression drawn{.kind = leaf ? kLeaves[below(std::size(kLeaves))]
                                  : kInner[below(std::size(kInner))]};
    fill(drawn, depth_left);
    return drawn;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(rng_.below(bound)); }
  bool chance(std::size_t percent) { return below(100) < percent; }
  std::string pick(std::initializer_list<const char*> choices) {
    return choices.begin()[below(choices.size())];
  }
  std::string name() { return pick({"", "image", "title words"}); }
  float real() {
    return chance(50) ? static_cast<float>(below(5)) - 2 : static_cast<float>(rng_.normal());
  }
  std::vector<float> reals(std::size_t count) {
    std::vector<float> drawn(count);
    for (float& each : drawn) each = real();
    return drawn;
  }
  double number() { return chance(50) ? static_cast<double>(below(5)) - 2 : rng_.normal() * 3; }

  void fill(Expression& drawn, std::size_t depth_left) {
    using Kind = Expression::Kind;
    std::size_t operands = 1;
    switch (drawn.kind) {
      case Kind::kNumber: drawn.number = number(); return;
      case Kind::kVariable:
        drawn.name = pick({"$score", "$score[0]", "$score[1]", "$score[7]", "a", "b", "a", "gone"});
        return;
      case Kind::kCondition: drawn.condition.push_back(filters_.condition(1)); return;
      case Kind::kGeoDistance:
        drawn.name = pick({"place", "place", "place", "a"});
        drawn.origin = {.lon = rng_.uniform() * 360 - 180, .lat = rng_.uniform() * 180 - 90};
        return;
      case Kind::kDatetime: drawn.name = "2024-05-01T10:30:15.5Z"; return;
      case Kind::kDatetimeKey: drawn.name = pick({"when", "when", "when", "a"}); return;
      case Kind::kSum:
      case Kind::kProduct: operands = below(4); break;
      case Kind::kMax:
      case Kind::kMin: operands = 1 + below(3); break;
      case Kind::kDivide:
        operands = 2;
        if (chance(50)) drawn.number = number();
        break;
      case Kind::kPower: operands = 2; break;
      case Kind::kLinearDecay:
      case Kind::kGaussDecay:
      case Kind::kExpDecay:
        drawn.scale = 0.5 + rng_.uniform() * 100;
        drawn.midpoint = 0.1 + rng_.uniform() * 0.8;
        if (chance(50)) drawn.target.push_back(expression(depth_left - 1));
        break;
      default: break;
    }
    for (; operands > 0; --operands) drawn.operands.push_back(expression(depth_left - 1));
  }

  std::vector<VectorInput> inputs(std::size_t least) {
    std::vector<VectorInput> drawn;
    for (std::size_t count = least + below(3); count > 0; --count) drawn.push_back(input());
    return drawn;
  }
  std::vector<ContextPair> pairs(std::size_t least) {
    std::vector<ContextPair> drawn;
    for (std::size_t count = least + below(3); count > 0; --count) {
      drawn.push_back({.positive = input(), .negative = input()});
    }
    return drawn;
  }

  StageQuery query(std::size_t kind, const QueryStage& of) {
    switch (kind) {
      case 1: return recommend();
      case 2: return DiscoverQuery{.target = input(), .context = pairs(0)};
      case 3: return ContextQuery{pairs(1)};
      case 4: return order_by();
      case 5: return fusion(of.prefetch.size());
      case 6: return formula();
      case 7: return SampleQuery{};
      case 8: {
        FeedbackQuery drawn{.target = input(), .a = number(), .b = rng_.uniform(), .c = number()};
        for (std::size_t count = 1 + below(3); count > 0; --count) {
          drawn.feedback.push_back({.example = input(), .score = number()});
        }
        return drawn;
      }
      case 10: return RerankQuery{.text = "rivers", .model = "m", .key = pick({"", "a.b"})};
      case 9: return WordsQuery{.text = "rivers", .k1 = rng_.uniform(), .b = rng_.uniform()};
      default: {
        NearestQuery drawn{.input = input()};
        if (chance(30)) drawn.mmr = Mmr{.diversity = rng_.uniform(), .candidates = below(3) * 50};
        return drawn;
      }
    }
  }
  RecommendQuery recommend() {
    RecommendQuery drawn{.positive = inputs(1), .negative = inputs(0)};
    drawn.strategy = static_cast<RecommendStrategy>(below(3));
    return drawn;
  }
  OrderByQuery order_by() {
    OrderByQuery drawn{.key = pick({"a", "b[].c"}), .descending = chance(50)};
    if (chance(30)) drawn.start_from = number();
    if (chance(30)) drawn.start_from = std::string("2024-05-01");
    return drawn;
  }
  FusionQuery fusion(std::size_t prefetches) {
    FusionQuery drawn{.kind = static_cast<FusionKind>(below(3))};
    if (drawn.kind == FusionKind::kRrf && chance(60)) drawn.k = 1 + rng_.uniform() * 60;
    if (chance(50)) {
      for (std::size_t i = 0; i < prefetches; ++i) drawn.weights.push_back(number());
    }
    return drawn;
  }
  FormulaQuery formula() {
    FormulaQuery drawn{.formula = expression()};
    if (chance(50)) drawn.defaults.emplace_back("$score[1]", number());
    if (chance(50)) drawn.defaults.emplace_back("a", number());
    if (chance(30)) drawn.defaults.emplace_back("when", "\"2024-05-01\"");
    if (chance(30)) drawn.defaults.emplace_back("place", R"({"lon":1.5,"lat":-2})");
    return drawn;
  }
  StageParams params() {
    StageParams drawn{.ef = static_cast<std::uint32_t>(below(200)), .exact = chance(50)};
    if (chance(30)) drawn.quantization = {.ignore = chance(50), .rescore = chance(50)};
    if (chance(30)) drawn.quantization.oversampling = 1 + rng_.uniform();
    if (chance(30)) drawn.idf_corpus = filters_.filter(1);
    return drawn;
  }

  Rng& rng_;
  RandomFilters filters_;
};

}  // namespace quipu::query::testing_support
