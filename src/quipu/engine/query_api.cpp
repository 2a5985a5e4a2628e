// The engine's questions: search, query, groups, facets, the matrix of distances, ordered pages.
#include <algorithm>
#include <limits>
#include <map>
#include <queue>
#include <utility>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/hydrate.h"
#include "quipu/engine/indexed_values.h"
#include "quipu/engine/query_cache.h"
#include "quipu/engine/query_run.h"
#include "quipu/engine/records.h"
#include "quipu/engine/refusals.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/rank/order_values.h"
#include "quipu/query/rank/similarity.h"
#include "quipu/simd/distance_kernels.h"

namespace quipu {
namespace {

using engine::Ask;
using engine::AskKind;
using engine::check_range;
using engine::Hydrator;
using engine::invalid;
using engine::QueryRun;
using engine::ScoredPoint;
using engine::StageHits;

constexpr std::size_t kGroupsMax = 1'000;
constexpr std::size_t kGroupSizeMax = 100;
constexpr std::size_t kMatrixSampleMax = 1'000;

double ms_between(std::chrono::steady_clock::time_point from,
                  std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

Status fill_hits(const Hydrator& hydrator, std::vector<SearchHit>& hits) {
  std::vector<Point*> points;
  for (SearchHit& hit : hits) points.push_back(&hit.point);
  return hydrator.fill(points);
}

SearchHit to_hit(ScoredPoint point, bool explain) {
  SearchHit hit;
  hit.point.id = point.id;
  hit.score = point.score;
  if (point.order) hit.order_key = point.order->value();
  if (explain) hit.parts = std::move(point.parts);
  return hit;
}

// Gives the answer that the cache has for this moment, or makes one by `make` (of the ask; it hands
// the reading that it used to `keep`) and leaves it there.
template <typename Answer, typename Make>
Result<Answer> answer(Engine::State& state, std::string_view tenant, std::string_view collection,
                      const Ask& ask, bool explain, const ReadParams& params, const Make& make) {
  const auto forget = [](const Engine::State::Reading&, const Answer&) {};
  if (explain || !params.cache || !state.query_cache->enabled() || !engine::is_cacheable(ask)) {
    return make(forget);
  }
  const std::uint64_t hash = engine::hash_of(ask);
  {
    QUIPU_TRY(const Engine::State::Reading now, state.begin_read(tenant, collection, params));
    const auto known = state.query_cache->find({now.collection, now.moments}, ask, hash);
    if (known != nullptr) return std::get<Answer>(*known);
  }
  return make([&](const Engine::State::Reading& reading, const Answer& made) {
    state.query_cache->put({reading.collection, reading.moments}, ask, hash, made);
  });
}

// One tree, run and hydrated.
Result<SearchResult> run_query(Engine::State& state, std::string_view tenant,
                               std::string_view collection, const Ask& ask, bool explain,
                               const ReadParams& params) {
  return answer<SearchResult>(
      state, tenant, collection, ask, explain, params,
      [&](const auto& keep) -> Result<SearchResult> {
        QueryRun run(state, tenant, collection, params);
        QUIPU_TRY_OK(run.prepare(ask.root));
        QUIPU_TRY(const Hydrator hydrator, Hydrator::make(state, run.reading(), ask.select));
        const auto begin = state.clock->steady_now();
        QUIPU_TRY(StageHits found, run.run(ask.root, ask.root.limit + ask.offset));
        const auto searched = state.clock->steady_now();
        SearchResult result;
        for (std::size_t i = ask.offset; i < found.hits.size(); ++i) {
          result.hits.push_back(to_hit(std::move(found.hits[i]), explain));
        }
        QUIPU_TRY_OK(fill_hits(hydrator, result.hits));
        result.query_truncated = run.query_truncated();
        if (explain) {
          result.explain = run.explain();
          result.explain->search_ms = ms_between(begin, searched) - result.explain->filter_ms;
          result.explain->hydrate_ms = ms_between(searched, state.clock->steady_now());
        }
        keep(run.reading(), result);
        return result;
      });
}

Result<QueryStage> stage_of(const SearchRequest& request) {
  const int given =
      (request.vector.empty() ? 0 : 1) + (request.text ? 1 : 0) + (request.id ? 1 : 0);
  if (given != 1) {
    return invalid(format("a search needs exactly one of vector, text and id; it has {}", given),
                   "invalid_query");
  }
  QUIPU_TRY_OK(check_range("k", request.k, 1, limits::kSearchHitsMax));
  QUIPU_TRY_OK(check_range("k + offset", request.k + request.offset, 1, limits::kSearchHitsMax));
  QUIPU_TRY_OK(check_range("ef", request.ef, 0, limits::kEfMax));
  if (!simd::all_finite(request.vector)) {
    return invalid("the query vector has a value that is not finite (NaN or infinity)",
                   "not_finite");
  }
  NearestQuery nearest;
  if (request.text) {
    nearest.input = TextInput{*request.text};
  } else if (request.id) {
    nearest.input = *request.id;
  } else {
    nearest.input = request.vector;
  }
  QueryStage stage;
  stage.query = std::move(nearest);
  stage.using_name = request.vector_name;
  stage.filter = request.filter;
  stage.params = {.ef = request.ef, .exact = request.exact};
  stage.score_threshold = request.score_threshold;
  stage.limit = request.k;
  return stage;
}

}  // namespace

Result<SearchResult> Engine::search(std::string_view tenant, std::string_view collection,
                                    const SearchRequest& request) {
  QUIPU_TRY(QueryStage stage, stage_of(request));
  const Ask ask{.root = std::move(stage), .offset = request.offset, .select = request.select};
  return run_query(*state_, tenant, collection, ask, request.explain, request.params);
}

Result<SearchResult> Engine::query(std::string_view tenant, std::string_view collection,
                                   const QueryRequest& request) {
  QUIPU_TRY_OK(check_range("limit + offset", request.root.limit + request.offset, 1,
                           limits::kSearchHitsMax));
  const Ask ask{.root = request.root, .offset = request.offset, .select = request.select};
  return run_query(*state_, tenant, collection, ask, request.explain, request.params);
}

namespace {

using GroupValue = std::variant<std::string, std::int64_t>;

// The groups that a payload says a point is in: strings and integers at the key, each once.
Result<std::vector<GroupValue>> groups_of(const query::PayloadPath& path, const Point& point) {
  QUIPU_TRY(const JsonDocument payload, engine::parse_payload(point.id, point.payload));
  std::vector<GroupValue> values;
  path.visit_elements(payload.root(), [&values](JsonView value) {
    GroupValue group;
    if (const auto string = value.as_string()) {
      group = std::string(*string);
    } else if (const auto number = value.as_int64()) {
      group = *number;
    } else {
      return true;
    }
    if (std::find(values.begin(), values.end(), group) == values.end()) values.push_back(group);
    return true;
  });
  return values;
}

// Fills groups from ever longer rankings, until they are full or there is no more to rank.
class Grouping {
 public:
  Grouping(Engine::State& state, const GroupRequest& request, query::PayloadPath path)
      : state_(state), request_(request), path_(std::move(path)) {}

