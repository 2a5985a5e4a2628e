// Reading points as they are: get, scroll, count. Each read pins one moment of every shard that it
// asks, and takes everything (views, points, vectors) as of that moment.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <queue>
#include <thread>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/hydrate.h"
#include "quipu/engine/point_filter.h"
#include "quipu/engine/refusals.h"
#include "quipu/simd/distance_kernels.h"
#include "quipu/storage/keys.h"

namespace quipu {
namespace {

using engine::check_range;
using engine::Collection;
using engine::Moment;
using engine::PointFilter;
using engine::PointRecord;
using engine::Shard;

}  // namespace

namespace {

// False when a shard shows another schema than the collection.
bool take_moments(Engine::State::Reading& reading) {
  reading.moments.clear();
  for (const std::shared_ptr<Shard>& shard : reading.collection->shards) {
    std::shared_ptr<const Moment> moment = shard->moment();
    if (moment->views->schema != reading.collection->schema) return false;
    reading.moments.push_back(std::move(moment));
  }
  return true;
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
  while (!take_moments(reading)) {
    // Its vectors or indexes are being changed: all shards show the new ones in a moment.
    QUIPU_TRY_OK(check_time(reading, "the read"));
    std::this_thread::yield();
    QUIPU_TRY(reading.collection, catalogue.find(tenant, collection));
  }
  for (std::size_t i = 0; i < reading.moments.size(); ++i) {
    const std::shared_ptr<Shard>& shard = reading.collection->shards[i];
    const std::shared_ptr<const Moment>& moment = reading.moments[i];
    for (const auto& [id, seq] : token.moments) {
      if (id != shard->id() || moment->applied >= seq) continue;
      // A write is visible before it is acknowledged, so this moment is of another place or of a
      // lost future (a restored snapshot): it will not come by waiting.
      return Error{ErrorCode::kUnavailable,
                   format("min_seq asks for operation {} of shard {}, which has applied {}",
                          seq.value(), id.value(), moment->applied.value()),
                   "min_seq_ahead"};
    }
  }
  return reading;
}

Status Engine::State::check_time(const Reading& reading, std::string_view what) const {
  if (clock->steady_now() <= reading.deadline) return ok_status();
  return Error{ErrorCode::kDeadlineExceeded, format("{} was not done in the time allowed", what),
               "deadline_exceeded"};
}

namespace {

// Nothing when there is no filter, or none that says anything.
Result<std::optional<PointFilter>> compile_filter(const Engine::State::Reading& reading,
                                                  const std::optional<Filter>& filter) {
  if (!filter) return std::optional<PointFilter>();
  QUIPU_TRY(PointFilter compiled,
            PointFilter::compile(*filter, reading.collection->record.config.vectors,
                                 reading.collection->schema.get()));
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
  QUIPU_TRY(const engine::Hydrator hydrator,
            engine::Hydrator::make(*state_, reading, request.select));
  std::vector<Point> points;
  for (const PointId& id : request.ids) {
    QUIPU_TRY(std::optional<Point> point, hydrator.read(id));
    if (point) points.push_back(std::move(*point));
    QUIPU_TRY_OK(state_->check_time(reading, "the read"));
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
    QUIPU_TRY(const engine::Matches matches,
              engine::find_matches(filter_scope(*state_, reading, i), *filter));
    points += matches.count();
  }
  return points;
}

namespace {

// A page of the ids that payload indexes have told; nothing when they do not help.
Result<std::optional<ScrollPage>> indexed_page(const Engine::State& state,
                                               const Engine::State::Reading& reading,
                                               const PointFilter& filter,
                                               const engine::Hydrator& hydrator,
                                               const ScrollRequest& request) {
  std::vector<PointId> ids;
  for (std::size_t shard = 0; shard < reading.moments.size(); ++shard) {
    QUIPU_TRY(const std::optional<engine::Matches> matches,
              engine::find_indexed_matches(filter_scope(state, reading, shard), filter));
    if (!matches) return std::optional<ScrollPage>();
    for (const PointId& id : matches->sorted_ids()) {
      if (!request.after || *request.after < id) ids.push_back(id);
    }
  }
  const std::size_t size = std::min(request.limit, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(size), ids.end());
  ScrollPage page;
  page.points.resize(size);
  std::vector<Point*> points;
  for (std::size_t i = 0; i < size; ++i) {
    page.points[i].id = ids[i];
    points.push_back(&page.points[i]);
  }
  if (ids.size() > size) page.next = ids[size - 1];
  QUIPU_TRY_OK(hydrator.fill(points));
  return std::optional<ScrollPage>(std::move(page));
}

// Merges the ordered keys of the shards, judging each point.
class ScrollMerge {
 public:
  ScrollMerge(const Engine::State& state, const Engine::State::Reading& reading,
              const std::optional<PointFilter>& filter, const engine::Hydrator& hydrator,
              const ScrollRequest& request)
      : state_(state), reading_(reading), filter_(filter), hydrator_(hydrator), request_(request) {}

