#include "quipu/query/request/query_reader.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/nearest.h"
#include "quipu/base/quote.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_json.h"

namespace quipu::query {
namespace {

constexpr std::string_view kQueries[] = {
    "nearest", "recommend", "discover", "context", "order_by",           "fusion", "rrf", "formula",
    "sample",  "text",      "weighted", "dbsf",    "relevance_feedback", "rerank"};
// What tells that an object in a query's place is an input.
constexpr std::string_view kSparseMembers[] = {"indices", "values"};
constexpr std::string_view kPrefetchMembers[] = {
    "prefetch", "query", "using", "filter", "params", "score_threshold", "limit", "lookup_from"};
constexpr std::string_view kInputWanted =
    "a vector (a list of numbers, a list of such lists, or an object with indices and values), a "
    "point id, or an object with a text";

bool is_input(JsonView object) {
  return !present(object, kSparseMembers).empty() || member(object, "model").has_value() ||
         member(object, "image").has_value() || member(object, "object").has_value();
}

Status read_dense(JsonView json, QueryBudget& budget, const Place& at, std::vector<float>& into) {
  QUIPU_TRY_OK(count_numbers(json.size(), budget, at));
  const Status read = json.read_floats(into);
  if (read.ok()) return ok_status();
  return at.error(read.error().message, kInvalidQuery);
}

// Puts the weights in the order of their dimensions.
SparseValues sorted(SparseValues sparse) {
  if (std::is_sorted(sparse.indices.begin(), sparse.indices.end())) return sparse;
  std::vector<std::size_t> order(sparse.indices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&sparse](std::size_t a, std::size_t b) {
    return sparse.indices[a] < sparse.indices[b];
  });
  SparseValues result;
  for (const std::size_t i : order) {
    result.indices.push_back(sparse.indices[i]);
    result.values.push_back(sparse.values[i]);
  }
  return result;
}

Result<Mmr> read_mmr(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"diversity", "candidates_limit"};
  QUIPU_TRY_OK(check_object(json, "an object with diversity and candidates_limit", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  Mmr mmr;
  QUIPU_TRY_OK(read_optional(json, "diversity", at, mmr.diversity, read_number));
  const auto candidates = [](JsonView count, const Place& place) {
    return read_count(count, 1, limits::kMmrCandidatesMax, place);
  };
  QUIPU_TRY_OK(read_optional(json, "candidates_limit", at, mmr.candidates, candidates));
  return mmr;
}

Result<std::vector<double>> read_weights(JsonView json, const Place& at) {
  std::vector<double> weights;
  const auto read = [&weights](JsonView element, const Place& place) -> Status {
    // More would be more than there can be prefetches.
    if (weights.size() == limits::kQueryStagesMax) {
      return place.error(format("is one more than the limit of {}", limits::kQueryStagesMax),
                         kQueryTooLarge);
    }
    QUIPU_TRY(const double weight, read_number(element, place));
    weights.push_back(weight);
    return ok_status();
  };
  QUIPU_TRY_OK(read_elements(json, "a list of numbers", at, read));
  return weights;
}

// The parameters of a fusion: of "rrf" also k.
Result<StageQuery> read_fusion(FusionKind kind, JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"weights", "k"};
  const bool rrf = kind == FusionKind::kRrf;
  QUIPU_TRY_OK(
      check_object(json, rrf ? "an object with k and weights" : "an object with weights", at));
  QUIPU_TRY_OK(check_members(json, Names(kMembers, rrf ? 2 : 1), at));
  FusionQuery fusion{.kind = kind};
  if (rrf) {
    constexpr double kDefault = 2;  // as Qdrant
    fusion.k = kDefault;
    QUIPU_TRY_OK(read_optional(json, "k", at, fusion.k, read_number));
  }
  QUIPU_TRY_OK(read_optional(json, "weights", at, fusion.weights, read_weights));
  return StageQuery(std::move(fusion));
}

Result<StageQuery> read_fusion_name(JsonView json, const Place& at) {
  constexpr std::string_view kNames[] = {"rrf", "dbsf", "weighted"};
  QUIPU_TRY(const std::size_t kind, read_choice(json, kNames, at));
  if (kind == 0) return StageQuery(FusionQuery{.kind = FusionKind::kRrf, .k = 2});
  return StageQuery(FusionQuery{.kind = kind == 1 ? FusionKind::kDbsf : FusionKind::kWeighted});
}

Result<StageQuery> read_sample(JsonView json, const Place& at) {
  constexpr std::string_view kNames[] = {"random"};
  QUIPU_TRY_OK(read_choice(json, kNames, at));
  return StageQuery(SampleQuery{});
}

// {"text": "..."}, or {"text": {"query": "...", "scoring": {"bm25": {"k": 1.2, "b": 0.75}}}}.
Result<StageQuery> read_words(JsonView json, const Place& at) {
  WordsQuery words;
  if (json.is_string()) {
    QUIPU_TRY(words.text, read_string(json, at));
    return StageQuery(std::move(words));
  }
  constexpr std::string_view kMembers[] = {"query", "scoring"};
  constexpr std::string_view kScorings[] = {"bm25"};
  constexpr std::string_view kBm25[] = {"k", "b"};
  QUIPU_TRY_OK(check_object(json, "a text or an object with query and scoring", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  QUIPU_TRY(const JsonView text, required(json, "query", at));
  QUIPU_TRY(words.text, read_string(text, Place(at, "query")));
  const std::optional<JsonView> scoring = member(json, "scoring");
  if (!scoring.has_value()) return StageQuery(std::move(words));
  const Place scoring_at(at, "scoring");
  QUIPU_TRY_OK(check_object(*scoring, "an object with bm25", scoring_at));
  QUIPU_TRY_OK(check_members(*scoring, kScorings, scoring_at));
  QUIPU_TRY(const JsonView bm25, required(*scoring, "bm25", scoring_at));
  const Place bm25_at(scoring_at, "bm25");
  QUIPU_TRY_OK(check_object(bm25, "an object with k and b", bm25_at));
  QUIPU_TRY_OK(check_members(bm25, kBm25, bm25_at));
  QUIPU_TRY_OK(read_optional(bm25, "k", bm25_at, words.k1, read_number));
  QUIPU_TRY_OK(read_optional(bm25, "b", bm25_at, words.b, read_number));
  return StageQuery(std::move(words));
}

Result<StageQuery> read_rerank(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"text", "model", "key"};
  QUIPU_TRY_OK(check_object(json, "an object with text, model and key", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  RerankQuery query;
  QUIPU_TRY(const JsonView text, required(json, "text", at));
  QUIPU_TRY(query.text, read_string(text, Place(at, "text")));
  QUIPU_TRY(const JsonView model, required(json, "model", at));
  QUIPU_TRY(query.model, read_string(model, Place(at, "model")));
  QUIPU_TRY_OK(read_optional(json, "key", at, query.key, read_string));
  return StageQuery(std::move(query));
}

Result<std::string> read_name(JsonView json, const Place& at) { return read_string(json, at); }

}  // namespace

// ---------------------------------------------------------------- inputs

Result<VectorInput> QueryReader::input(JsonView json, const Place& at) {
  if (json.is_array()) {
    QUIPU_TRY_OK(count_vector(budget_, at));
    return list(json, at);
  }
  if (json.is_object()) {
    QUIPU_TRY_OK(count_vector(budget_, at));
    return object(json, at);
  }
  if (!json.is_number() && !json.is_string()) return expected(kInputWanted, json, at);
  QUIPU_TRY_OK(count_vector(budget_, at));
  QUIPU_TRY(const PointId id, read_point_id(json, at));
  return VectorInput(id);
}

Result<VectorInput> QueryReader::list(JsonView json, const Place& at) {
  bool rows = false;
  json.for_each_element([&rows](JsonView element) {
    rows = element.is_array();
    return false;
  });
  if (rows) return multivector(json, at);
  std::vector<float> dense;
  QUIPU_TRY_OK(read_dense(json, budget_, at, dense));
  QueryBudget of_its_own;
  QUIPU_TRY_OK(check_input(dense, of_its_own, at));
  return VectorInput(std::move(dense));
}

Result<VectorInput> QueryReader::multivector(JsonView json, const Place& at) {
  MultiValues multi;
  std::size_t dim = 0;
  std::vector<float> row;
  const auto read = [&](JsonView element, const Place& place) -> Status {
    if (!element.is_array()) {
      return expected("a list of numbers, as the rows before", element, place);
    }
    QUIPU_TRY_OK(read_dense(element, budget_, place, row));
    if (multi.rows == 0) dim = row.size();
    if (row.size() != dim || row.empty()) {
      return place.error(row.empty()
                             ? std::string("is empty; a row has at least one number")
                             : format("has {} numbers, the rows before have {}", row.size(), dim),
                         kInvalidQuery);
    }
    multi.values.insert(multi.values.end(), row.begin(), row.end());
    ++multi.rows;
    return ok_status();
  };
  QUIPU_TRY_OK(read_elements(json, "a list of rows", at, read));
  QueryBudget of_its_own;
  QUIPU_TRY_OK(check_input(multi, of_its_own, at));
  return VectorInput(std::move(multi));
}

Result<VectorInput> QueryReader::sparse(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_members(json, kSparseMembers, at));
  QUIPU_TRY(const JsonView indices, required(json, "indices", at));
  QUIPU_TRY(const JsonView values, required(json, "values", at));
  const Place indices_at(at, "indices");
  const Place values_at(at, "values");
  SparseValues result;
  QUIPU_TRY_OK(read_dense(values, budget_, values_at, result.values));
  const auto read = [&](JsonView element, const Place& place) -> Status {
    if (result.indices.size() == result.values.size()) {
      return place.error(format("is one more than there are values, {}", result.values.size()),
                         kInvalidQuery);
    }
    QUIPU_TRY(const std::uint64_t index,
              read_count(element, 0, std::numeric_limits<std::uint32_t>::max(), place));
    result.indices.push_back(static_cast<std::uint32_t>(index));
    return ok_status();
  };
  QUIPU_TRY_OK(read_elements(indices, "a list of integers", indices_at, read));
  if (result.indices.size() != result.values.size()) {
    return at.error(
        format("has {} indices but {} values", result.indices.size(), result.values.size()),
        kInvalidQuery);
  }
  result = sorted(std::move(result));
  const auto twice = std::adjacent_find(result.indices.begin(), result.indices.end());
  if (twice != result.indices.end()) {
    return indices_at.error(format("has {} twice; indices are distinct", *twice), kInvalidQuery);
  }
  return VectorInput(std::move(result));
}

Result<VectorInput> QueryReader::text(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"text", "model", "options"};
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  TextInput text;
  QUIPU_TRY(const JsonView content, required(json, "text", at));
  QUIPU_TRY(text.text, read_string(content, Place(at, "text")));
  QUIPU_TRY_OK(read_optional(json, "model", at, text.model, read_string));
  if (const std::optional<JsonView> options = member(json, "options")) {
    QUIPU_TRY_OK(check_object(*options, "an object", Place(at, "options")));
    text.options = options->to_string();
  }
  QueryBudget of_its_own;
  QUIPU_TRY_OK(check_input(text, of_its_own, at));
  return VectorInput(std::move(text));
}

Result<VectorInput> QueryReader::object(JsonView json, const Place& at) {
  if (!present(json, kSparseMembers).empty()) return sparse(json, at);
  if (member(json, "text").has_value()) return text(json, at);
  for (const std::string_view kind : {"image", "object"}) {
    if (!member(json, kind).has_value()) continue;
    Error error =
        at.error(format("an {} cannot be embedded, only a text can", kind), "unimplemented_input");
    error.code = ErrorCode::kUnimplemented;
    return error;
  }
  return expected(kInputWanted, json, at);
}

Result<std::vector<VectorInput>> QueryReader::inputs(JsonView object, std::string_view name,
                                                     const Place& at) {
  std::vector<VectorInput> result;
  const std::optional<JsonView> json = member(object, name);
  if (!json.has_value()) return result;
  const auto read = [&](JsonView element, const Place& place) -> Status {
    QUIPU_TRY(VectorInput one, input(element, place));
    result.push_back(std::move(one));
    return ok_status();
  };
  QUIPU_TRY_OK(read_elements(*json, "a list of vectors and ids", Place(at, name), read));
  return result;
}

// ---------------------------------------------------------------- queries

Result<RecommendQuery> QueryReader::recommend(JsonView object, const Place& at) {
  constexpr std::string_view kStrategies[] = {"average_vector", "best_score", "sum_scores"};
  constexpr RecommendStrategy kValues[] = {RecommendStrategy::kAverageVector,
                                           RecommendStrategy::kBestScore,
                                           RecommendStrategy::kSumScores};
  RecommendQuery query;
  QUIPU_TRY(query.positive, inputs(object, "positive", at));
  QUIPU_TRY(query.negative, inputs(object, "negative", at));
  std::size_t strategy = 0;
  const auto read = [&](JsonView name, const Place& place) {
    return read_choice(name, kStrategies, place);
  };
  QUIPU_TRY_OK(read_optional(object, "strategy", at, strategy, read));
  query.strategy = kValues[strategy];
  return query;
}

Result<std::vector<ContextPair>> QueryReader::context(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"positive", "negative"};
  std::vector<ContextPair> pairs;
  const auto read = [&](JsonView element, const Place& place) -> Status {
    QUIPU_TRY_OK(check_object(element, "an object with positive and negative", place));
    QUIPU_TRY_OK(check_members(element, kMembers, place));
    ContextPair pair;
    QUIPU_TRY(const JsonView positive, required(element, "positive", place));
    QUIPU_TRY(pair.positive, input(positive, Place(place, "positive")));
    QUIPU_TRY(const JsonView negative, required(element, "negative", place));
    QUIPU_TRY(pair.negative, input(negative, Place(place, "negative")));
    pairs.push_back(std::move(pair));
    return ok_status();
  };
  QUIPU_TRY_OK(read_one_or_many(json, "a pair or a list of pairs", at, read));
  return pairs;
}

