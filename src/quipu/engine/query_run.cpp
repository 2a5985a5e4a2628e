#include "quipu/engine/query_run.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/rng.h"
#include "quipu/query/rank/examples.h"
#include "quipu/query/rank/formula.h"
#include "quipu/query/rank/fusion.h"
#include "quipu/query/rank/mmr.h"
#include "quipu/query/rank/similarity.h"
#include "quipu/query/request/query_check.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

// A query that finds its collection to be another one this often is given up.
constexpr int kPrepareTriesMax = 4;

Error invalid_query(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), "invalid_query"};
}

bool worse(float score, float threshold, bool smaller_is_better) {
  return smaller_is_better ? score > threshold : score < threshold;
}

bool same_vectors(const Collection& a, const Collection& b) {
  if (a.record.id != b.record.id) return false;
  return std::ranges::equal(a.record.config.vectors, b.record.config.vectors,
                            [](const VectorConfig& one, const VectorConfig& other) {
                              return one.id == other.id && one.name == other.name;
                            });
}

// Points of a query's tree that the answer leaves out.
std::unordered_set<PointId> own_points(const QueryStage& stage) {
  std::unordered_set<PointId> ids;
  if (!stage.query || stage.lookup_from) return ids;
  for_each_input(*stage.query, [&ids](const VectorInput& input) {
    if (const auto* id = std::get_if<PointId>(&input)) ids.insert(*id);
  });
  return ids;
}

}  // namespace

namespace {

template <typename Better>
void keep_first(std::vector<ScoredPoint>& points, std::size_t k, const Better& better) {
  if (points.size() > k) {
    std::nth_element(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(k), points.end(),
                     better);
    points.resize(k);
  }
  std::sort(points.begin(), points.end(), better);
}

// By what the views compared: distances that differ may be shown as the same score, and where the
// ranking ends must not depend on which of the two a shard went by.
void keep_most_similar(std::vector<ScoredPoint>& points, std::size_t k) {
  keep_first(points, k, [](const ScoredPoint& a, const ScoredPoint& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
  });
}

}  // namespace

void keep_best(std::vector<ScoredPoint>& points, std::size_t k, bool smaller_is_better) {
  keep_first(points, k, [smaller_is_better](const ScoredPoint& a, const ScoredPoint& b) {
    if (a.score != b.score) return smaller_is_better ? a.score < b.score : a.score > b.score;
    return a.id < b.id;
  });
}

QueryRun::QueryRun(Engine::State& state, std::string_view tenant, std::string_view collection,
                   const ReadParams& params)
    : state_(state),
      tenant_(tenant),
      collection_(collection),
      params_(params),
      inputs_(state, tenant, params) {}

Status QueryRun::prepare(const QueryStage& root) {
  QUIPU_TRY_OK(query::check_query(root));
  // An alias that is moved while its texts are embedded names a collection with other models, and a
  // collection whose vectors are changed may have others too.
  for (int tries = 0; tries < kPrepareTriesMax; ++tries) {
    QUIPU_TRY(const auto embedded_for, inputs_.embed(collection_, root));
    QUIPU_TRY(Engine::State::Reading reading, state_.begin_read(tenant_, collection_, params_));
    if (!same_vectors(*reading.collection, *embedded_for)) continue;
    reading_.emplace(std::move(reading));
    filters_.emplace(state_, *reading_);
    return inputs_.resolve(*reading_, root);
  }
  return Error{
      ErrorCode::kUnavailable,
      format("'{}' was moved from collection to collection, or its vectors were changed, while it "
             "was asked",
             collection_),
      "alias_moved"};
}

Result<StageHits> QueryRun::run(const QueryStage& root, std::size_t limit) {
  return run_stage(root, {}, limit, {});
}

