#include "quipu/query/request/json_depth.h"

#include <algorithm>
#include <variant>

#include "quipu/base/json.h"

namespace quipu::query {
namespace {

using Kind = Expression::Kind;

std::size_t depth_of(JsonView json) {
  std::size_t deepest = 0;
  json.for_each_element([&](JsonView element) {
    deepest = std::max(deepest, depth_of(element));
    return true;
  });
  json.for_each_member([&](std::string_view, JsonView value) {
    deepest = std::max(deepest, depth_of(value));
    return true;
  });
  return deepest + (json.is_array() || json.is_object() ? 1 : 0);
}

std::size_t depth_of_text(const std::string& json) {
  const Result<JsonDocument> document = JsonDocument::parse(json);
  return document.ok() ? depth_of(document.value().root()) : 0;
}

std::size_t depth_of(const Filter& filter);

std::size_t depth_of(const std::vector<FilterCondition>& conditions) {
  // The deepest of those without a filter inside is a polygon with holes: the condition, the
  // predicate, interiors, a ring, its points, a point.
  constexpr std::size_t kPlain = 6;
  std::size_t deepest = kPlain;
  for (const FilterCondition& condition : conditions) {
    if (const auto* const inner = std::get_if<Filter>(&condition.is)) {
      deepest = std::max(deepest, depth_of(*inner));
    } else if (const auto* const nested = std::get_if<NestedCondition>(&condition.is)) {
      deepest = std::max(deepest, 2 + depth_of(nested->filter));
    }
  }
  return deepest;
}

// The object, a list, the deepest condition.
std::size_t depth_of(const Filter& filter) {
  std::size_t deepest =
      std::max({depth_of(filter.must), depth_of(filter.should), depth_of(filter.must_not)});
  if (filter.min_should.has_value()) {
    deepest = std::max(deepest, 1 + depth_of(filter.min_should->conditions));
  }
  return 2 + deepest;
}

std::size_t depth_of(const VectorInput& input) {
  const auto* const text = std::get_if<TextInput>(&input);
  if (text != nullptr && !text->options.empty()) return 1 + depth_of_text(text->options);
  return 2;
}

std::size_t depth_of(const std::vector<VectorInput>& inputs) {
  std::size_t deepest = 0;
  for (const VectorInput& input : inputs) deepest = std::max(deepest, depth_of(input));
  return deepest;
}

std::size_t depth_of(const std::vector<ContextPair>& pairs) {
  std::size_t deepest = 0;
  for (const ContextPair& pair : pairs) {
    deepest = std::max({deepest, depth_of(pair.positive), depth_of(pair.negative)});
  }
  return deepest;
}

std::size_t depth_of(const Expression& expression) {
  if (expression.kind == Kind::kCondition) return depth_of(expression.condition);
  if (expression.kind == Kind::kGeoDistance) return 3;
  std::size_t deepest = 0;
  for (const Expression& operand : expression.operands) {
    deepest = std::max(deepest, depth_of(operand));
  }
  for (const Expression& target : expression.target) deepest = std::max(deepest, depth_of(target));
  return 2 + deepest;  // {"sum": [ ... ]}; others are as deep or one less
}

// From the object that says the kind.
struct QueryDepth {
  std::size_t operator()(const NearestQuery& query) const { return 1 + depth_of(query.input); }
  std::size_t operator()(const RecommendQuery& query) const {
    return 3 + std::max(depth_of(query.positive), depth_of(query.negative));
  }
  std::size_t operator()(const DiscoverQuery& query) const {
    return 4 + std::max(depth_of(query.target), depth_of(query.context));
  }
  std::size_t operator()(const ContextQuery& query) const { return 3 + depth_of(query.context); }
  std::size_t operator()(const FeedbackQuery& query) const {
    std::size_t deepest = depth_of(query.target);
    for (const Feedback& feedback : query.feedback) {
      deepest = std::max(deepest, depth_of(feedback.example));
    }
    return 4 + deepest;
  }
  std::size_t operator()(const OrderByQuery&) const { return 2; }
  std::size_t operator()(const FusionQuery&) const { return 3; }
  std::size_t operator()(const FormulaQuery& query) const {
    std::size_t deepest = depth_of(query.formula);
    for (const auto& [name, value] : query.defaults) {
      const auto* const json = std::get_if<std::string>(&value);
      if (json != nullptr) deepest = std::max(deepest, 1 + depth_of_text(*json));
    }
    return 1 + deepest;
  }
  std::size_t operator()(const SampleQuery&) const { return 1; }
  std::size_t operator()(const WordsQuery&) const { return 4; }
  std::size_t operator()(const RerankQuery&) const { return 2; }
};

}  // namespace

std::size_t json_depth(const QueryStage& query) {
  std::size_t deepest = 2;  // params and what is in them
  if (query.query.has_value()) deepest = std::max(deepest, std::visit(QueryDepth(), *query.query));
  if (query.filter.has_value()) deepest = std::max(deepest, depth_of(*query.filter));
  if (query.params.idf_corpus.has_value()) {
    deepest = std::max(deepest, 2 + depth_of(*query.params.idf_corpus));
  }
  for (const QueryStage& stage : query.prefetch) {
    deepest = std::max(deepest, 1 + json_depth(stage));
  }
  return 1 + deepest;
}

}  // namespace quipu::query