Result<StageQuery> QueryReader::nearest(JsonView object, const Place& at) {
  NearestQuery query;
  QUIPU_TRY(const JsonView json, required(object, "nearest", at));
  QUIPU_TRY(query.input, input(json, Place(at, "nearest")));
  QUIPU_TRY_OK(read_optional(object, "mmr", at, query.mmr, read_mmr));
  return StageQuery(std::move(query));
}

Result<StageQuery> QueryReader::discover(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"target", "context"};
  QUIPU_TRY_OK(check_object(json, "an object with target and context", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  DiscoverQuery query;
  QUIPU_TRY(const JsonView target, required(json, "target", at));
  QUIPU_TRY(query.target, input(target, Place(at, "target")));
  const auto read = [this](JsonView pairs, const Place& place) { return context(pairs, place); };
  QUIPU_TRY_OK(read_optional(json, "context", at, query.context, read));
  return StageQuery(std::move(query));
}

Result<StageQuery> QueryReader::feedback(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"target", "feedback", "strategy"};
  constexpr std::string_view kItem[] = {"example", "score"};
  constexpr std::string_view kStrategies[] = {"naive"};
  constexpr std::string_view kNaive[] = {"a", "b", "c"};
  QUIPU_TRY_OK(check_object(json, "an object with target, feedback and strategy", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  FeedbackQuery query;
  QUIPU_TRY(const JsonView target, required(json, "target", at));
  QUIPU_TRY(query.target, input(target, Place(at, "target")));
  QUIPU_TRY(const JsonView items, required(json, "feedback", at));
  const auto read = [&](JsonView element, const Place& place) -> Status {
    QUIPU_TRY_OK(check_object(element, "an object with example and score", place));
    QUIPU_TRY_OK(check_members(element, kItem, place));
    Feedback item;
    QUIPU_TRY(const JsonView example, required(element, "example", place));
    QUIPU_TRY(item.example, input(example, Place(place, "example")));
    QUIPU_TRY(const JsonView score, required(element, "score", place));
    QUIPU_TRY(item.score, read_number(score, Place(place, "score")));
    query.feedback.push_back(std::move(item));
    return ok_status();
  };
  QUIPU_TRY_OK(read_elements(items, "a list of examples with scores", Place(at, "feedback"), read));
  const Place strategy_at(at, "strategy");
  QUIPU_TRY(const JsonView strategy, required(json, "strategy", at));
  QUIPU_TRY_OK(check_object(strategy, "an object with naive", strategy_at));
  QUIPU_TRY_OK(check_members(strategy, kStrategies, strategy_at));
  const Place naive_at(strategy_at, "naive");
  QUIPU_TRY(const JsonView naive, required(strategy, "naive", strategy_at));
  QUIPU_TRY_OK(check_object(naive, "an object with a, b and c", naive_at));
  QUIPU_TRY_OK(check_members(naive, kNaive, naive_at));
  double* const coefficients[] = {&query.a, &query.b, &query.c};
  for (std::size_t i = 0; i < 3; ++i) {
    QUIPU_TRY(const JsonView number, required(naive, kNaive[i], naive_at));
    QUIPU_TRY(*coefficients[i], read_number(number, Place(naive_at, kNaive[i])));
  }
  return StageQuery(std::move(query));
}

Result<StageQuery> QueryReader::named_query(std::string_view name, JsonView object,
                                            const Place& at) {
  const JsonView json = *member(object, name);
  const Place place(at, name);
  if (name == "nearest") return nearest(object, at);
  if (name == "discover") return discover(json, place);
  if (name == "relevance_feedback") return feedback(json, place);
  if (name == "fusion") return read_fusion_name(json, place);
  if (name == "rrf") return read_fusion(FusionKind::kRrf, json, place);
  if (name == "dbsf") return read_fusion(FusionKind::kDbsf, json, place);
  if (name == "weighted") return read_fusion(FusionKind::kWeighted, json, place);
  if (name == "sample") return read_sample(json, place);
  if (name == "text") return read_words(json, place);
  if (name == "rerank") return read_rerank(json, place);
  if (name == "recommend") {
    constexpr std::string_view kMembers[] = {"positive", "negative", "strategy"};
    QUIPU_TRY_OK(check_object(json, "an object with positive and negative", place));
    QUIPU_TRY_OK(check_members(json, kMembers, place));
    QUIPU_TRY(RecommendQuery query, recommend(json, place));
    return StageQuery(std::move(query));
  }
  if (name == "context") {
    QUIPU_TRY(std::vector<ContextPair> pairs, context(json, place));
    return StageQuery(ContextQuery{std::move(pairs)});
  }
  if (name == "order_by") {
    QUIPU_TRY(OrderByQuery query, read_order_by(json, place));
    return StageQuery(std::move(query));
  }
  QUIPU_TRY(FormulaQuery query, read_formula(object, at));
  return StageQuery(std::move(query));
}

Result<StageQuery> QueryReader::query(JsonView json, const Place& at) {
  if (!json.is_object() || is_input(json)) {
    QUIPU_TRY(VectorInput vector, input(json, at));
    return StageQuery(NearestQuery{.input = std::move(vector)});
  }
  const std::vector<std::string_view> found = present(json, kQueries);
  if (found.size() != 1) {
    if (!found.empty()) {
      return at.error(format("has {}; a query is of one kind", name_list(found)), kInvalidQuery);
    }
    QUIPU_TRY_OK(check_members(json, kQueries, at));
    return at.error(format("has no query; it needs one of {}", name_list(kQueries)), kInvalidQuery);
  }
  const std::string_view name = found.front();
  constexpr std::string_view kMmr[] = {"mmr"};
  constexpr std::string_view kDefaults[] = {"defaults"};
  const Names more = name == "nearest"   ? Names(kMmr)
                     : name == "formula" ? Names(kDefaults)
                                         : Names();
  QUIPU_TRY_OK(check_members(json, Names(&name, 1), at, more));
  QUIPU_TRY(StageQuery result, named_query(name, json, at));
  QUIPU_TRY_OK(check_query_values(result, at));
  return result;
}

// ---------------------------------------------------------------- stages

Status QueryReader::count_stage(std::size_t depth, const Place& at) {
  return query::count_stage(depth, budget_, at);
}

Result<LookupFrom> QueryReader::lookup_from(JsonView json, const Place& at,
                                            std::string_view using_name) const {
  constexpr std::string_view kMembers[] = {"collection", "vector"};
  constexpr std::string_view kShardKey[] = {"shard_key"};
  QUIPU_TRY_OK(check_object(json, "an object with collection and vector", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at, shard_keys_allowed_ ? Names(kShardKey) : Names()));
  // The other collection's vector is of the same name unless it says another.
  LookupFrom lookup{.vector_name = std::string(using_name)};
  QUIPU_TRY(const JsonView collection, required(json, "collection", at));
  QUIPU_TRY(lookup.collection, read_string(collection, Place(at, "collection")));
  QUIPU_TRY_OK(read_optional(json, "vector", at, lookup.vector_name, read_string));
  return lookup;
}

Status QueryReader::stage_members(JsonView object, const Place& at, QueryStage& stage) {
  const auto filter = [](JsonView json, const Place& place) {
    return parse_filter(json, place.text());
  };
  const auto limit = [](JsonView json, const Place& place) {
    return read_count(json, 1, limits::kSearchHitsMax, place);
  };
  QUIPU_TRY_OK(read_optional(object, "using", at, stage.using_name, read_name));
  QUIPU_TRY_OK(read_optional(object, "filter", at, stage.filter, filter));
  QUIPU_TRY_OK(read_optional(object, "params", at, stage.params, read_params));
  QUIPU_TRY_OK(read_optional(object, "score_threshold", at, stage.score_threshold, read_float));
  QUIPU_TRY_OK(read_optional(object, "limit", at, stage.limit, limit));
  const auto lookup = [&](JsonView json, const Place& place) {
    return lookup_from(json, place, stage.using_name);
  };
  return read_optional(object, "lookup_from", at, stage.lookup_from, lookup);
}

Status QueryReader::prefetch_and_query(JsonView object, const Place& at, std::size_t depth,
                                       QueryStage& stage) {
  if (const std::optional<JsonView> json = member(object, "prefetch")) {
    const auto read = [&](JsonView element, const Place& place) -> Status {
      QUIPU_TRY(QueryStage inner, prefetch(element, place, depth + 1));
      stage.prefetch.push_back(std::move(inner));
      return ok_status();
    };
    QUIPU_TRY_OK(
        read_one_or_many(*json, "a prefetch or a list of them", Place(at, "prefetch"), read));
  }
  const auto read = [this](JsonView json, const Place& place) { return query(json, place); };
  return read_optional(object, "query", at, stage.query, read);
}

Result<QueryStage> QueryReader::prefetch(JsonView json, const Place& at, std::size_t depth) {
  QUIPU_TRY_OK(check_object(json, "a prefetch (an object)", at));
  QUIPU_TRY_OK(count_stage(depth, at));
  QUIPU_TRY_OK(check_members(json, kPrefetchMembers, at));
  QueryStage stage;
  QUIPU_TRY_OK(prefetch_and_query(json, at, depth, stage));
  QUIPU_TRY_OK(stage_members(json, at, stage));
  QUIPU_TRY_OK(check_stage_members(stage, at));
  return stage;
}

// ---------------------------------------------------------------- parameters

namespace {

Result<QuantizationParams> read_quantization(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"ignore", "rescore", "oversampling"};
  QUIPU_TRY_OK(check_object(json, "an object with ignore, rescore and oversampling", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  QuantizationParams params;
  QUIPU_TRY_OK(read_optional(json, "ignore", at, params.ignore, read_bool));
  QUIPU_TRY_OK(read_optional(json, "rescore", at, params.rescore, read_bool));
  QUIPU_TRY_OK(read_optional(json, "oversampling", at, params.oversampling, read_number));
  if (params.oversampling.has_value() && *params.oversampling < 1) {
    return Place(at, "oversampling")
        .error(format("{} is less than 1", *params.oversampling), kInvalidQuery);
  }
  return params;
}

// A hint that changes no answer: this engine's filtered search chooses by itself. Checked only.
Result<bool> check_acorn(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"enable", "max_selectivity"};
  QUIPU_TRY_OK(check_object(json, "an object with enable and max_selectivity", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  bool enable = false;
  QUIPU_TRY_OK(read_optional(json, "enable", at, enable, read_bool));
  double share = 0;
  QUIPU_TRY_OK(read_optional(json, "max_selectivity", at, share, read_number));
  if (share >= 0 && share <= 1) return enable;
  return Place(at, "max_selectivity")
      .error(format("{} is not within 0 to 1", share), kInvalidQuery);
}

// "global", or {"corpus": filter}.
Result<std::optional<Filter>> read_idf(JsonView json, const Place& at) {
  constexpr std::string_view kScopes[] = {"global"};
  constexpr std::string_view kMembers[] = {"corpus"};
  if (json.is_string()) {
    QUIPU_TRY_OK(read_choice(json, kScopes, at));
    return std::optional<Filter>();
  }
  QUIPU_TRY_OK(check_object(json, "\"global\" or an object with corpus", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  QUIPU_TRY(const JsonView corpus, required(json, "corpus", at));
  QUIPU_TRY(Filter filter, parse_filter(corpus, Place(at, "corpus").text()));
  return std::optional<Filter>(std::move(filter));
}

}  // namespace

Result<StageParams> read_params(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"hnsw_ef",      "exact", "quantization",
                                           "indexed_only", "acorn", "idf"};
  QUIPU_TRY_OK(check_object(json, "an object with hnsw_ef, exact, ...", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  StageParams params;
  std::uint64_t ef = 0;
  const auto read_ef = [](JsonView count, const Place& place) {
    return read_count(count, 1, limits::kEfMax, place);
  };
  QUIPU_TRY_OK(read_optional(json, "hnsw_ef", at, ef, read_ef));
  params.ef = static_cast<std::uint32_t>(ef);
  QUIPU_TRY_OK(read_optional(json, "exact", at, params.exact, read_bool));
  QUIPU_TRY_OK(read_optional(json, "quantization", at, params.quantization, read_quantization));
  QUIPU_TRY_OK(read_optional(json, "idf", at, params.idf_corpus, read_idf));
  // Says that points not yet in the index may be left out: they need not be, and never are.
  bool ignored = false;
  QUIPU_TRY_OK(read_optional(json, "indexed_only", at, ignored, read_bool));
  QUIPU_TRY_OK(read_optional(json, "acorn", at, ignored, check_acorn));
  return params;
}

Result<OrderByQuery> read_order_by(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"key", "direction", "start_from"};
  constexpr std::string_view kDirections[] = {"asc", "desc"};
  OrderByQuery query;
  if (json.is_string()) {
    QUIPU_TRY(query.key, read_string(json, at));
    return query;
  }
  QUIPU_TRY_OK(check_object(json, "a payload key or an object with key", at));
  QUIPU_TRY_OK(check_members(json, kMembers, at));
  QUIPU_TRY(const JsonView key, required(json, "key", at));
  QUIPU_TRY(query.key, read_string(key, Place(at, "key")));
  std::size_t direction = 0;
  const auto read_direction = [&](JsonView name, const Place& place) {
    return read_choice(name, kDirections, place);
  };
  QUIPU_TRY_OK(read_optional(json, "direction", at, direction, read_direction));
  query.descending = direction == 1;
  const auto start = [](JsonView value,
                        const Place& place) -> Result<std::variant<double, std::string>> {
    if (value.is_number()) return std::variant<double, std::string>(*value.as_double());
    if (!value.is_string()) return expected("a number or a datetime", value, place);
    return std::variant<double, std::string>(std::string(*value.as_string()));
  };
  QUIPU_TRY_OK(read_optional(json, "start_from", at, query.start_from, start));
  return query;
}

}  // namespace quipu::query