  // Calls `keep` with what it read, and the answer.
  template <typename Keep>
  Result<GroupResult> run(std::string_view tenant, std::string_view collection, const Keep& keep) {
    QueryRun run(state_, tenant, collection, request_.params);
    QUIPU_TRY_OK(run.prepare(request_.root));
    const Select keys{
        .payload = true, .text = false, .vectors = false, .payload_include = {request_.group_by}};
    QUIPU_TRY(const Hydrator key_reader, Hydrator::make(state_, run.reading(), keys));
    QUIPU_TRY(const Hydrator hydrator, Hydrator::make(state_, run.reading(), request_.select));
    std::size_t wanted =
        std::min(request_.root.limit * request_.group_size * 2, limits::kSearchHitsMax);
    while (true) {
      QUIPU_TRY(const StageHits found, run.run(request_.root, wanted));
      QUIPU_TRY_OK(fill(key_reader, found));
      const bool all = found.hits.size() < wanted || wanted == limits::kSearchHitsMax;
      if (all || full()) break;
      wanted = std::min(wanted * 4, limits::kSearchHitsMax);
    }
    for (HitGroup& group : result_.groups) QUIPU_TRY_OK(fill_hits(hydrator, group.hits));
    if (request_.explain) result_.explain = run.explain();
    keep(run.reading(), result_);
    return std::move(result_);
  }