SearchExplain QueryRun::explain() const {
  SearchExplain explain = explain_;
  explain.filter_judged = filters_->judged;
  explain.filter_matched = filters_->matched;
  explain.filter_ms = filters_->spent_ms;
  explain.filter_keys_without_index.assign(filters_->keys_without_index.begin(),
                                           filters_->keys_without_index.end());
  explain.embed_ms = inputs_.embed_ms();
  return explain;
}

std::optional<std::size_t> QueryRun::words_index(std::string_view name) const {
  const auto& words = reading_->collection->record.config.words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].name == name) return i;
  }
  return std::nullopt;
}

Result<StageHits> QueryRun::run_stage(const QueryStage& stage, FilterChain chain, std::size_t limit,
                                      std::unordered_set<PointId> excluded) {
  if (stage.filter) chain.push_back(&*stage.filter);
  // What this stage leaves out, its leaves need not find, as with its filter.
  excluded.merge(own_points(stage));
  std::vector<StageHits> sources;
  for (const QueryStage& prefetch : stage.prefetch) {
    QUIPU_TRY(StageHits found, run_stage(prefetch, chain, prefetch.limit, excluded));
    sources.push_back(std::move(found));
  }
  std::vector<ScoredPoint> candidates;
  Scope scope{.chain = std::move(chain), .limit = limit, .excluded = std::move(excluded)};
  if (!stage.prefetch.empty()) {
    std::map<PointId, ScoredPoint> found;  // each once
    for (const StageHits& source : sources) {
      for (const ScoredPoint& hit : source.hits) {
        if (!scope.excluded.contains(hit.id)) {
          found.emplace(hit.id, ScoredPoint{.id = hit.id, .shard_index = hit.shard_index});
        }
      }
    }
    for (auto& [id, point] : found) candidates.push_back(std::move(point));
    scope.candidates = &candidates;
  }
  QUIPU_TRY(StageHits hits, run_query(stage, scope, sources));
  if (stage.score_threshold) {
    std::erase_if(hits.hits, [&](const ScoredPoint& hit) {
      return worse(hit.score, *stage.score_threshold, hits.smaller_is_better);
    });
  }
  if (hits.hits.size() > limit) hits.hits.resize(limit);
  return hits;
}

Result<StageHits> QueryRun::run_query(const QueryStage& stage, const Scope& scope,
                                      const std::vector<StageHits>& sources) {
  if (!stage.query) return by_id(scope);
  const StageQuery& query = *stage.query;
  if (const auto* q = std::get_if<NearestQuery>(&query)) return nearest(stage, *q, scope);
  if (std::holds_alternative<FusionQuery>(query)) return fuse(stage, sources, scope.limit);
  if (const auto* q = std::get_if<FormulaQuery>(&query)) return by_formula(*q, scope, sources);
  if (const auto* q = std::get_if<OrderByQuery>(&query)) return by_order(*q, scope);
  if (std::holds_alternative<SampleQuery>(query)) return sample(scope);
  if (const auto* q = std::get_if<RerankQuery>(&query)) return by_rerank(*q, scope);
  if (const auto* q = std::get_if<WordsQuery>(&query)) {
    const std::optional<std::size_t> words = words_index(stage.using_name);
    if (!words) {
      return Error{ErrorCode::kNotFound,
                   format("the collection '{}' has no words '{}'", collection_, stage.using_name),
                   "words_not_found"};
    }
    return by_words(*words, q->text, q->k1, q->b, scope);
  }
  if (words_index(stage.using_name)) {
    return invalid_query(
        format("words ('{}') are asked by a text; this query needs a vector", stage.using_name));
  }
  const auto* recommend = std::get_if<RecommendQuery>(&query);
  if (recommend != nullptr && recommend->strategy == RecommendStrategy::kAverageVector) {
    return recommend_average(stage, *recommend, scope);
  }
  return by_examples(stage, scope);
}

