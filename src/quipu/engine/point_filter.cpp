#include "quipu/engine/point_filter.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/engine/records.h"
#include "quipu/query/plan/filter_plan.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

// Points judged between two looks at the clock.
constexpr std::uint64_t kPointsPerLook = 256;
constexpr std::size_t kJudgedPerRead = 1'024;

Error late(std::uint64_t judged) {
  return Error{ErrorCode::kDeadlineExceeded,
               format("not done in the time allowed, after {} points", judged),
               "deadline_exceeded"};
}

// Reads records and hands them over.
class Reader {
 public:
  Reader(const FilterScope& scope, const MatchVisitor& visit) : scope_(scope), visit_(visit) {}

  Result<std::uint64_t> all() {
    const storage::KeyRange range = storage::shard_range(scope_.shard->id());
    const auto it = scope_.kv->iterate(
        Family::kPoints, {.begin = range.begin, .end = range.end, .fill_cache = false},
        scope_.moment->snapshot.get());
    for (it->seek(range.begin); it->valid(); it->next()) {
      QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(it->key()));
      QUIPU_TRY(const bool more, hand_over(key.id, it->value()));
      if (!more) return read_;
    }
    QUIPU_TRY_OK(it->status());
    return read_;
  }

  // `ids` ascend.
  Result<std::uint64_t> these(std::span<const PointId> ids) {
    for (std::size_t begin = 0; begin < ids.size(); begin += kJudgedPerRead) {
      const std::size_t count = std::min(kJudgedPerRead, ids.size() - begin);
      std::vector<std::string> keys;
      for (std::size_t i = 0; i < count; ++i) {
        keys.push_back(storage::point_key(scope_.shard->id(), ids[begin + i]));
      }
      QUIPU_TRY(const std::vector<std::optional<std::string>> records,
                scope_.kv->multi_get(Family::kPoints, keys, scope_.moment->snapshot.get()));
      for (std::size_t i = 0; i < count; ++i) {
        if (!records[i]) continue;
        QUIPU_TRY(const bool more, hand_over(ids[begin + i], *records[i]));
        if (!more) return read_;
      }
    }
    return read_;
  }

 private:
  Result<bool> hand_over(const PointId& id, std::string_view record) {
    if (++read_ % kPointsPerLook == 0 && scope_.clock->steady_now() > scope_.deadline) {
      return late(read_);
    }
    return visit_(id, record);
  }

  const FilterScope& scope_;
  const MatchVisitor& visit_;
  std::uint64_t read_ = 0;
};

// One moment of a shard, as the planner asks it.
class MomentSource final : public query::PlanSource {
 public:
  MomentSource(const FilterScope& scope, const PointFilter& filter) : scope_(scope) {
    const ViewSet& views = *scope.moment->views;
    for (std::size_t i = 0; i < views.payload.size(); ++i) {
      if (views.payload[i] == nullptr) continue;  // loading: as if it were not there
      if (!filter.agrees_with(views.schema->payload[i])) continue;
      fields_[views.schema->payload[i].config.key].push_back(
          {.index = views.payload[i].get(),
           .moment = scope.moment->payload[i].get(),
           .analyzer = views.schema->payload[i].analyzer.get()});
    }
  }
  [[nodiscard]] std::span<const query::IndexedField> fields(std::string_view key) const override {
    const auto found = fields_.find(key);
    if (found == fields_.end()) return {};
    return found->second;
  }
  // Slots of ids are the commit thread's; the caller reads lists of ids by itself.
  bool add_slots_of(std::span<const PointId>, index::SlotBitmap&) const override { return false; }
  bool add_slots_with_vector(std::string_view name, index::SlotBitmap& into) const override {
    const ViewSet& views = *scope_.moment->views;
    for (std::size_t i = 0; i < views.schema->vectors.size(); ++i) {
      if (views.schema->vectors[i].name != name || views.dense[i] == nullptr) continue;
      views.dense[i]->for_each_slot(scope_.moment->applied,
                                    [&into](SlotId slot) { into.add(slot); });
      return true;
    }
    return false;
  }
  bool add_slots_in(const SliceCondition&, index::SlotBitmap&) const override { return false; }