 private:
  Status fill(const Hydrator& key_reader, const StageHits& found) {
    result_.groups.clear();
    places_.clear();
    std::vector<Point> points(found.hits.size());
    std::vector<Point*> wanted;
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i].id = found.hits[i].id;
      wanted.push_back(&points[i]);
    }
    QUIPU_TRY_OK(key_reader.fill(wanted));
    for (std::size_t i = 0; i < points.size(); ++i) {
      QUIPU_TRY(const std::vector<GroupValue> values, groups_of(path_, points[i]));
      for (const GroupValue& value : values) add(value, found.hits[i]);
    }
    return ok_status();
  }

  void add(const GroupValue& value, const ScoredPoint& hit) {
    auto place = places_.find(value);
    if (place == places_.end()) {
      if (result_.groups.size() == request_.root.limit) return;
      place = places_.emplace(value, result_.groups.size()).first;
      result_.groups.push_back({.value = value, .hits = {}});
    }
    HitGroup& group = result_.groups[place->second];
    if (group.hits.size() < request_.group_size) {
      group.hits.push_back(to_hit(hit, request_.explain));
    }
  }

  [[nodiscard]] bool full() const {
    if (result_.groups.size() < request_.root.limit) return false;
    return std::all_of(result_.groups.begin(), result_.groups.end(), [this](const auto& group) {
      return group.hits.size() == request_.group_size;
    });
  }

  Engine::State& state_;
  const GroupRequest& request_;
  const query::PayloadPath path_;
  GroupResult result_;
  std::map<GroupValue, std::size_t> places_;
};

Result<query::PayloadPath> parse_key(std::string_view field, std::string_view key) {
  auto path = query::PayloadPath::parse(key);
  if (path.ok()) return std::move(path).value();
  return invalid(format("{}: {}", field, path.error().message), "invalid_path");
}

}  // namespace

Result<GroupResult> Engine::query_groups(std::string_view tenant, std::string_view collection,
                                         const GroupRequest& request) {
  QUIPU_TRY_OK(check_range("limit", request.root.limit, 1, kGroupsMax));
  QUIPU_TRY_OK(check_range("group_size", request.group_size, 1, kGroupSizeMax));
  QUIPU_TRY(query::PayloadPath path, parse_key("group_by", request.group_by));
  const Ask ask{.kind = AskKind::kGroups,
                .root = request.root,
                .select = request.select,
                .payload_key = request.group_by,
                .group_size = request.group_size};
  return answer<GroupResult>(
      *state_, tenant, collection, ask, request.explain, request.params, [&](const auto& keep) {
        return Grouping(*state_, request, std::move(path)).run(tenant, collection, keep);
      });
}

