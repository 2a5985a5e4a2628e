#include "quipu/api/qdrant/grpc/queries.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "quipu/api/qdrant/grpc/filters.h"
#include "quipu/api/qdrant/grpc/formulas.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_check.h"

namespace quipu::api::qdrant::rpc {
namespace {

// Whether an answer has payloads where the request does not say: Qdrant's has none.
constexpr bool kPayloadDefault = false;
// Of an rrf that does not say another.
constexpr double kRrfDefault = 2;

// ---------------------------------------------------------------- inputs

// In the order of the dimensions; the check of the query finds what is there twice.
Result<VectorInput> sparse_of(const google::protobuf::RepeatedField<std::uint32_t>& indices,
                              const google::protobuf::RepeatedField<float>& values,
                              const Place& at) {
  if (indices.size() != values.size()) {
    return at.error(format("has {} indices but {} values", indices.size(), values.size()),
                    query::kInvalidQuery);
  }
  std::vector<int> order(static_cast<std::size_t>(indices.size()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&indices](int i) { return indices[i]; });
  SparseValues sparse;
  sparse.indices.reserve(order.size());
  sparse.values.reserve(order.size());
  for (const int i : order) {
    sparse.indices.push_back(indices[i]);
    sparse.values.push_back(values[i]);
  }
  return VectorInput(std::move(sparse));
}

Result<VectorInput> rows_of(const pb::MultiDenseVector& rows, const Place& at) {
  MultiValues multi;
  const int dim = rows.vectors_size() == 0 ? 0 : rows.vectors(0).data_size();
  for (const pb::DenseVector& row : rows.vectors()) {
    if (row.data_size() != dim || dim == 0) {
      return Place(at, multi.rows)
          .error(dim == 0 ? std::string("is empty; a row has at least one number")
                          : format("has {} numbers, the rows before have {}", row.data_size(), dim),
                 query::kInvalidQuery);
    }
    multi.values.insert(multi.values.end(), row.data().begin(), row.data().end());
    ++multi.rows;
  }
  return VectorInput(std::move(multi));
}

Result<VectorInput> text_of(const pb::Document& document, const Place& at) {
  TextInput text{.text = document.text(), .model = document.model(), .options = ""};
  if (!document.options().empty()) {
    QUIPU_TRY(text.options, json_of(document.options(), Place(at, "options")));
  }
  return VectorInput(std::move(text));
}

Error only_texts(std::string_view kind, const Place& at) {
  Error error =
      at.error(format("an {} cannot be embedded, only a text can", kind), "unimplemented_input");
  error.code = ErrorCode::kUnimplemented;
  return error;
}

Error no_input(const Place& at) {
  return at.error("is missing: an input has an id, a vector or a document", query::kInvalidQuery);
}

Result<VectorInput> input_of(const pb::VectorInput& from, const Place& at) {
  switch (from.variant_case()) {
    case pb::VectorInput::kId: {
      QUIPU_TRY(const PointId id, read_id(from.id(), at));
      return VectorInput(id);
    }
    case pb::VectorInput::kDense: return VectorInput(floats(from.dense().data()));
    case pb::VectorInput::kSparse:
      return sparse_of(from.sparse().indices(), from.sparse().values(), at);
    case pb::VectorInput::kMultiDense: return rows_of(from.multi_dense(), at);
    case pb::VectorInput::kDocument: return text_of(from.document(), at);
    case pb::VectorInput::kImage: return only_texts("image", at);
    case pb::VectorInput::kObject: return only_texts("object", at);
    case pb::VectorInput::VARIANT_NOT_SET: break;
  }
  return no_input(at);
}

// Older clients still send what Qdrant's definitions call deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
// The vectors of older requests.
Result<VectorInput> input_of(const pb::Vector& from, const Place& at) {
  switch (from.vector_case()) {
    case pb::Vector::kDense: return VectorInput(floats(from.dense().data()));
    case pb::Vector::kSparse: return sparse_of(from.sparse().indices(), from.sparse().values(), at);
    case pb::Vector::kMultiDense: return rows_of(from.multi_dense(), at);
    case pb::Vector::kDocument: return text_of(from.document(), at);
    case pb::Vector::kImage: return only_texts("image", at);
    case pb::Vector::kObject: return only_texts("object", at);
    case pb::Vector::VECTOR_NOT_SET: break;
  }
  if (from.has_indices()) return sparse_of(from.indices().data(), from.data(), at);
  return VectorInput(floats(from.data()));
}
#pragma GCC diagnostic pop

Result<VectorInput> input_of(const pb::VectorExample& from, const Place& at) {
  if (from.has_vector()) return input_of(from.vector(), at);
  if (!from.has_id()) return no_input(at);
  QUIPU_TRY(const PointId id, read_id(from.id(), at));
  return VectorInput(id);
}

Result<VectorInput> input_of(const pb::PointId& from, const Place& at) {
  QUIPU_TRY(const PointId id, read_id(from, at));
  return VectorInput(id);
}

template <typename From>
Status add_inputs(const google::protobuf::RepeatedPtrField<From>& from, const Place& at,
                  std::vector<VectorInput>& to) {
  for (const From& each : from) {
    QUIPU_TRY(VectorInput input, input_of(each, Place(at, to.size())));
    to.push_back(std::move(input));
  }
  return ok_status();
}

template <typename From>
Status read_pairs(const google::protobuf::RepeatedPtrField<From>& from, const Place& at,
                  std::vector<ContextPair>& to) {
  for (const From& each : from) {
    const Place place(at, to.size());
    ContextPair pair;
    QUIPU_TRY(pair.positive, input_of(each.positive(), Place(place, "positive")));
    QUIPU_TRY(pair.negative, input_of(each.negative(), Place(place, "negative")));
    to.push_back(std::move(pair));
  }
  return ok_status();
}

// ---------------------------------------------------------------- queries

Result<RecommendStrategy> strategy_of(pb::RecommendStrategy strategy, const Place& at) {
  switch (strategy) {
    case pb::AverageVector: return RecommendStrategy::kAverageVector;
    case pb::BestScore: return RecommendStrategy::kBestScore;
    case pb::SumScores: return RecommendStrategy::kSumScores;
    default: break;
  }
  return Place(at, "strategy")
      .error(format("{} is no strategy", static_cast<int>(strategy)), query::kInvalidQuery);
}

Result<StageQuery> recommend_of(const pb::RecommendInput& from, const Place& at) {
  RecommendQuery query;
  QUIPU_TRY_OK(add_inputs(from.positive(), Place(at, "positive"), query.positive));
  QUIPU_TRY_OK(add_inputs(from.negative(), Place(at, "negative"), query.negative));
  if (from.has_strategy()) {
    QUIPU_TRY(query.strategy, strategy_of(from.strategy(), at));
  }
  return StageQuery(std::move(query));
}

Result<StageQuery> feedback_of(const pb::RelevanceFeedbackInput& from, const Place& at) {
  FeedbackQuery query;
  QUIPU_TRY(query.target, input_of(from.target(), Place(at, "target")));
  for (const pb::FeedbackItem& item : from.feedback()) {
    const Place list_at(at, "feedback");
    const Place place(list_at, query.feedback.size());
    Feedback one;
    QUIPU_TRY(one.example, input_of(item.example(), Place(place, "example")));
    one.score = double{item.score()};
    query.feedback.push_back(std::move(one));
  }
  if (!from.strategy().has_naive()) {
    return Place(at, "strategy").error("is missing: it has naive", query::kInvalidQuery);
  }
  const pb::NaiveFeedbackStrategy& naive = from.strategy().naive();
  query.a = double{naive.a()};
  query.b = double{naive.b()};
  query.c = double{naive.c()};
  return StageQuery(std::move(query));
}

Result<StageQuery> nearest_with_mmr(const pb::NearestInputWithMmr& from, const Place& at) {
  NearestQuery query;
  QUIPU_TRY(query.input, input_of(from.nearest(), Place(at, "nearest")));
  if (!from.has_mmr()) return StageQuery(std::move(query));
  Mmr& mmr = query.mmr.emplace();
  if (from.mmr().has_diversity()) mmr.diversity = double{from.mmr().diversity()};
  if (from.mmr().has_candidates_limit()) {
    // Absent means as many as the limit, but 0 said is a mistake.
    if (from.mmr().candidates_limit() == 0) {
      const Place mmr_at(at, "mmr");
      return Place(mmr_at, "candidates_limit").error("0 is less than 1", query::kInvalidQuery);
    }
    mmr.candidates = from.mmr().candidates_limit();
  }
  return StageQuery(std::move(query));
}

Result<StageQuery> fusion_of(pb::Fusion fusion, const Place& at) {
  if (fusion == pb::RRF) return StageQuery(FusionQuery{.kind = FusionKind::kRrf, .k = kRrfDefault});
  if (fusion == pb::DBSF) return StageQuery(FusionQuery{.kind = FusionKind::kDbsf});
  return at.error(format("{} is no fusion", static_cast<int>(fusion)), query::kInvalidQuery);
}

StageQuery rrf_of(const pb::Rrf& from) {
  FusionQuery query{.kind = FusionKind::kRrf, .k = kRrfDefault};
  if (from.has_k()) query.k = from.k();
  query.weights.assign(from.weights().begin(), from.weights().end());
  return query;
}

StageQuery words_of(const pb::TextQuery& from) {
  WordsQuery query{.text = from.query()};
  if (from.has_bm25() && from.bm25().has_k()) query.k1 = double{from.bm25().k()};
  if (from.has_bm25() && from.bm25().has_b()) query.b = double{from.bm25().b()};
  return query;
}

Result<StageQuery> discover_of(const pb::DiscoverInput& from, const Place& at) {
  DiscoverQuery query;
  QUIPU_TRY(query.target, input_of(from.target(), Place(at, "target")));
  QUIPU_TRY_OK(read_pairs(from.context().pairs(), Place(at, "context"), query.context));
  return StageQuery(std::move(query));
}

Result<StageQuery> query_of(const pb::Query& from, const Place& at) {
  switch (from.variant_case()) {
    case pb::Query::kNearest: {
      QUIPU_TRY(VectorInput input, input_of(from.nearest(), Place(at, "nearest")));
      return StageQuery(NearestQuery{.input = std::move(input)});
    }
    case pb::Query::kNearestWithMmr: return nearest_with_mmr(from.nearest_with_mmr(), at);
    case pb::Query::kRecommend: return recommend_of(from.recommend(), Place(at, "recommend"));
    case pb::Query::kDiscover: return discover_of(from.discover(), Place(at, "discover"));
    case pb::Query::kContext: {
      ContextQuery query;
      QUIPU_TRY_OK(read_pairs(from.context().pairs(), Place(at, "context"), query.context));
      return StageQuery(std::move(query));
    }
    case pb::Query::kOrderBy: {
      QUIPU_TRY(OrderByQuery query, read_order_by(from.order_by(), Place(at, "order_by")));
      return StageQuery(std::move(query));
    }
    case pb::Query::kFusion: return fusion_of(from.fusion(), Place(at, "fusion"));
    case pb::Query::kRrf: return rrf_of(from.rrf());
    case pb::Query::kSample:
      if (from.sample() == pb::Random) return StageQuery(SampleQuery{});
      return Place(at, "sample")
          .error(format("{} is no sample", static_cast<int>(from.sample())), query::kInvalidQuery);
    case pb::Query::kFormula: {
      QUIPU_TRY(FormulaQuery query, read_formula(from.formula(), at));
      return StageQuery(std::move(query));
    }
    case pb::Query::kRelevanceFeedback:
      return feedback_of(from.relevance_feedback(), Place(at, "relevance_feedback"));
    case pb::Query::kText: return words_of(from.text());
    case pb::Query::VARIANT_NOT_SET: break;
  }
  return at.error("has no query: none of its variants is set", query::kInvalidQuery);
}

// ---------------------------------------------------------------- stages

Status read_quantization(const pb::QuantizationSearchParams& from, const Place& at,
                         QuantizationParams& to) {
  if (from.has_ignore()) to.ignore = from.ignore();
  if (from.has_rescore()) to.rescore = from.rescore();
  if (!from.has_oversampling()) return ok_status();
  to.oversampling = from.oversampling();
  if (from.oversampling() >= 1) return ok_status();
  return Place(at, "oversampling")
      .error(format("{} is less than 1", from.oversampling()), query::kInvalidQuery);
}

// indexed_only and acorn change no answer here: the first says that points not yet in the index may
// be left out, and they never need be; the second is a hint for a filtered search that chooses by
// itself.
Status read_params(const pb::SearchParams& from, const Place& at, StageParams& to) {
  if (from.has_hnsw_ef()) {
    if (from.hnsw_ef() < 1 || from.hnsw_ef() > limits::kEfMax) {
      return Place(at, "hnsw_ef")
          .error(format("{} is not within 1 to {}", from.hnsw_ef(), limits::kEfMax),
                 query::kInvalidQuery);
    }
    to.ef = static_cast<std::uint32_t>(from.hnsw_ef());
  }
  if (from.has_exact()) to.exact = from.exact();
  if (from.has_quantization()) {
    QUIPU_TRY_OK(
        read_quantization(from.quantization(), Place(at, "quantization"), to.quantization));
  }
  if (from.has_idf() && from.idf().has_corpus()) {
    const Place idf_at(at, "idf");
    QUIPU_TRY(to.idf_corpus, read_filter(from.idf().corpus(), Place(idf_at, "corpus")));
  }
  const double share = from.acorn().max_selectivity();
  if (share >= 0 && share <= 1) return ok_status();
  const Place acorn_at(at, "acorn");
  return Place(acorn_at, "max_selectivity")
      .error(format("{} is not within 0 to 1", share), query::kInvalidQuery);
}

Status set_limit(std::uint64_t limit, const Place& at, QueryStage& stage) {
  stage.limit = limit;
  if (limit >= 1 && limit <= limits::kSearchHitsMax) return ok_status();
  return Place(at, "limit")
      .error(format("{} is not within 1 to {}", limit, limits::kSearchHitsMax),
             query::kInvalidQuery);
}

// Members that all requests have.
template <typename From>
Status read_filtered(const From& from, const Place& at, QueryStage& stage) {
  if (from.has_filter()) {
    QUIPU_TRY(stage.filter, read_filter(from.filter(), Place(at, "filter")));
  }
  if (from.has_params())
    QUIPU_TRY_OK(read_params(from.params(), Place(at, "params"), stage.params));
  return ok_status();
}

// Members of those that name a vector, and look others up.
template <typename From>
Status read_named(const From& from, const Place& at, QueryStage& stage) {
  QUIPU_TRY_OK(read_filtered(from, at, stage));
  if (from.has_using_()) stage.using_name = from.using_();
  if (!from.has_lookup_from()) return ok_status();
  const pb::LookupLocation& lookup = from.lookup_from();
  const Place lookup_at(at, "lookup_from");
  QUIPU_TRY_OK(refuse_shard_keys(lookup.shard_key_selector(), lookup_at));
  // The other collection's vector is of the same name unless it says another.
  stage.lookup_from =
      LookupFrom{.collection = lookup.collection_name(),
                 .vector_name = lookup.has_vector_name() ? lookup.vector_name() : stage.using_name};
  return ok_status();
}

template <typename From>
Status read_stage(const From& from, const Place& at, std::size_t depth, QueryStage& stage);

Status read_prefetches(const google::protobuf::RepeatedPtrField<pb::PrefetchQuery>& from,
                       const Place& at, std::size_t depth, QueryStage& stage) {
  if (depth > limits::kQueryDepthMax) {
    return at.error(format("is deeper than the limit of {}", limits::kQueryDepthMax),
                    query::kQueryTooLarge);
  }
  for (const pb::PrefetchQuery& each : from) {
    const Place place(at, stage.prefetch.size());
    QueryStage inner;
    QUIPU_TRY_OK(read_stage(each, place, depth, inner));
    stage.prefetch.push_back(std::move(inner));
  }
  return ok_status();
}

// A stage of the query API: all but its answer's members.
template <typename From>
Status read_stage(const From& from, const Place& at, std::size_t depth, QueryStage& stage) {
  if (!from.prefetch().empty()) {
    QUIPU_TRY_OK(read_prefetches(from.prefetch(), Place(at, "prefetch"), depth + 1, stage));
  }
  if (from.has_query()) {
    QUIPU_TRY(stage.query, query_of(from.query(), Place(at, "query")));
  }
  QUIPU_TRY_OK(read_named(from, at, stage));
  if (from.has_score_threshold()) stage.score_threshold = from.score_threshold();
  if (from.has_limit()) QUIPU_TRY_OK(set_limit(from.limit(), at, stage));
  return ok_status();
}

// ---------------------------------------------------------------- whole requests

// What is left to do when the stage is read.
template <typename From>
Result<Ranked> finish_ranked(const From& from, QueryStage stage, const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  QUIPU_TRY_OK(query::check_query(stage, at.text()));
  Ranked made;
  made.request.offset = from.offset();
  if (from.offset() > limits::kSearchHitsMax ||
      from.offset() + stage.limit > limits::kSearchHitsMax) {
    return Place(at, "offset")
        .error(format("{} and a limit of {} are together more than the limit of {}", from.offset(),
                      stage.limit, limits::kSearchHitsMax),
               query::kQueryTooLarge);
  }
  QUIPU_TRY(made.selection, selection_of(from, kPayloadDefault, at));
  made.request.root = std::move(stage);
  made.request.select = made.selection.select;
  return made;
}

template <typename From>
Result<Grouped> finish_grouped(const From& from, QueryStage stage, std::uint64_t group_size,
                               const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  QUIPU_TRY_OK(query::check_query(stage, at.text()));
  const auto path = query::PayloadPath::parse(from.group_by());
  if (!path.ok()) return Place(at, "group_by").error(path.error().message, query::kInvalidQuery);
  if (group_size < 1 || group_size > limits::kSearchHitsMax) {
    return Place(at, "group_size")
        .error(format("{} is not within 1 to {}", group_size, limits::kSearchHitsMax),
               query::kInvalidQuery);
  }
  Grouped made;
  QUIPU_TRY(made.selection, selection_of(from, kPayloadDefault, at));
  if (from.has_with_lookup()) {
    Lookup& lookup = made.lookup.emplace();
    lookup.collection = from.with_lookup().collection();
    QUIPU_TRY(lookup.selection, selection_of(from.with_lookup(), true, Place(at, "with_lookup")));
  }
  made.request.root = std::move(stage);
  made.request.group_by = from.group_by();
  made.request.group_size = group_size;
  made.request.select = made.selection.select;
  return made;
}

// The vector of a search: dense, or sparse where there are indices.
template <typename From>
Status read_search(const From& from, const Place& at, QueryStage& stage) {
  QUIPU_TRY_OK(read_filtered(from, at, stage));
  if (from.has_score_threshold()) stage.score_threshold = from.score_threshold();
  stage.using_name = from.vector_name();
  QUIPU_TRY_OK(set_limit(from.limit(), at, stage));
  NearestQuery query;
  if (from.has_sparse_indices()) {
    QUIPU_TRY(query.input,
              sparse_of(from.sparse_indices().data(), from.vector(), Place(at, "vector")));
  } else {
    query.input = floats(from.vector());
  }
  stage.query = std::move(query);
  return ok_status();
}

template <typename From>
Status read_recommend(const From& from, const Place& at, QueryStage& stage) {
  RecommendQuery query;
  QUIPU_TRY_OK(add_inputs(from.positive(), Place(at, "positive"), query.positive));
  QUIPU_TRY_OK(add_inputs(from.positive_vectors(), Place(at, "positive"), query.positive));
  QUIPU_TRY_OK(add_inputs(from.negative(), Place(at, "negative"), query.negative));
  QUIPU_TRY_OK(add_inputs(from.negative_vectors(), Place(at, "negative"), query.negative));
  if (from.has_strategy()) {
    QUIPU_TRY(query.strategy, strategy_of(from.strategy(), at));
  }
  stage.query = std::move(query);
  QUIPU_TRY_OK(read_named(from, at, stage));
  if (from.has_score_threshold()) stage.score_threshold = from.score_threshold();
  return set_limit(from.limit(), at, stage);
}

Status read_payload_selector(const pb::WithPayloadSelector& from, const Place& at,
                             Selection& into) {
  into.payload = true;
  into.select.payload = true;
  switch (from.selector_options_case()) {
    case pb::WithPayloadSelector::kEnable:
      into.payload = from.enable();
      into.select.payload = from.enable();
      return ok_status();
    case pb::WithPayloadSelector::kInclude:
      into.select.payload_include.assign(from.include().fields().begin(),
                                         from.include().fields().end());
      into.select.payload = !into.select.payload_include.empty();
      return ok_status();
    case pb::WithPayloadSelector::kExclude:
      into.select.payload_exclude.assign(from.exclude().fields().begin(),
                                         from.exclude().fields().end());
      return ok_status();
    case pb::WithPayloadSelector::SELECTOR_OPTIONS_NOT_SET: break;
  }
  return at.error("must have one of enable, include and exclude", query::kInvalidQuery);
}

Status read_vectors_selector(const pb::WithVectorsSelector& from, const Place& at,
                             Selection& into) {
  if (from.has_include()) {
    into.select.vector_names.assign(from.include().names().begin(), from.include().names().end());
    into.vectors = true;
    into.select.vectors = !into.select.vector_names.empty();
    return ok_status();
  }
  if (from.selector_options_case() != pb::WithVectorsSelector::kEnable) {
    return at.error("must have one of enable and include", query::kInvalidQuery);
  }
  into.vectors = from.enable();
  into.select.vectors = from.enable();
  return ok_status();
}

}  // namespace

Result<Selection> read_selection(const pb::WithPayloadSelector* payload,
                                 const pb::WithVectorsSelector* vectors, bool payload_default,
                                 const Place& at) {
  Selection selection;
  selection.select = {.payload = payload_default, .text = false, .vectors = false};
  selection.payload = payload_default;
  if (payload != nullptr) {
    QUIPU_TRY_OK(read_payload_selector(*payload, Place(at, "with_payload"), selection));
  }
  if (vectors != nullptr) {
    QUIPU_TRY_OK(read_vectors_selector(*vectors, Place(at, "with_vectors"), selection));
  }
  return selection;
}

Result<OrderByQuery> read_order_by(const pb::OrderBy& from, const Place& at) {
  OrderByQuery query{.key = from.key(), .descending = from.direction() == pb::Desc};
  if (!from.has_start_from()) return query;
  const pb::StartFrom& start = from.start_from();
  switch (start.value_case()) {
    case pb::StartFrom::kFloat: query.start_from = start.float_(); break;
    case pb::StartFrom::kInteger: query.start_from = static_cast<double>(start.integer()); break;
    case pb::StartFrom::kDatetime: query.start_from = start.datetime(); break;
    case pb::StartFrom::kTimestamp: {
      QUIPU_TRY(std::string text, time_text(start.timestamp(), Place(at, "start_from")));
      query.start_from = std::move(text);
      break;
    }
    case pb::StartFrom::VALUE_NOT_SET:
      return Place(at, "start_from").error("has no value", query::kInvalidQuery);
  }
  return query;
}

Result<Ranked> read_ranked(const pb::QueryPoints& from, const Place& at) {
  QueryStage stage;
  QUIPU_TRY_OK(read_stage(from, at, 1, stage));
  return finish_ranked(from, std::move(stage), at);
}

Result<Ranked> read_ranked(const pb::SearchPoints& from, const Place& at) {
  QueryStage stage;
  QUIPU_TRY_OK(read_search(from, at, stage));
  return finish_ranked(from, std::move(stage), at);
}

Result<Ranked> read_ranked(const pb::RecommendPoints& from, const Place& at) {
  QueryStage stage;
  QUIPU_TRY_OK(read_recommend(from, at, stage));
  return finish_ranked(from, std::move(stage), at);
}

Result<Ranked> read_ranked(const pb::DiscoverPoints& from, const Place& at) {
  QueryStage stage;
  std::vector<ContextPair> pairs;
  QUIPU_TRY_OK(read_pairs(from.context(), Place(at, "context"), pairs));
  if (from.target().has_single()) {
    DiscoverQuery query;
    QUIPU_TRY(query.target, input_of(from.target().single(), Place(at, "target")));
    query.context = std::move(pairs);
    stage.query = std::move(query);
  } else {
    if (pairs.empty()) {
      return at.error("needs a target, a context of at least one pair, or both",
                      query::kInvalidQuery);
    }
    stage.query = ContextQuery{std::move(pairs)};
  }
  QUIPU_TRY_OK(read_named(from, at, stage));
  QUIPU_TRY_OK(set_limit(from.limit(), at, stage));
  return finish_ranked(from, std::move(stage), at);
}

Result<Grouped> read_grouped(const pb::QueryPointGroups& from, const Place& at) {
  QueryStage stage;
  QUIPU_TRY_OK(read_stage(from, at, 1, stage));
  return finish_grouped(from, std::move(stage), from.has_group_size() ? from.group_size() : 3, at);
}

Result<Grouped> read_grouped(const pb::SearchPointGroups& from, const Place& at) {
  QueryStage stage;
  QUIPU_TRY_OK(read_search(from, at, stage));
  return finish_grouped(from, std::move(stage), from.group_size(), at);
}

Result<Grouped> read_grouped(const pb::RecommendPointGroups& from, const Place& at) {
  QueryStage stage;
  QUIPU_TRY_OK(read_recommend(from, at, stage));
  return finish_grouped(from, std::move(stage), from.group_size(), at);
}

}  // namespace quipu::api::qdrant::rpc