  Result<ScrollPage> run() {
    QUIPU_TRY_OK(open());
    ScrollPage page;
    while (const std::optional<std::size_t> least = least_head()) {
      QUIPU_TRY_OK(state_.check_time(reading_, "the scroll"));
      const PointId id = *heads_[*least];
      bool wanted = true;
      if (filter_) {
        QUIPU_TRY(wanted, filter_->matches(id, sources_[*least]->value()));
      }
      // One more than asked for tells whether there is a next page.
      if (wanted && page.points.size() == request_.limit) {
        page.next = page.points.back().id;
        break;
      }
      if (wanted) {
        QUIPU_TRY(Point point, hydrator_.from_record(*least, id, sources_[*least]->value()));
        page.points.push_back(std::move(point));
      }
      sources_[*least]->next();
      QUIPU_TRY(heads_[*least], head_of(*sources_[*least]));
    }
    for (const auto& it : sources_) QUIPU_TRY_OK(it->status());
    return page;
  }

 private:
  static Result<std::optional<PointId>> head_of(const KvIterator& it) {
    if (!it.valid()) return std::optional<PointId>();
    QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(it.key()));
    return std::optional<PointId>(key.id);
  }
  Status open() {
    for (std::size_t i = 0; i < reading_.moments.size(); ++i) {
      const ShardId shard = reading_.collection->shards[i]->id();
      storage::KeyRange range = storage::shard_range(shard);
      // The successor of a key is the key and a zero byte.
      if (request_.after) range.begin = storage::point_key(shard, *request_.after) + '\0';
      auto it = state_.kv->iterate(Family::kPoints,
                                   {.begin = range.begin, .end = range.end, .fill_cache = true},
                                   reading_.moments[i]->snapshot.get());
      it->seek(range.begin);
      QUIPU_TRY(std::optional<PointId> head, head_of(*it));
      heads_.push_back(head);
      sources_.push_back(std::move(it));
    }
    return ok_status();
  }
  [[nodiscard]] std::optional<std::size_t> least_head() const {
    std::optional<std::size_t> least;
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      if (heads_[i] && (!least || *heads_[i] < *heads_[*least])) least = i;
    }
    return least;
  }

  const Engine::State& state_;
  const Engine::State::Reading& reading_;
  const std::optional<PointFilter>& filter_;
  const engine::Hydrator& hydrator_;
  const ScrollRequest& request_;
  std::vector<std::unique_ptr<KvIterator>> sources_;
  std::vector<std::optional<PointId>> heads_;
};

}  // namespace

Result<ScrollPage> Engine::scroll(std::string_view tenant, std::string_view collection,
                                  const ScrollRequest& request) {
  QUIPU_TRY_OK(check_range("limit", request.limit, 1, limits::kScrollPageMax));
  if (request.order_by) return state_->scroll_ordered(tenant, collection, request);
  QUIPU_TRY(const State::Reading reading, state_->begin_read(tenant, collection, request.params));
  QUIPU_TRY(const engine::Hydrator hydrator,
            engine::Hydrator::make(*state_, reading, request.select));
  QUIPU_TRY(const std::optional<PointFilter> filter, compile_filter(reading, request.filter));
  if (filter) {
    QUIPU_TRY(std::optional<ScrollPage> page,
              indexed_page(*state_, reading, *filter, hydrator, request));
    if (page) return std::move(*page);
  }
  return ScrollMerge(*state_, reading, filter, hydrator, request).run();
}

}  // namespace quipu