Result<StageHits> QueryRun::fuse(const QueryStage& stage, const std::vector<StageHits>& sources,
                                 std::size_t limit) const {
  std::vector<std::vector<query::RankedKey<PointId>>> lists(sources.size());
  std::vector<query::FusionSource<PointId>> fused_from;
  std::map<PointId, std::size_t> shards;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (const ScoredPoint& hit : sources[i].hits) {
      lists[i].push_back({hit.id, hit.score});
      shards.emplace(hit.id, hit.shard_index);
    }
    fused_from.push_back({lists[i], sources[i].smaller_is_better});
  }
  const query::Fused<PointId> fused =
      query::fuse<PointId>(std::get<FusionQuery>(*stage.query), fused_from);
  StageHits result;
  for (const auto& hit : fused.hits) {
    if (result.hits.size() == limit) break;
    ScoredPoint point{.id = hit.key, .shard_index = shards.at(hit.key), .score = hit.score};
    for (const query::FusionPart& part : fused.parts_of(hit)) {
      point.parts.push_back(
          {.prefetch = part.source, .rank = part.rank, .score = part.score, .part = part.part});
    }
    result.hits.push_back(std::move(point));
  }
  return result;
}

Result<StageHits> QueryRun::nearest(const QueryStage& stage, const NearestQuery& query,
                                    const Scope& scope) {
  Scope wider{.chain = scope.chain,
              .candidates = scope.candidates,
              .limit = scope.limit,
              .excluded = scope.excluded};
  if (query.mmr && query.mmr->candidates > 0) wider.limit = query.mmr->candidates;
  if (const std::optional<std::size_t> words = words_index(stage.using_name)) {
    const auto* text = std::get_if<TextInput>(&query.input);
    if (text == nullptr || query.mmr) {
      return invalid_query(
          format("words ('{}') are asked by a text, without mmr", stage.using_name));
    }
    const WordsConfig& words_config = reading_->collection->record.config.words[*words];
    return by_words(*words, text->text, words_config.k1, words_config.b, wider);
  }
  QUIPU_TRY(const std::size_t vector_index, reading_->collection->vector_index(stage.using_name));
  QUIPU_TRY(StageHits found, nearest_to(stage, vector_index, inputs_.value(query.input), wider));
  if (!query.mmr) return found;
  // What the threshold leaves out must not take the places of others.
  if (stage.score_threshold) {
    std::erase_if(found.hits, [&](const ScoredPoint& hit) {
      return worse(hit.score, *stage.score_threshold, found.smaller_is_better);
    });
  }
  return choose_by_mmr(stage, *query.mmr, std::move(found), scope.limit);
}

Result<StageHits> QueryRun::recommend_average(const QueryStage& stage, const RecommendQuery& query,
                                              const Scope& scope) {
  QUIPU_TRY(const std::size_t vector_index, reading_->collection->vector_index(stage.using_name));
  std::vector<query::VectorValue> positive;
  std::vector<query::VectorValue> negative;
  for (const VectorInput& input : query.positive) positive.push_back(inputs_.value(input));
  for (const VectorInput& input : query.negative) negative.push_back(inputs_.value(input));
  QUIPU_TRY(query::VectorValue average, query::recommended_average(positive, negative));
  QUIPU_TRY(average, fit_value(config(vector_index), collection_, std::move(average)));
  return nearest_to(stage, vector_index, average, scope);
}

SparseValues QueryRun::with_idf(std::size_t vector_index, SparseValues value) const {
  std::uint64_t rows = 0;
  std::vector<std::uint64_t> having(value.indices.size(), 0);
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    const Moment& moment = *reading_->moments[shard];
    const auto& view = moment.views->sparse[vector_index];
    if (view == nullptr) continue;  // what it holds is not known yet
    rows += index::SparseIndex::totals(*moment.sparse[vector_index]).rows;
    for (std::size_t i = 0; i < having.size(); ++i) {
      having[i] += view->rows_with(*moment.sparse[vector_index],
                                   index::dimension_key(value.indices[i]), moment.applied);
    }
  }
  for (std::size_t i = 0; i < having.size(); ++i) {
    value.values[i] =
        static_cast<float>(static_cast<double>(value.values[i]) * index::idf(rows, having[i]));
  }
  return value;
}