namespace {

using Facets = std::vector<FacetValue>;

using FacetCounts = std::map<decltype(FacetValue::value), std::uint64_t>;

// Adds one shard's points to the counts, by their payloads.
Status count_values(engine::StageFilters& filters, const engine::FilterChain& chain,
                    std::size_t shard, const query::PayloadPath& path, FacetCounts& counts) {
  std::vector<decltype(FacetValue::value)> values;
  const auto add = [&values](JsonView value) {
    if (const auto string = value.as_string()) values.emplace_back(std::string(*string));
    if (const auto flag = value.as_bool()) values.emplace_back(*flag);
    if (const auto number = value.as_int64()) values.emplace_back(*number);
    return true;
  };
  const engine::MatchVisitor each = [&](const PointId& id,
                                        std::string_view record) -> Result<bool> {
    QUIPU_TRY(const engine::PointView point, engine::view_point_record(record));
    QUIPU_TRY(const JsonDocument payload, engine::parse_payload(id, point.payload));
    values.clear();
    path.visit_elements(payload.root(), add);
    // A point counts once for a value that it has twice.
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (const auto& value : values) ++counts[value];
    return true;
  };
  return filters.visit(chain, shard, each);
}

Result<Facets> count_facets(Engine::State& state, const Engine::State::Reading& reading,
                            const query::PayloadPath& path, const FacetRequest& request) {
  engine::StageFilters filters(state, reading);
  engine::FilterChain chain;
  if (request.filter) chain.push_back(&*request.filter);
  FacetCounts counts;
  const std::size_t shards = reading.moments.size();
  // A value that is rare in each shard may be frequent in all together.
  const std::size_t wanted = shards == 1 ? request.limit : std::numeric_limits<std::size_t>::max();
  for (std::size_t shard = 0; shard < shards; ++shard) {
    QUIPU_TRY(const auto indexed, engine::indexed_facet(filters, chain, shard, path, wanted));
    if (!indexed) {
      QUIPU_TRY_OK(count_values(filters, chain, shard, path, counts));
      continue;
    }
    for (const index::FacetHit& hit : *indexed) counts[hit.value] += hit.count;
  }
  Facets facets;
  for (auto& [value, count] : counts) facets.push_back({.value = value, .count = count});
  std::stable_sort(facets.begin(), facets.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  if (facets.size() > request.limit) facets.resize(request.limit);
  return facets;
}

}  // namespace

Result<Facets> Engine::facet(std::string_view tenant, std::string_view collection,
                             const FacetRequest& request) {
  QUIPU_TRY_OK(check_range("limit", request.limit, 1, limits::kSearchHitsMax));
  QUIPU_TRY(const query::PayloadPath path, parse_key("key", request.key));
  Ask ask{.kind = AskKind::kFacet, .root = {}, .payload_key = request.key};
  ask.root.filter = request.filter;
  ask.root.limit = request.limit;
  return answer<Facets>(*state_, tenant, collection, ask, false, request.params,
                        [&](const auto& keep) -> Result<Facets> {
                          QUIPU_TRY(const State::Reading reading,
                                    state_->begin_read(tenant, collection, request.params));
                          QUIPU_TRY(Facets facets, count_facets(*state_, reading, path, request));
                          keep(reading, facets);
                          return facets;
                        });
}

Result<MatrixResult> Engine::matrix(std::string_view tenant, std::string_view collection,
                                    const MatrixRequest& request) {
  QUIPU_TRY_OK(check_range("sample", request.sample, 2, kMatrixSampleMax));
  QUIPU_TRY_OK(check_range("limit", request.limit, 1, kMatrixSampleMax - 1));
  QueryStage stage;
  stage.query = SampleQuery{};
  Filter filter = request.filter.value_or(Filter{});
  filter.must.push_back({HasVectorCondition{request.vector_name}});
  stage.filter = std::move(filter);
  stage.limit = request.sample;
  QueryRun run(*state_, tenant, collection, request.params);
  QUIPU_TRY_OK(run.prepare(stage));
  QUIPU_TRY(const std::size_t vector_index,
            run.reading().collection->vector_index(request.vector_name));
  const VectorConfig& config = run.reading().collection->record.config.vectors[vector_index];
  QUIPU_TRY(const StageHits found, run.run(stage, request.sample));
  QUIPU_TRY(const auto vectors, run.stored_vectors(found.hits, vector_index));
  MatrixResult result;
  for (const auto& [id, vector] : vectors) result.ids.push_back(id);
  const Metric metric = config.kind == VectorKind::kSparse ? Metric::kDot : config.metric;
  for (std::size_t a = 0; a < result.ids.size(); ++a) {
    const storage::OpVector& own = vectors.at(result.ids[a]);
    const query::VectorValue value = engine::value_of(config, own);
    const engine::Likeness likeness(config, value);
    std::vector<std::pair<float, std::size_t>> others;
    for (std::size_t b = 0; b < result.ids.size(); ++b) {
      if (a == b) continue;
      if (const auto similarity = likeness(vectors.at(result.ids[b]))) {
        others.emplace_back(-*similarity, b);
      }
    }
    std::sort(others.begin(), others.end());
    for (std::size_t i = 0; i < std::min(request.limit, others.size()); ++i) {
      result.pairs.push_back(
          {.a = a, .b = others[i].second, .score = query::shown_score(metric, -others[i].first)});
    }
  }
  return result;
}

namespace {

// The first values of an order, each with its point; equal ones by ascending id.
class FirstInOrder {
 public:
  using Entry = std::pair<query::OrderValue, PointId>;
  FirstInOrder(const query::PayloadOrder& order, std::size_t count)
      : order_(order), count_(count) {}
  void add(const query::OrderValue& value, const PointId& id) {
    entries_.emplace_back(value, id);
    if (entries_.size() >= count_ * 2 + 64) cut();
  }
  // For values that come in order; false when no later one can be among the first. Twice as many as
  // are wanted, because a point may have a value as an integer and as a double, which cut() joins.
  bool add_next(const query::OrderValue& value, const PointId& id) {
    if (entries_.size() >= 2 * count_ && entries_.back().first != value) return false;
    entries_.emplace_back(value, id);
    return true;
  }
  [[nodiscard]] std::vector<Entry> take() {
    cut();
    return std::move(entries_);
  }

