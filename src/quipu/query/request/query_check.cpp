#include "quipu/query/request/query_check.h"

#include <cmath>
#include <span>
#include <string>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/query/rank/formula.h"
#include "quipu/query/rank/order_values.h"
#include "quipu/query/request/json_depth.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::query {
namespace {

// ---------------------------------------------------------------- leaves

Status check_text(std::string_view text, std::size_t bytes_max, const Place& at) {
  if (text.size() > bytes_max) {
    return at.error(format("has {} bytes, the limit is {}", text.size(), bytes_max),
                    kQueryTooLarge);
  }
  const std::size_t bad = text::find_invalid_utf8(text);
  if (bad == std::string_view::npos) return ok_status();
  return at.error(format("is no UTF-8 at byte {}", bad), kInvalidQuery);
}

Status check_name(std::string_view name, const Place& at) {
  return check_text(name, limits::kNameBytesMax, at);
}

Status check_finite(std::span<const float> numbers, const Place& at) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::isfinite(numbers[i])) continue;
    return Place(at, i).error(format("{} is no finite number", numbers[i]), kInvalidQuery);
  }
  return ok_status();
}

Status check_dim(std::size_t dim, const Place& at) {
  if (dim == 0) return at.error("is empty; a vector has at least one number", kInvalidQuery);
  if (dim <= limits::kDimMax) return ok_status();
  return at.error(format("has {} dimensions, the limit is {}", dim, limits::kDimMax),
                  kQueryTooLarge);
}

Status check_within(double number, double low, double high, const Place& at) {
  if (number >= low && number <= high) return ok_status();
  return at.error(format("{} is not within {} to {}", number, low, high), kInvalidQuery);
}

Status check_not_negative(double number, const Place& at) {
  if (number >= 0 && std::isfinite(number)) return ok_status();
  return at.error(format("{} is no number of at least 0", number), kInvalidQuery);
}

Status check_number(double number, const Place& at) {
  if (std::isfinite(number)) return ok_status();
  return at.error(format("{} is no finite number", number), kInvalidQuery);
}

// ---------------------------------------------------------------- vectors

struct InputCheck {
  QueryBudget& budget;
  const Place& at;

  Status operator()(const std::vector<float>& dense) const {
    QUIPU_TRY_OK(count_numbers(dense.size(), budget, at));
    QUIPU_TRY_OK(check_dim(dense.size(), at));
    return check_finite(dense, at);
  }
  Status operator()(const SparseValues& sparse) const {
    QUIPU_TRY_OK(count_numbers(sparse.values.size(), budget, at));
    if (sparse.indices.size() != sparse.values.size()) {
      return at.error(
          format("has {} indices but {} values", sparse.indices.size(), sparse.values.size()),
          kInvalidQuery);
    }
    for (std::size_t i = 1; i < sparse.indices.size(); ++i) {
      if (sparse.indices[i - 1] < sparse.indices[i]) continue;
      const Place indices(at, "indices");
      return Place(indices, i)
          .error(format("{} comes after {}; indices are ascending and distinct", sparse.indices[i],
                        sparse.indices[i - 1]),
                 kInvalidQuery);
    }
    return check_finite(sparse.values, Place(at, "values"));
  }
  Status operator()(const MultiValues& multi) const {
    QUIPU_TRY_OK(count_numbers(multi.values.size(), budget, at));
    if (multi.rows == 0 || multi.values.size() % multi.rows != 0) {
      return at.error(format("has {} numbers in {} rows; a multivector has rows of one length",
                             multi.values.size(), multi.rows),
                      kInvalidQuery);
    }
    QUIPU_TRY_OK(check_dim(multi.values.size() / multi.rows, at));
    return check_finite(multi.values, at);
  }
  Status operator()(const PointId&) const { return ok_status(); }
  Status operator()(const TextInput& input) const {
    QUIPU_TRY_OK(check_text(input.text, limits::kTextBytesMax, Place(at, "text")));
    QUIPU_TRY_OK(check_name(input.model, Place(at, "model")));
    if (input.options.empty()) return ok_status();
    const Place options(at, "options");
    QUIPU_TRY_OK(check_text(input.options, limits::kFilterStringBytesMax, options));
    const Result<JsonDocument> json = JsonDocument::parse(input.options);
    if (json.ok() && json.value().root().is_object()) return ok_status();
    return options.error("is no JSON object", kInvalidQuery);
  }
};

// ---------------------------------------------------------------- queries

Status check_recommend(const RecommendQuery& query, const Place& at) {
  const bool average = query.strategy == RecommendStrategy::kAverageVector;
  if (query.positive.empty() && query.negative.empty()) {
    return at.error("needs at least one positive or negative example", kInvalidQuery);
  }
  if (!average || !query.positive.empty()) return ok_status();
  return Place(at, "positive")
      .error("is empty; average_vector needs at least one positive example", kInvalidQuery);
}