Result<StageHits> QueryRun::nearest_to(const QueryStage& stage, std::size_t vector_index,
                                       const query::VectorValue& given, const Scope& scope) {
  const VectorConfig& vector = config(vector_index);
  query::VectorValue value = given;
  if (vector.idf) value = with_idf(vector_index, std::get<SparseValues>(given));
  const Likeness likeness(vector, value);
  StageHits result;
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    const ViewSet& views = *reading_->moments[shard]->views;
    const bool whole = scope.candidates == nullptr;
    if (whole && views.dense[vector_index] != nullptr) {
      QUIPU_TRY_OK(nearest_in_dense_view(stage, vector_index, shard,
                                         std::get<std::vector<float>>(value), scope, result.hits));
    } else if (whole && views.sparse[vector_index] != nullptr) {
      QUIPU_TRY_OK(nearest_in_sparse_view(vector_index, shard, std::get<SparseValues>(value), scope,
                                          result.hits));
    } else {
      QUIPU_TRY_OK(scan_vectors(
          shard, vector_index, scope,
          [&likeness](const storage::OpVector& stored) { return likeness(stored); }, result.hits));
    }
  }
  // Sparse vectors know one metric.
  const Metric metric = vector.kind == VectorKind::kSparse ? Metric::kDot : vector.metric;
  result.smaller_is_better = query::is_distance(metric);
  for (ScoredPoint& hit : result.hits) hit.score = query::shown_score(metric, hit.similarity);
  keep_most_similar(result.hits, scope.limit);
  keep_best(result.hits, scope.limit, result.smaller_is_better);
  return result;
}

Status QueryRun::nearest_in_dense_view(const QueryStage& stage, std::size_t vector_index,
                                       std::size_t shard_index, const std::vector<float>& value,
                                       const Scope& scope, std::vector<ScoredPoint>& into) {
  const Moment& moment = *reading_->moments[shard_index];
  const Shard& shard = *reading_->collection->shards[shard_index];
  QUIPU_TRY(const index::SlotBitmap* const slots,
            filters_->slots(scope.chain, shard_index, vector_index));
  // As many more as may be left out again.
  const std::size_t wanted = scope.limit + scope.excluded.size();
  std::vector<index::DenseHit> hits(
      std::min<std::size_t>(wanted, std::max<std::uint64_t>(moment.points, 1)));
  const std::size_t ef =
      stage.params.ef == 0 ? 0 : std::max<std::size_t>(stage.params.ef, hits.size());
  const IdOrder by_ids(shard.slots);
  index::DenseSearchStats stats;
  QUIPU_TRY(const std::size_t count,
            moment.views->dense[vector_index]->search(value,
                                                      {.as_of = moment.applied,
                                                       .ef = static_cast<std::uint32_t>(ef),
                                                       .exact = stage.params.exact,
                                                       .filter = slots,
                                                       .ties = &by_ids,
                                                       .deadline = reading_->deadline,
                                                       .clock = state_.clock},
                                                      hits, &stats));
  const bool cosine = config(vector_index).metric == Metric::kCosine;
  for (std::size_t i = 0; i < count; ++i) {
    const PointId id = shard.slots.id_of(hits[i].slot);
    if (scope.excluded.contains(id)) continue;
    const float similarity = cosine ? 1.0F - hits[i].distance : -hits[i].distance;
    into.push_back({.id = id, .shard_index = shard_index, .similarity = similarity});
  }
  explain_.tail_rows += stats.tail_rows;
  explain_.graph_distances += stats.graph_distances;
  explain_.scanned_rows += stats.scanned_rows;
  explain_.hops += stats.hops;
  explain_.exact = explain_.exact || stats.exact;
  return ok_status();
}