 private:
  void cut() {
    std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      return a.first != b.first ? order_.before(a.first, b.first) : a.second < b.second;
    });
    // An integer and a double that are equal are one value of a point.
    entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
    if (entries_.size() > count_) entries_.resize(count_);
  }

  const query::PayloadOrder& order_;
  const std::size_t count_;
  std::vector<Entry> entries_;
};

}  // namespace

Result<ScrollPage> Engine::State::scroll_ordered(std::string_view tenant,
                                                 std::string_view collection,
                                                 const ScrollRequest& request) {
  if (request.after) {
    return invalid("a page that is ordered by a payload key goes on by start_from, not by an id",
                   "invalid_scroll");
  }
  QUIPU_TRY(const query::PayloadOrder order, query::PayloadOrder::compile(*request.order_by));
  QUIPU_TRY(const Reading reading, begin_read(tenant, collection, request.params));
  QUIPU_TRY(const Hydrator hydrator, Hydrator::make(*this, reading, request.select));
  engine::StageFilters filters(*this, reading);
  engine::FilterChain chain;
  if (request.filter) chain.push_back(&*request.filter);
  FirstInOrder first(order, request.limit);
  std::vector<query::OrderValue> values;
  const engine::MatchVisitor each = [&](const PointId& id,
                                        std::string_view record) -> Result<bool> {
    QUIPU_TRY(const engine::PointView point, engine::view_point_record(record));
    QUIPU_TRY(const JsonDocument payload, engine::parse_payload(id, point.payload));
    order.all(payload.root(), values);
    for (const query::OrderValue& value : values) first.add(value, id);
    return true;
  };
  for (std::size_t shard = 0; shard < reading.moments.size(); ++shard) {
    FirstInOrder of_shard(order, request.limit);
    QUIPU_TRY(const bool walked,
              engine::walk_indexed(filters, chain, shard, order,
                                   [&](const query::OrderValue& value, const PointId& id) {
                                     return of_shard.add_next(value, id);
                                   }));
    if (!walked) QUIPU_TRY_OK(filters.visit(chain, shard, each));
    for (const auto& [value, id] : of_shard.take()) first.add(value, id);
  }
  const std::vector<FirstInOrder::Entry> entries = first.take();
  ScrollPage page;
  std::vector<Point*> wanted;
  page.points.resize(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    page.points[i].id = entries[i].second;
    page.order_keys.push_back(entries[i].first.value());
    wanted.push_back(&page.points[i]);
  }
  QUIPU_TRY_OK(hydrator.fill(wanted));
  return page;
}

}  // namespace quipu