Status check_feedback(const FeedbackQuery& query, const Place& at) {
  const Place feedback(at, "feedback");
  if (query.feedback.empty()) {
    return feedback.error("is empty; feedback is about at least one example", kInvalidQuery);
  }
  if (query.feedback.size() > limits::kFeedbackMax) {
    return feedback.error(
        format("has {} examples, the limit is {}", query.feedback.size(), limits::kFeedbackMax),
        kQueryTooLarge);
  }
  for (std::size_t i = 0; i < query.feedback.size(); ++i) {
    const Place item(feedback, i);
    QUIPU_TRY_OK(check_number(query.feedback[i].score, Place(item, "score")));
  }
  const Place strategy(at, "strategy");
  const Place naive(strategy, "naive");
  QUIPU_TRY_OK(check_number(query.a, Place(naive, "a")));
  QUIPU_TRY_OK(check_not_negative(query.b, Place(naive, "b")));
  return check_number(query.c, Place(naive, "c"));
}

std::string_view fusion_name(FusionKind kind) {
  switch (kind) {
    case FusionKind::kRrf: return "rrf";
    case FusionKind::kDbsf: return "dbsf";
    case FusionKind::kWeighted: return "weighted";
  }
  return "fusion";
}

Status check_fusion(const FusionQuery& query, const Place& at) {
  if (query.kind == FusionKind::kRrf && !(query.k >= 1 && std::isfinite(query.k))) {
    return Place(at, "k").error(format("{} is no number of at least 1", query.k), kInvalidQuery);
  }
  const Place weights(at, "weights");
  for (std::size_t i = 0; i < query.weights.size(); ++i) {
    QUIPU_TRY_OK(check_number(query.weights[i], Place(weights, i)));
  }
  return ok_status();
}

// `at` is the place of "query".
struct ValuesCheck {
  const Place& at;

  Status operator()(const NearestQuery& query) const {
    if (!query.mmr.has_value()) return ok_status();
    const Place mmr(at, "mmr");
    QUIPU_TRY_OK(check_within(query.mmr->diversity, 0, 1, Place(mmr, "diversity")));
    if (query.mmr->candidates <= limits::kMmrCandidatesMax) return ok_status();
    return Place(mmr, "candidates_limit")
        .error(format("is {}, the limit is {}", query.mmr->candidates, limits::kMmrCandidatesMax),
               kQueryTooLarge);
  }
  Status operator()(const RecommendQuery& query) const {
    return check_recommend(query, Place(at, "recommend"));
  }
  Status operator()(const DiscoverQuery&) const { return ok_status(); }
  Status operator()(const ContextQuery& query) const {
    if (!query.context.empty()) return ok_status();
    return Place(at, "context").error("is empty; it has at least one pair", kInvalidQuery);
  }
  Status operator()(const OrderByQuery& query) const {
    return check_order_by(query, Place(at, "order_by"));
  }
  Status operator()(const FusionQuery& query) const {
    return check_fusion(query, Place(at, fusion_name(query.kind)));
  }
  Status operator()(const FormulaQuery& query) const { return check_formula(query, at); }
  Status operator()(const SampleQuery&) const { return ok_status(); }
  Status operator()(const RerankQuery& query) const {
    const Place rerank(at, "rerank");
    QUIPU_TRY_OK(check_text(query.text, limits::kTextBytesMax, Place(rerank, "text")));
    if (query.text.empty()) return Place(rerank, "text").error("is empty", kInvalidQuery);
    QUIPU_TRY_OK(check_name(query.model, Place(rerank, "model")));
    if (query.model.empty()) return Place(rerank, "model").error("is empty", kInvalidQuery);
    if (query.key.empty()) return ok_status();
    const Result<PayloadPath> path = PayloadPath::parse(query.key);
    if (path.ok()) return ok_status();
    return Place(rerank, "key").error(path.error().message, kInvalidQuery);
  }
  Status operator()(const FeedbackQuery& query) const {
    return check_feedback(query, Place(at, "relevance_feedback"));
  }
  Status operator()(const WordsQuery& query) const {
    const Place text(at, "text");
    QUIPU_TRY_OK(check_text(query.text, limits::kTextBytesMax, text));
    const Place scoring(text, "scoring");
    const Place bm25(scoring, "bm25");
    QUIPU_TRY_OK(check_not_negative(query.k1, Place(bm25, "k")));
    return check_within(query.b, 0, 1, Place(bm25, "b"));
  }
};

// Checks the inputs of a query, each at the place that it has in JSON.
struct InputsCheck {
  QueryBudget& budget;
  const Place& at;