Status QueryRun::nearest_in_sparse_view(std::size_t vector_index, std::size_t shard_index,
                                        const SparseValues& value, const Scope& scope,
                                        std::vector<ScoredPoint>& into) {
  const Moment& moment = *reading_->moments[shard_index];
  const Shard& shard = *reading_->collection->shards[shard_index];
  QUIPU_TRY(const Matches* const matches, filters_->matches(scope.chain, shard_index));
  std::optional<IdSlots> by_id;
  const auto id_of = [&shard](SlotId slot) { return shard.slots.id_of(slot); };
  const index::SlotFilter* filter = matches != nullptr ? matches->slots() : nullptr;
  if (matches != nullptr && filter == nullptr) filter = &by_id.emplace(matches->ids(), id_of);
  std::vector<index::SparseTerm> terms;
  for (std::size_t i = 0; i < value.indices.size(); ++i) {
    terms.push_back({.key = index::dimension_key(value.indices[i]),
                     .weight = static_cast<double>(value.values[i])});
  }
  std::vector<index::SparseHit> hits(std::min<std::size_t>(
      scope.limit + scope.excluded.size(), std::max<std::uint64_t>(moment.points, 1)));
  const IdOrder by_ids(shard.slots);
  index::SparseSearchStats stats;
  QUIPU_TRY(const std::size_t count,
            moment.views->sparse[vector_index]->search(*moment.sparse[vector_index], terms,
                                                       {.as_of = moment.applied,
                                                        .filter = filter,
                                                        .ties = &by_ids,
                                                        .deadline = reading_->deadline,
                                                        .clock = state_.clock},
                                                       hits, &stats));
  explain_.postings += stats.postings;
  for (std::size_t i = 0; i < count; ++i) {
    const PointId id = id_of(hits[i].slot);
    if (scope.excluded.contains(id)) continue;
    into.push_back({.id = id, .shard_index = shard_index, .similarity = hits[i].score});
  }
  return ok_status();
}

std::vector<PointId> QueryRun::candidates_of(const Scope& scope, std::size_t shard_index) const {
  std::vector<PointId> ids;
  for (const ScoredPoint& candidate : *scope.candidates) {
    if (candidate.shard_index == shard_index) ids.push_back(candidate.id);
  }
  return ids;
}

Status QueryRun::scan_vectors(std::size_t shard_index, std::size_t vector_index, const Scope& scope,
                              const Scorer& score, std::vector<ScoredPoint>& into) {
  const StoredVectors stored{.state = &state_,
                             .reading = &*reading_,
                             .shard_index = shard_index,
                             .vector_index = vector_index};
  // Twice the limit before the worse half goes: a sort now and then instead of a heap.
  std::vector<ScoredPoint> best;
  const auto keep = [&best, &scope] {
    for (ScoredPoint& point : best) point.score = point.similarity;
    keep_best(best, scope.limit, false);
  };
  const StoredVectors::Visit visit = [&](const PointId& id,
                                         const storage::OpVector& vector) -> Status {
    ++explain_.scanned_rows;
    if (scope.excluded.contains(id)) return ok_status();
    const std::optional<float> similarity = score(vector);
    if (!similarity) return ok_status();
    best.push_back({.id = id, .shard_index = shard_index, .similarity = *similarity});
    if (best.size() >= scope.limit * 2 + 64) keep();
    return ok_status();
  };
  if (scope.candidates != nullptr) {
    QUIPU_TRY_OK(stored.for_ids(candidates_of(scope, shard_index), visit));
  } else {
    explain_.storage_scan = true;
    explain_.exact = true;
    QUIPU_TRY(const Matches* const matches, filters_->matches(scope.chain, shard_index));
    // Reading a vector by its id costs some four times as much as in passing.
    if (matches != nullptr && matches->count() * 4 < reading_->moments[shard_index]->points) {
      QUIPU_TRY_OK(stored.for_ids(matches->sorted_ids(), visit));
    } else {
      QUIPU_TRY_OK(stored.for_each(matches, visit));
    }
  }
  keep();
  into.insert(into.end(), best.begin(), best.end());
  return ok_status();
}

