// The ways of reading: get, scroll, count, search. Each read pins one moment of every shard that it
// asks, and takes everything (views, points, vectors) as of that moment.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <queue>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/point_filter.h"
#include "quipu/simd/distance_kernels.h"
#include "quipu/storage/keys.h"

namespace quipu {
namespace {

using engine::Collection;
using engine::Moment;
using engine::PointFilter;
using engine::PointRecord;
using engine::Shard;

Error invalid(std::string message, std::string reason) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), std::move(reason)};
}

Status check_range(std::string_view field, std::uint64_t value, std::uint64_t low,
                   std::uint64_t high) {
  if (value >= low && value <= high) return ok_status();
  return invalid(format("{} is {}; it must be from {} to {}", field, value, low, high),
                 "out_of_range");
}

Error timed_out(std::string_view what) {
  return Error{ErrorCode::kDeadlineExceeded, format("{} was not done in the time allowed", what),
               "deadline_exceeded"};
}

double ms_between(std::chrono::steady_clock::time_point from,
                  std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// A hit of one shard, on its way to the merged answer.
struct Candidate {
  float distance = 0;
  PointId id;
  std::size_t shard_index = 0;
};
bool nearer(const Candidate& a, const Candidate& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
}

// What callers see: similarities for cosine and dot, distances for the others.
float score_of(Metric metric, float distance) {
  switch (metric) {
    case Metric::kCosine: return 1.0F - distance;
    case Metric::kDot: return -distance;
    case Metric::kEuclidean: return std::sqrt(std::max(distance, 0.0F));
    case Metric::kManhattan: return distance;
  }
  return distance;
}
bool worse_than(Metric metric, float score, float threshold) {
  const bool higher_is_better = metric == Metric::kCosine || metric == Metric::kDot;
  return higher_is_better ? score < threshold : score > threshold;
}
float distance_of(Metric metric, const float* a, const float* b, std::size_t dim) {
  const simd::DistanceKernels& kernels = simd::kernels();
  switch (metric) {
    case Metric::kCosine: return 1.0F - kernels.dot(a, b, dim);  // both are of unit length
    case Metric::kDot: return -kernels.dot(a, b, dim);
    case Metric::kEuclidean: return kernels.l2_squared(a, b, dim);
    case Metric::kManhattan: return kernels.l1(a, b, dim);
  }
  return 0;
}

Point make_point(const PointId& id, PointRecord record, const Select& select) {
  Point point{.id = id,
              .version = record.version,
              .created_us = record.created_us,
              .updated_us = record.updated_us};
  if (select.text) point.text = std::move(record.text);
  if (select.payload) point.payload = std::move(record.payload);
  return point;
}

}  // namespace

Result<Engine::State::Reading> Engine::State::begin_read(std::string_view tenant,
                                                         std::string_view collection,
                                                         const ReadParams& params) {
  QUIPU_TRY_OK(check_open());
  QUIPU_TRY(const engine::SeqToken token, engine::parse_seq_token(params.min_seq));
  const auto deadline = clock->steady_now() + params.timeout;
  // The guard first: what the moments name stays until it goes.
  Reading reading{.guard = epochs.pin(), .deadline = deadline};
  QUIPU_TRY(reading.collection, catalogue.find(tenant, collection));
  for (const std::shared_ptr<Shard>& shard : reading.collection->shards) {
    std::shared_ptr<const Moment> moment = shard->moment();
    for (const auto& [id, seq] : token.moments) {
      if (id != shard->id() || moment->applied >= seq) continue;
      // A write is visible before it is acknowledged, so this moment is of another place or of a
      // lost future (a restored snapshot): it will not come by waiting.
      return Error{ErrorCode::kUnavailable,
                   format("min_seq asks for operation {} of shard {}, which has applied {}",
                          seq.value(), id.value(), moment->applied.value()),
                   "min_seq_ahead"};
    }
    reading.moments.push_back(std::move(moment));
  }
  return reading;
}