 private:
  const FilterScope& scope_;
  std::map<std::string, std::vector<query::IndexedField>, std::less<>> fields_;
};

// Entries of an index that are read in the time that it takes to read and judge a payload.
constexpr std::uint64_t kEntriesPerJudgedPoint = 100;
// Reading records by id costs about this many times as much as reading them in order.
constexpr std::uint64_t kScatterCost = 4;

}  // namespace

class MatchFinder {
 public:
  MatchFinder(const FilterScope& scope, const PointFilter& filter)
      : scope_(scope), filter_(filter), matches_(*scope.shard) {}

  Result<Matches> run() {
    QUIPU_TRY(const bool found, find_indexed());
    if (!found) QUIPU_TRY_OK(judge_all());
    return std::move(matches_);
  }
  Result<std::optional<Matches>> run_indexed() {
    QUIPU_TRY(const bool found, find_indexed());
    if (!found) return std::optional<Matches>();
    return std::optional<Matches>(std::move(matches_));
  }

 private:
  // False when every point has to be judged.
  Result<bool> find_indexed() {
    if (!filter_.compiled().required_ids().empty()) {
      QUIPU_TRY_OK(judge_listed());
      return true;
    }
    const MomentSource source(scope_, filter_);
    query::FilterPlan plan(filter_.compiled(), source, scope_.moment->points);
    matches_.keys_without_index = plan.keys_without_index();
    if (!plan.helps()) return false;
    query::FilterMatches found =
        plan.evaluate(scope_.moment->live->bitmap(), scope_.moment->applied,
                      {.entries_per_judged_point = kEntriesPerJudgedPoint});
    if (found.to_judge.count() * kScatterCost > scope_.moment->points) return false;
    matches_.slots_.emplace(std::move(found.sure));
    QUIPU_TRY_OK(judge_slots(found.to_judge));
    return true;
  }

  Status judge_all() {
    std::unordered_set<PointId>& ids = matches_.ids_.emplace();
    const MatchVisitor judge = [&](const PointId& id, std::string_view record) -> Result<bool> {
      QUIPU_TRY(const bool match, filter_.matches(id, record));
      if (match) ids.insert(id);
      return true;
    };
    QUIPU_TRY(matches_.judged, for_each_point(scope_, judge));
    return ok_status();
  }

  Status judge_listed() {
    // Every list holds all matches, so the shortest will do.
    const auto lists = filter_.compiled().required_ids();
    const auto least = std::min_element(
        lists.begin(), lists.end(),
        [](const auto* a, const auto* b) { return a->ids.size() < b->ids.size(); });
    std::vector<PointId> listed = (*least)->ids;
    std::sort(listed.begin(), listed.end());
    listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
    std::unordered_set<PointId>& ids = matches_.ids_.emplace();
    const MatchVisitor judge = [&](const PointId& id, std::string_view record) -> Result<bool> {
      QUIPU_TRY(const bool match, filter_.matches(id, record));
      if (match) ids.insert(id);
      return true;
    };
    QUIPU_TRY(matches_.judged, Reader(scope_, judge).these(listed));
    return ok_status();
  }