Result<StageHits> QueryRun::by_examples(const QueryStage& stage, const Scope& scope) {
  QUIPU_TRY(const std::size_t vector_index, reading_->collection->vector_index(stage.using_name));
  QUIPU_TRY(const query::ExampleScorer scorer, query::ExampleScorer::make(*stage.query));
  std::vector<query::VectorValue> examples;  // borrowed by the likenesses
  for (const VectorInput* example : scorer.examples()) {
    examples.push_back(inputs_.value(*example));
    query::VectorValue& value = examples.back();
    if (config(vector_index).idf) value = with_idf(vector_index, std::get<SparseValues>(value));
  }
  std::vector<Likeness> likenesses;
  for (const query::VectorValue& example : examples) {
    likenesses.emplace_back(config(vector_index), example);
  }
  std::vector<float> similarities(likenesses.size());
  const Scorer score = [&](const storage::OpVector& stored) -> std::optional<float> {
    for (std::size_t i = 0; i < likenesses.size(); ++i) {
      similarities[i] = likenesses[i](stored).value_or(0.0F);  // nothing shared
    }
    return scorer.score(similarities);
  };
  StageHits result;
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    QUIPU_TRY_OK(scan_vectors(shard, vector_index, scope, score, result.hits));
  }
  for (ScoredPoint& hit : result.hits) hit.score = hit.similarity;
  keep_best(result.hits, scope.limit, false);
  return result;
}

Result<std::map<PointId, storage::OpVector>> QueryRun::stored_vectors(
    const std::vector<ScoredPoint>& points, std::size_t vector_index) {
  std::map<PointId, storage::OpVector> vectors;
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    std::vector<PointId> ids;
    for (const ScoredPoint& point : points) {
      if (point.shard_index == shard) ids.push_back(point.id);
    }
    const StoredVectors stored{.state = &state_,
                               .reading = &*reading_,
                               .shard_index = shard,
                               .vector_index = vector_index};
    QUIPU_TRY_OK(stored.for_ids(ids, [&](const PointId& id, const storage::OpVector& vector) {
      vectors[id] = vector;
      return ok_status();
    }));
  }
  return vectors;
}

Result<StageHits> QueryRun::choose_by_mmr(const QueryStage& stage, const Mmr& mmr, StageHits found,
                                          std::size_t limit) {
  QUIPU_TRY(const std::size_t vector_index, reading_->collection->vector_index(stage.using_name));
  const VectorConfig& config = this->config(vector_index);
  QUIPU_TRY(const auto vectors, stored_vectors(found.hits, vector_index));
  const auto vector_of = [&](std::size_t i) -> const storage::OpVector& {
    return vectors.at(found.hits[i].id);
  };
  const query::SimilarityRow row = [&](std::size_t chosen, std::span<const std::size_t> others,
                                       std::span<float> similarities) -> Status {
    const query::VectorValue value = value_of(config, vector_of(chosen));
    const Likeness likeness(config, value);
    for (std::size_t i = 0; i < others.size(); ++i) {
      // Max-sim depends on who asks: it is the one that may be chosen next.
      const auto similarity =
          config.kind == VectorKind::kMulti
              ? Likeness(config, value_of(config, vector_of(others[i])))(vector_of(chosen))
              : likeness(vector_of(others[i]));
      similarities[i] = similarity.value_or(0.0F);
    }
    return state_.check_time(*reading_, "the query");
  };
  std::vector<float> to_query;
  for (const ScoredPoint& hit : found.hits) to_query.push_back(hit.similarity);
  QUIPU_TRY(const std::vector<std::size_t> order,
            query::choose_by_mmr(to_query, {.diversity = mmr.diversity, .limit = limit}, row));
  StageHits chosen{.hits = {}, .smaller_is_better = found.smaller_is_better};
  for (const std::size_t i : order) chosen.hits.push_back(std::move(found.hits[i]));
  return chosen;
}

}  // namespace quipu::engine