Result<std::vector<NamedVector>> Engine::State::read_vectors(const Reading& reading,
                                                             std::size_t shard_index,
                                                             const PointId& id,
                                                             std::uint16_t mask) {
  std::vector<NamedVector> vectors;
  const ShardId shard = reading.collection->shards[shard_index]->id();
  const auto& configs = reading.collection->record.config.vectors;
  for (std::uint16_t i = 0; i < configs.size(); ++i) {
    if ((mask >> i & 1U) == 0) continue;
    QUIPU_TRY(const std::optional<std::string> bytes,
              kv->get(Family::kVectors, storage::vector_key(shard, i, id),
                      reading.moments[shard_index]->snapshot.get()));
    if (!bytes || bytes->size() != configs[i].dim * sizeof(float)) {
      return Error{ErrorCode::kCorruption,
                   format("the vector '{}' of point {} is missing or damaged", configs[i].name,
                          id.to_string()),
                   "damaged_record"};
    }
    NamedVector vector{.name = configs[i].name, .values = std::vector<float>(configs[i].dim)};
    std::memcpy(vector.values.data(), bytes->data(), bytes->size());
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

Result<std::optional<Point>> Engine::State::read_point(const Reading& reading, const PointId& id,
                                                       const Select& select) {
  const std::size_t shard_index = reading.collection->shard_index(id);
  const ShardId shard = reading.collection->shards[shard_index]->id();
  QUIPU_TRY(const std::optional<std::string> bytes,
            kv->get(Family::kPoints, storage::point_key(shard, id),
                    reading.moments[shard_index]->snapshot.get()));
  if (!bytes) return std::optional<Point>();
  QUIPU_TRY(PointRecord record, engine::decode_point_record(*bytes));
  const std::uint16_t mask = record.vector_mask;
  Point point = make_point(id, std::move(record), select);
  if (select.vectors) {
    QUIPU_TRY(point.vectors, read_vectors(reading, shard_index, id, mask));
  }
  return std::optional<Point>(std::move(point));
}

namespace {

// Nothing when there is no filter, or none that says anything.
Result<std::optional<PointFilter>> compile_filter(const Engine::State::Reading& reading,
                                                  const std::optional<Filter>& filter) {
  if (!filter) return std::optional<PointFilter>();
  QUIPU_TRY(PointFilter compiled,
            PointFilter::compile(*filter, reading.collection->record.config.vectors));
  if (compiled.compiled().empty()) return std::optional<PointFilter>();
  return std::optional<PointFilter>(std::move(compiled));
}

engine::FilterScope filter_scope(const Engine::State& state, const Engine::State::Reading& reading,
                                 std::size_t shard_index) {
  return {.kv = state.kv.get(),
          .shard = reading.collection->shards[shard_index].get(),
          .moment = reading.moments[shard_index].get(),
          .clock = state.clock,
          .deadline = reading.deadline};
}

}  // namespace

Result<std::vector<Point>> Engine::get(std::string_view tenant, std::string_view collection,
                                       const GetRequest& request) {
  QUIPU_TRY_OK(check_range("ids count", request.ids.size(), 1, limits::kIdsPerRequestMax));
  QUIPU_TRY(const State::Reading reading, state_->begin_read(tenant, collection, request.params));
  std::vector<Point> points;
  for (const PointId& id : request.ids) {
    QUIPU_TRY(std::optional<Point> point, state_->read_point(reading, id, request.select));
    if (point) points.push_back(std::move(*point));
    if (state_->clock->steady_now() > reading.deadline) return timed_out("the read");
  }
  return points;
}

Result<std::uint64_t> Engine::count(std::string_view tenant, std::string_view collection,
                                    const CountRequest& request) {
  QUIPU_TRY(const State::Reading reading, state_->begin_read(tenant, collection, request.params));
  QUIPU_TRY(const std::optional<PointFilter> filter, compile_filter(reading, request.filter));
  std::uint64_t points = 0;
  for (std::size_t i = 0; i < reading.moments.size(); ++i) {
    if (!filter) {
      points += reading.moments[i]->points;
      continue;
    }
    const engine::MatchVisitor add = [&](const PointId&, std::string_view) -> Result<bool> {
      ++points;
      return true;
    };
    QUIPU_TRY_OK(engine::for_each_match(filter_scope(*state_, reading, i), *filter, add));
  }
  return points;
}

Result<ScrollPage> Engine::scroll(std::string_view tenant, std::string_view collection,
                                  const ScrollRequest& request) {
  QUIPU_TRY_OK(check_range("limit", request.limit, 1, limits::kScrollPageMax));
  QUIPU_TRY(const State::Reading reading, state_->begin_read(tenant, collection, request.params));
  QUIPU_TRY(const std::optional<PointFilter> filter, compile_filter(reading, request.filter));
  // A merge of the shards' ordered keys; one more than asked for tells whether there is a next
  // page.
  std::vector<std::unique_ptr<KvIterator>> sources;
  std::vector<std::optional<PointId>> heads;
  const auto head_of = [](const KvIterator& it) -> Result<std::optional<PointId>> {
    if (!it.valid()) return std::optional<PointId>();
    QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(it.key()));
    return std::optional<PointId>(key.id);
  };
  for (std::size_t i = 0; i < reading.moments.size(); ++i) {
    const ShardId shard = reading.collection->shards[i]->id();
    storage::KeyRange range = storage::shard_range(shard);
    // The successor of a key is the key and a zero byte.
    if (request.after) range.begin = storage::point_key(shard, *request.after) + '\0';
    auto it = state_->kv->iterate(Family::kPoints,
                                  {.begin = range.begin, .end = range.end, .fill_cache = true},
                                  reading.moments[i]->snapshot.get());
    it->seek(range.begin);
    QUIPU_TRY(std::optional<PointId> head, head_of(*it));
    heads.push_back(head);
    sources.push_back(std::move(it));
  }
  ScrollPage page;
  while (true) {
    std::optional<std::size_t> least;
    for (std::size_t i = 0; i < heads.size(); ++i) {
      if (heads[i] && (!least || *heads[i] < *heads[*least])) least = i;
    }
    if (!least) break;
    if (state_->clock->steady_now() > reading.deadline) return timed_out("the scroll");
    bool wanted = true;
    if (filter) {
      QUIPU_TRY(wanted, filter->matches(*heads[*least], sources[*least]->value()));
    }
    if (!wanted) {
      sources[*least]->next();
      QUIPU_TRY(heads[*least], head_of(*sources[*least]));
      continue;
    }
    if (page.points.size() == request.limit) {
      page.next = page.points.back().id;
      break;
    }
    QUIPU_TRY(PointRecord record, engine::decode_point_record(sources[*least]->value()));
    const std::uint16_t mask = record.vector_mask;
    Point point = make_point(*heads[*least], std::move(record), request.select);
    if (request.select.vectors) {
      QUIPU_TRY(point.vectors, state_->read_vectors(reading, *least, point.id, mask));
    }
    page.points.push_back(std::move(point));
    sources[*least]->next();
    QUIPU_TRY(heads[*least], head_of(*sources[*least]));
  }
  for (const auto& it : sources) QUIPU_TRY_OK(it->status());
  return page;
}

namespace {

// One search over the shards of a collection.
class Searcher {
 public:
  Searcher(Engine::State& state, const SearchRequest& request) : state_(state), request_(request) {}

  Result<SearchResult> run(std::string_view tenant, std::string_view collection) {
    QUIPU_TRY_OK(check());
    // The text is embedded before the moment is pinned: a model may take its time.
    QUIPU_TRY_OK(embed_text(tenant, collection));
    QUIPU_TRY(reading_, state_.begin_read(tenant, collection, request_.params));
    QUIPU_TRY(vector_index_, reading_.collection->vector_index(request_.vector_name));
    QUIPU_TRY_OK(choose_query());
    QUIPU_TRY(filter_, compile_filter(reading_, request_.filter));
    const auto begin = state_.clock->steady_now();
    for (std::size_t i = 0; i < reading_.moments.size(); ++i) QUIPU_TRY_OK(search_shard(i));
    std::sort(candidates_.begin(), candidates_.end(), nearer);
    const auto found = state_.clock->steady_now();
    QUIPU_TRY_OK(hydrate());
    if (request_.explain) {
      explain_.search_ms = ms_between(begin, found) - explain_.filter_ms;
      explain_.hydrate_ms = ms_between(found, state_.clock->steady_now());
      result_.explain = explain_;
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] const VectorConfig& config() const {
    return reading_.collection->record.config.vectors[vector_index_];
  }

  Status check() const {
    const int given =
        (request_.vector.empty() ? 0 : 1) + (request_.text ? 1 : 0) + (request_.id ? 1 : 0);
    if (given != 1) {
      return invalid(format("a search needs exactly one of vector, text and id; it has {}", given),
                     "invalid_query");
    }
    QUIPU_TRY_OK(check_range("k", request_.k, 1, limits::kSearchHitsMax));
    QUIPU_TRY_OK(
        check_range("k + offset", request_.k + request_.offset, 1, limits::kSearchHitsMax));
    return check_range("ef", request_.ef, 0, limits::kEfMax);
  }

  Status embed_text(std::string_view tenant, std::string_view name) {
    if (!request_.text) return ok_status();
    QUIPU_TRY_OK(state_.check_open());
    QUIPU_TRY(const std::shared_ptr<const Collection> collection,
              state_.catalogue.find(tenant, name));
    QUIPU_TRY(const std::size_t index, collection->vector_index(request_.vector_name));
    const VectorConfig& vector = collection->record.config.vectors[index];
    if (vector.model.empty()) {
      return invalid(format("the vector '{}' of '{}' has no model: search it by vector or id",
                            vector.name, name),
                     "no_model");
    }
    const auto begin = state_.clock->steady_now();
    const std::string_view text = *request_.text;
    auto embedded =
        state_.embedder->embed({&text, 1}, {.model = vector.model,
                                            .kind = embed::TextKind::kQuery,
                                            .deadline = begin + request_.params.timeout});
    QUIPU_TRY(embed::Embedding one, std::move(embedded.front()));
    query_ = std::move(one.values);
    result_.query_truncated = one.truncated;
    explain_.embed_ms = ms_between(begin, state_.clock->steady_now());
    return ok_status();
  }

  Status choose_query() {
    if (request_.id) {
      QUIPU_TRY_OK(query_from_point());
    } else if (!request_.text) {
      query_ = request_.vector;
    }
    if (query_.size() != config().dim) {
      return invalid(
          format("the query has {} values; the vector '{}' of '{}' has dimension {}", query_.size(),
                 config().name, reading_.collection->record.name, config().dim),
          "dimension_mismatch");
    }
    if (!simd::all_finite(query_)) {
      return invalid("the query vector has a value that is not finite (NaN or infinity)",
                     "not_finite");
    }
    if (config().metric == Metric::kCosine && !simd::normalise(query_)) {
      return invalid("the query vector has length 0; cosine needs a direction", "zero_vector");
    }
    return ok_status();
  }

  Status query_from_point() {
    const std::size_t shard_index = reading_.collection->shard_index(*request_.id);
    QUIPU_TRY(
        const std::optional<std::string> bytes,
        state_.kv->get(Family::kVectors,
                       storage::vector_key(reading_.collection->shards[shard_index]->id(),
                                           static_cast<std::uint16_t>(vector_index_), *request_.id),
                       reading_.moments[shard_index]->snapshot.get()));
    if (!bytes) {
      return Error{ErrorCode::kNotFound,
                   format("the point {} is not there or has no vector '{}'",
                          request_.id->to_string(), config().name),
                   "point_not_found"};
    }
    query_.resize(bytes->size() / sizeof(float));
    std::memcpy(query_.data(), bytes->data(), query_.size() * sizeof(float));
    return ok_status();
  }

  // One more than asked for when the query's own point will be left out.
  [[nodiscard]] std::size_t wanted() const {
    return request_.k + request_.offset + (request_.id ? 1 : 0);
  }

  Status search_shard(std::size_t shard_index) {
    const Moment& moment = *reading_.moments[shard_index];
    const auto& index = moment.views->dense[vector_index_];
    engine::Matches matches;
    index::SlotBitmap slots;
    if (filter_) {
      const auto begin = state_.clock->steady_now();
      const engine::FilterScope scope = filter_scope(state_, reading_, shard_index);
      QUIPU_TRY(matches, engine::find_matches(scope, *filter_));
      if (index != nullptr) slots = engine::slots_of(matches, scope, *index);
      explain_.filter_judged += matches.judged;
      explain_.filter_matched += matches.ids.size();
      explain_.filter_ms += ms_between(begin, state_.clock->steady_now());
    }
    if (index == nullptr) return scan_storage(shard_index, filter_ ? &matches : nullptr);
    const Shard& shard = *reading_.collection->shards[shard_index];
    std::vector<index::DenseHit> hits(
        std::min<std::size_t>(wanted(), std::max<std::uint64_t>(moment.points, 1)));
    const std::size_t ef = request_.ef == 0 ? 0 : std::max<std::size_t>(request_.ef, hits.size());
    index::DenseSearchStats stats;
    QUIPU_TRY(const std::size_t count, index->search(query_,
                                                     {.as_of = moment.applied,
                                                      .ef = static_cast<std::uint32_t>(ef),
                                                      .exact = request_.exact,
                                                      .filter = filter_ ? &slots : nullptr,
                                                      .deadline = reading_.deadline,
                                                      .clock = state_.clock},
                                                     hits, &stats));
    for (std::size_t i = 0; i < count; ++i) {
      candidates_.push_back({.distance = hits[i].distance,
                             .id = shard.slots.id_of(hits[i].slot),
                             .shard_index = shard_index});
    }
    explain_.tail_rows += stats.tail_rows;
    explain_.graph_distances += stats.graph_distances;
    explain_.scanned_rows += stats.scanned_rows;
    explain_.hops += stats.hops;
    explain_.exact = explain_.exact || stats.exact;
    return ok_status();
  }

  // While a view is loading: every vector of the shard, read from storage. `matches`: null without
  // a filter.
  Status scan_storage(std::size_t shard_index, const engine::Matches* matches) {
    explain_.storage_scan = true;
    explain_.exact = true;
    const storage::KeyRange range = storage::vector_range(
        reading_.collection->shards[shard_index]->id(), static_cast<std::uint16_t>(vector_index_));
    const std::unique_ptr<KvIterator> it = state_.kv->iterate(
        Family::kVectors, {.begin = range.begin, .end = range.end, .fill_cache = false},
        reading_.moments[shard_index]->snapshot.get());
    std::priority_queue<Candidate, std::vector<Candidate>, decltype(&nearer)> best(&nearer);
    std::vector<float> vector(config().dim);
    for (it->seek(range.begin); it->valid(); it->next()) {
      QUIPU_TRY(const storage::VectorKey key, storage::decode_vector_key(it->key()));
      if (matches != nullptr && !matches->ids.contains(key.id)) continue;
      if (it->value().size() != vector.size() * sizeof(float)) {
        return Error{ErrorCode::kCorruption, "a stored vector does not decode", "damaged_record"};
      }
      std::memcpy(vector.data(), it->value().data(), it->value().size());
      best.push(
          {.distance = distance_of(config().metric, query_.data(), vector.data(), vector.size()),
           .id = key.id,
           .shard_index = shard_index});
      if (best.size() > wanted()) best.pop();
      if ((++explain_.scanned_rows & 1023U) == 0 &&
          state_.clock->steady_now() > reading_.deadline) {
        return timed_out("the search");
      }
    }
    QUIPU_TRY_OK(it->status());
    for (; !best.empty(); best.pop()) candidates_.push_back(best.top());
    return ok_status();
  }

  // The hits of the final page, without their content yet.
  void choose_page() {
    std::size_t skip = request_.offset;
    for (const Candidate& candidate : candidates_) {
      if (page_.size() == request_.k) break;
      if (request_.id && candidate.id == *request_.id) continue;
      const float score = score_of(config().metric, candidate.distance);
      if (request_.score_threshold &&
          worse_than(config().metric, score, *request_.score_threshold)) {
        break;
      }
      if (skip > 0) {
        --skip;
        continue;
      }
      page_.push_back(&candidate);
      result_.hits.push_back({.point = {.id = candidate.id}, .score = score});
    }
  }

  Status hydrate() {
    choose_page();
    const Select& select = request_.select;
    // Reading records costs more than a small search: who asks for ids and scores gets just these.
    if (!select.payload && !select.text && !select.vectors) return ok_status();
    for (std::size_t shard = 0; shard < reading_.moments.size(); ++shard) {
      QUIPU_TRY_OK(hydrate_shard(shard));
    }
    return ok_status();
  }

  // One look-up of the store for all hits of a shard.
  Status hydrate_shard(std::size_t shard_index) {
    const ShardId shard = reading_.collection->shards[shard_index]->id();
    std::vector<std::size_t> positions;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < page_.size(); ++i) {
      if (page_[i]->shard_index != shard_index) continue;
      positions.push_back(i);
      keys.push_back(storage::point_key(shard, page_[i]->id));
    }
    if (keys.empty()) return ok_status();
    QUIPU_TRY(
        std::vector<std::optional<std::string>> records,
        state_.kv->multi_get(Family::kPoints, keys, reading_.moments[shard_index]->snapshot.get()));
    for (std::size_t i = 0; i < positions.size(); ++i) {
      Point& point = result_.hits[positions[i]].point;
      if (!records[i]) {
        return Error{ErrorCode::kInternal,
                     format("the point {} is in a view and not in the state", point.id.to_string()),
                     "state_mismatch"};
      }
      QUIPU_TRY(PointRecord record, engine::decode_point_record(*records[i]));
      const std::uint16_t mask = record.vector_mask;
      point = make_point(point.id, std::move(record), request_.select);
      if (request_.select.vectors) {
        QUIPU_TRY(point.vectors, state_.read_vectors(reading_, shard_index, point.id, mask));
      }
    }
    return ok_status();
  }

  Engine::State& state_;
  const SearchRequest& request_;
  Engine::State::Reading reading_;
  std::size_t vector_index_ = 0;
  std::vector<float> query_;
  std::optional<PointFilter> filter_;
  std::vector<Candidate> candidates_;
  std::vector<const Candidate*> page_;  // into candidates_, which stays as it is
  SearchExplain explain_;
  SearchResult result_;
};

}  // namespace

Result<SearchResult> Engine::search(std::string_view tenant, std::string_view collection,
                                    const SearchRequest& request) {
  return Searcher(*state_, request).run(tenant, collection);
}

}  // namespace quipu