  Status judge_slots(const index::SlotBitmap& slots) {
    std::vector<std::pair<PointId, SlotId>> points;
    slots.for_each([&](SlotId slot) {
      points.emplace_back(scope_.shard->slots.id_of(slot), slot);
      return true;
    });
    std::sort(points.begin(), points.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<PointId> ids;
    for (const auto& [id, slot] : points) ids.push_back(id);
    std::size_t at = 0;
    const MatchVisitor judge = [&](const PointId& id, std::string_view record) -> Result<bool> {
      QUIPU_TRY(const bool match, filter_.matches(id, record));
      while (points[at].first != id) ++at;
      if (match) matches_.slots_->add(points[at].second);
      return true;
    };
    QUIPU_TRY(matches_.judged, Reader(scope_, judge).these(ids));
    return ok_status();
  }

  const FilterScope& scope_;
  const PointFilter& filter_;
  Matches matches_;
};

bool RecordPresence::has_vector(std::string_view name) const {
  return std::any_of(vectors_.begin(), vectors_.end(), [&](const VectorConfig& vector) {
    return vector.name == name && ids_.contains(vector.id);
  });
}

Result<PointFilter> PointFilter::compile(const Filter& filter,
                                         std::span<const VectorConfig> vectors,
                                         const Schema* schema) {
  query::CompileOptions options;
  if (schema != nullptr) {
    options.text_matcher = [schema](std::string_view key) { return schema->text_matcher(key); };
  }
  QUIPU_TRY(query::CompiledFilter compiled, query::CompiledFilter::compile(filter, options));
  return PointFilter(std::move(compiled), vectors, schema);
}

bool PointFilter::agrees_with(const PayloadField& field) const {
  if (field.analyzer == nullptr) return true;
  if (schema_ == nullptr) return false;
  return std::any_of(schema_->payload.begin(), schema_->payload.end(), [&field](const auto& own) {
    return own.config.view_id == field.config.view_id;
  });
}

Result<bool> PointFilter::matches(const PointId& id, std::string_view record) const {
  QUIPU_TRY(const PointView point, view_point_record(record));
  const RecordPresence presence(vectors_, point.vectors);
  QUIPU_TRY(const JsonDocument payload, parse_payload(id, point.payload));
  return filter_.matches({.id = id, .payload = payload.root(), .vectors = &presence});
}

Result<std::uint64_t> for_each_point(const FilterScope& scope, const MatchVisitor& visit) {
  return Reader(scope, visit).all();
}

std::uint64_t Matches::count() const { return slots_ ? slots_->count() : ids_->size(); }

const std::unordered_set<PointId>& Matches::ids() const {
  if (!ids_) {
    std::unordered_set<PointId>& ids = ids_.emplace();
    ids.reserve(slots_->count());
    slots_->for_each([&](SlotId slot) {
      ids.insert(shard_->slots.id_of(slot));
      return true;
    });
  }
  return *ids_;
}

std::vector<PointId> Matches::sorted_ids() const {
  std::vector<PointId> sorted;
  sorted.reserve(count());
  if (ids_) {
    sorted.assign(ids_->begin(), ids_->end());
  } else {
    slots_->for_each([&](SlotId slot) {
      sorted.push_back(shard_->slots.id_of(slot));
      return true;
    });
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

Result<Matches> find_matches(const FilterScope& scope, const PointFilter& filter) {
  return MatchFinder(scope, filter).run();
}

Result<std::optional<Matches>> find_indexed_matches(const FilterScope& scope,
                                                    const PointFilter& filter) {
  return MatchFinder(scope, filter).run_indexed();
}

Status for_each_match(const FilterScope& scope, const Matches& matches, const MatchVisitor& visit) {
  const std::vector<PointId> ids = matches.sorted_ids();
  if (ids.size() * kScatterCost > scope.moment->points) {
    const MatchVisitor pick = [&](const PointId& id, std::string_view record) -> Result<bool> {
      if (!matches.contains(id)) return true;
      return visit(id, record);
    };
    QUIPU_TRY_OK(for_each_point(scope, pick));
    return ok_status();
  }
  QUIPU_TRY_OK(Reader(scope, visit).these(ids));
  return ok_status();
}

index::SlotBitmap slots_of(const Matches& matches, const FilterScope& scope,
                           const index::DenseIndex& view) {
  if (matches.slots() != nullptr) return *matches.slots();
  index::SlotBitmap slots;
  if (matches.count() == 0) return slots;
  // Only slots of the moment's own rows: others may be given to new points meanwhile.
  view.for_each_slot(scope.moment->applied, [&](SlotId slot) {
    if (matches.contains(scope.shard->slots.id_of(slot))) slots.add(slot);
  });
  return slots;
}

}  // namespace quipu::engine