  Status operator()(const NearestQuery& query) const {
    return check_input(query.input, budget, Place(at, "nearest"));
  }
  Status operator()(const RecommendQuery& query) const {
    const Place recommend(at, "recommend");
    QUIPU_TRY_OK(list(query.positive, Place(recommend, "positive")));
    return list(query.negative, Place(recommend, "negative"));
  }
  Status operator()(const DiscoverQuery& query) const {
    const Place discover(at, "discover");
    QUIPU_TRY_OK(check_input(query.target, budget, Place(discover, "target")));
    return pairs(query.context, Place(discover, "context"));
  }
  Status operator()(const ContextQuery& query) const {
    return pairs(query.context, Place(at, "context"));
  }
  Status operator()(const FeedbackQuery& query) const {
    const Place feedback(at, "relevance_feedback");
    QUIPU_TRY_OK(check_input(query.target, budget, Place(feedback, "target")));
    const Place items(feedback, "feedback");
    for (std::size_t i = 0; i < query.feedback.size(); ++i) {
      const Place item(items, i);
      QUIPU_TRY_OK(check_input(query.feedback[i].example, budget, Place(item, "example")));
    }
    return ok_status();
  }
  template <typename Other>
  Status operator()(const Other&) const {
    return ok_status();
  }

  Status list(const std::vector<VectorInput>& inputs, const Place& place) const {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      QUIPU_TRY_OK(check_input(inputs[i], budget, Place(place, i)));
    }
    return ok_status();
  }
  Status pairs(const std::vector<ContextPair>& context, const Place& place) const {
    for (std::size_t i = 0; i < context.size(); ++i) {
      const Place pair(place, i);
      QUIPU_TRY_OK(check_input(context[i].positive, budget, Place(pair, "positive")));
      QUIPU_TRY_OK(check_input(context[i].negative, budget, Place(pair, "negative")));
    }
    return ok_status();
  }
};

// ---------------------------------------------------------------- stages

Status check_params(const StageParams& params, const Place& at) {
  if (params.ef > limits::kEfMax) {
    return Place(at, "hnsw_ef")
        .error(format("is {}, the limit is {}", params.ef, limits::kEfMax), kQueryTooLarge);
  }
  const std::optional<double> oversampling = params.quantization.oversampling;
  if (oversampling.has_value() && !(*oversampling >= 1 && std::isfinite(*oversampling))) {
    const Place quantization(at, "quantization");
    return Place(quantization, "oversampling")
        .error(format("{} is no number of at least 1", *oversampling), kInvalidQuery);
  }
  if (!params.idf_corpus.has_value()) return ok_status();
  const Place idf(at, "idf");
  return check_filter(*params.idf_corpus, Place(idf, "corpus").text());
}

Status check_prefetches(const QueryStage& stage, const Place& at) {
  const auto* const fusion =
      stage.query.has_value() ? std::get_if<FusionQuery>(&*stage.query) : nullptr;
  if (!stage.query.has_value()) {
    if (stage.prefetch.empty()) return ok_status();
    return at.error("has prefetches but no query, which says how to rank what they find",
                    kInvalidQuery);
  }
  const Place query(at, "query");
  const bool formula = std::holds_alternative<FormulaQuery>(*stage.query);
  const bool rerank = std::holds_alternative<RerankQuery>(*stage.query);
  const std::string_view kind_name = formula ? "formula" : rerank ? "rerank" : "fusion";
  if (stage.prefetch.empty() && (fusion != nullptr || formula || rerank)) {
    return query.error(format("a {} needs prefetches, it ranks what they find", kind_name),
                       kInvalidQuery);
  }
  if (fusion == nullptr && !rerank) return ok_status();
  if (!stage.using_name.empty()) {
    return Place(at, "using")
        .error(format("cannot be with a {}, which looks at no vector", kind_name), kInvalidQuery);
  }
  if (fusion == nullptr) return ok_status();
  if (fusion->weights.empty() || fusion->weights.size() == stage.prefetch.size()) {
    return ok_status();
  }
  const Place kind(query, fusion_name(fusion->kind));
  return Place(kind, "weights")
      .error(
          format("has {} weights for {} prefetches", fusion->weights.size(), stage.prefetch.size()),
          kInvalidQuery);
}

// Whether the query's input leaves it open what is asked.
Status check_threshold(const QueryStage& stage, const Place& at) {
  if (!stage.score_threshold.has_value()) return ok_status();
  const Place threshold(at, "score_threshold");
  if (!std::isfinite(*stage.score_threshold)) {
    return threshold.error(format("{} is no finite number", *stage.score_threshold), kInvalidQuery);
  }
  if (!stage.query.has_value()) {
    return threshold.error("needs a query, which gives the scores", kInvalidQuery);
  }
  if (!std::holds_alternative<OrderByQuery>(*stage.query)) return ok_status();
  return threshold.error("cannot be with order_by, which gives no scores", kInvalidQuery);
}

// Recursion is bounded by count_stage().
Status check_stage(const QueryStage& stage, std::size_t depth, QueryBudget& budget,
                   const Place& at) {
  QUIPU_TRY_OK(count_stage(depth, budget, at));
  QUIPU_TRY_OK(check_stage_members(stage, at));
  if (stage.filter.has_value()) {
    QUIPU_TRY_OK(check_filter(*stage.filter, Place(at, "filter").text()));
  }
  QUIPU_TRY_OK(check_params(stage.params, Place(at, "params")));
  if (stage.query.has_value()) {
    const Place query(at, "query");
    QUIPU_TRY_OK(check_query_values(*stage.query, query));
    QUIPU_TRY_OK(std::visit(InputsCheck{budget, query}, *stage.query));
  }
  const Place prefetch(at, "prefetch");
  for (std::size_t i = 0; i < stage.prefetch.size(); ++i) {
    QUIPU_TRY_OK(check_stage(stage.prefetch[i], depth + 1, budget, Place(prefetch, i)));
  }
  return ok_status();
}

}  // namespace

Status count_stage(std::size_t depth, QueryBudget& budget, const Place& at) {
  if (depth > limits::kQueryDepthMax) {
    return at.error(
        format("prefetches are nested deeper than the limit of {} stages", limits::kQueryDepthMax),
        kQueryTooLarge);
  }
  if (++budget.stages <= limits::kQueryStagesMax) return ok_status();
  return at.error(format("the query has more than the limit of {} stages", limits::kQueryStagesMax),
                  kQueryTooLarge);
}

Status count_vector(QueryBudget& budget, const Place& at) {
  if (++budget.vectors <= limits::kQueryVectorsMax) return ok_status();
  return at.error(format("the query has more than the limit of {} vectors, ids and texts",
                         limits::kQueryVectorsMax),
                  kQueryTooLarge);
}

Status count_numbers(std::size_t count, QueryBudget& budget, const Place& at) {
  budget.numbers += count;
  if (budget.numbers <= limits::kQueryNumbersMax) return ok_status();
  return at.error(format("brings the numbers in the query's vectors to {}, the limit is {}",
                         budget.numbers, limits::kQueryNumbersMax),
                  kQueryTooLarge);
}

Status check_input(const VectorInput& input, QueryBudget& budget, const Place& at) {
  QUIPU_TRY_OK(count_vector(budget, at));
  return std::visit(InputCheck{budget, at}, input);
}

Status check_query_values(const StageQuery& query, const Place& at) {
  return std::visit(ValuesCheck{at}, query);
}

Status check_stage_members(const QueryStage& stage, const Place& at) {
  QUIPU_TRY_OK(check_name(stage.using_name, Place(at, "using")));
  QUIPU_TRY_OK(check_prefetches(stage, at));
  QUIPU_TRY_OK(check_threshold(stage, at));
  if (stage.limit < 1 || stage.limit > limits::kSearchHitsMax) {
    return Place(at, "limit")
        .error(format("is {}, it must be 1 to {}", stage.limit, limits::kSearchHitsMax),
               kInvalidQuery);
  }
  if (stage.query.has_value() && std::holds_alternative<WordsQuery>(*stage.query) &&
      stage.using_name.empty()) {
    return Place(at, "using")
        .error("is missing; it names what a text query looks at", kInvalidQuery);
  }
  if (!stage.lookup_from.has_value()) return ok_status();
  const Place lookup(at, "lookup_from");
  if (stage.lookup_from->collection.empty()) {
    return Place(lookup, "collection").error("is empty", kInvalidQuery);
  }
  QUIPU_TRY_OK(check_name(stage.lookup_from->collection, Place(lookup, "collection")));
  return check_name(stage.lookup_from->vector_name, Place(lookup, "vector"));
}

Status check_json_depth(const QueryStage& query, const Place& at) {
  const std::size_t depth = json_depth(query);
  if (depth <= limits::kJsonDepthMax) return ok_status();
  return at.error(
      format("the query's stages, filters and formulas are together nested {} deep, the "
             "limit is {}",
             depth, limits::kJsonDepthMax),
      kQueryTooLarge);
}

Status check_query(const QueryStage& query, std::string_view field) {
  const Place at(field);
  QueryBudget budget;
  QUIPU_TRY_OK(check_stage(query, 1, budget, at));
  return check_json_depth(query, at);
}

}  // namespace quipu::query
