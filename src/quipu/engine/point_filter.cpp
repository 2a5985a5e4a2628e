#include "quipu/engine/point_filter.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/engine/records.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

// Points judged between two looks at the clock.
constexpr std::uint64_t kPointsPerLook = 256;
constexpr std::size_t kIdsPerRead = 1'024;

class MaskPresence final : public query::VectorPresence {
 public:
  MaskPresence(std::span<const VectorConfig> vectors, std::uint16_t mask)
      : vectors_(vectors), mask_(mask) {}
  [[nodiscard]] bool has_vector(std::string_view name) const override {
    for (std::size_t i = 0; i < vectors_.size(); ++i) {
      if (vectors_[i].name == name) return (mask_ >> i & 1U) != 0;
    }
    return false;
  }

 private:
  const std::span<const VectorConfig> vectors_;
  const std::uint16_t mask_;
};

Error late(std::uint64_t judged) {
  return Error{ErrorCode::kDeadlineExceeded,
               format("the filter was not done in the time allowed, after {} points", judged),
               "deadline_exceeded"};
}

// Judges one point after the other.
class Scan {
 public:
  Scan(const FilterScope& scope, const PointFilter& filter, const MatchVisitor& visit)
      : scope_(scope), filter_(filter), visit_(visit) {}

  Result<std::uint64_t> run() {
    if (filter_.compiled().required_ids().empty()) {
      QUIPU_TRY_OK(scan_all());
    } else {
      QUIPU_TRY_OK(scan_ids(filter_.compiled().required_ids()));
    }
    return judged_;
  }

 private:
  Status scan_all() {
    const storage::KeyRange range = storage::shard_range(scope_.shard->id());
    const auto it = scope_.kv->iterate(
        Family::kPoints, {.begin = range.begin, .end = range.end, .fill_cache = false},
        scope_.moment->snapshot.get());
    for (it->seek(range.begin); it->valid(); it->next()) {
      QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(it->key()));
      QUIPU_TRY(const bool more, judge(key.id, it->value()));
      if (!more) return ok_status();
    }
    return it->status();
  }

  Status scan_ids(std::span<const HasIdCondition* const> lists) {
    // Every list holds all matches, so the shortest will do.
    const auto least = std::min_element(
        lists.begin(), lists.end(),
        [](const auto* a, const auto* b) { return a->ids.size() < b->ids.size(); });
    std::vector<PointId> ids = (*least)->ids;
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (std::size_t begin = 0; begin < ids.size(); begin += kIdsPerRead) {
      const std::size_t count = std::min(kIdsPerRead, ids.size() - begin);
      std::vector<std::string> keys;
      for (std::size_t i = 0; i < count; ++i) {
        keys.push_back(storage::point_key(scope_.shard->id(), ids[begin + i]));
      }
      QUIPU_TRY(const std::vector<std::optional<std::string>> records,
                scope_.kv->multi_get(Family::kPoints, keys, scope_.moment->snapshot.get()));
      for (std::size_t i = 0; i < count; ++i) {
        if (!records[i]) continue;
        QUIPU_TRY(const bool more, judge(ids[begin + i], *records[i]));
        if (!more) return ok_status();
      }
    }
    return ok_status();
  }

  Result<bool> judge(const PointId& id, std::string_view record) {
    if (++judged_ % kPointsPerLook == 0 && scope_.clock->steady_now() > scope_.deadline) {
      return late(judged_);
    }
    QUIPU_TRY(const bool match, filter_.matches(id, record));
    if (!match) return true;
    return visit_(id, record);
  }

  const FilterScope& scope_;
  const PointFilter& filter_;
  const MatchVisitor& visit_;
  std::uint64_t judged_ = 0;
};

}  // namespace

Result<PointFilter> PointFilter::compile(const Filter& filter,
                                         std::span<const VectorConfig> vectors) {
  QUIPU_TRY(query::CompiledFilter compiled, query::CompiledFilter::compile(filter));
  return PointFilter(std::move(compiled), vectors);
}

Result<bool> PointFilter::matches(const PointId& id, std::string_view record) const {
  QUIPU_TRY(const PointView point, view_point_record(record));
  const MaskPresence presence(vectors_, point.vector_mask);
  const Result<JsonDocument> payload = JsonDocument::parse(point.payload);
  if (!payload.ok()) {
    return Error{ErrorCode::kCorruption,
                 format("the payload of point {} is not JSON", id.to_string()), "damaged_record"};
  }
  return filter_.matches({.id = id, .payload = payload.value().root(), .vectors = &presence});
}

Result<std::uint64_t> for_each_match(const FilterScope& scope, const PointFilter& filter,
                                     const MatchVisitor& visit) {
  return Scan(scope, filter, visit).run();
}

Result<Matches> find_matches(const FilterScope& scope, const PointFilter& filter) {
  Matches matches;
  const MatchVisitor add = [&](const PointId& id, std::string_view) -> Result<bool> {
    matches.ids.insert(id);
    return true;
  };
  QUIPU_TRY(matches.judged, for_each_match(scope, filter, add));
  return matches;
}

index::SlotBitmap slots_of(const Matches& matches, const FilterScope& scope,
                           const index::DenseIndex& view) {
  index::SlotBitmap slots;
  if (matches.ids.empty()) return slots;
  // Only slots of the moment's own rows: others may be given to new points meanwhile.
  view.for_each_slot(scope.moment->applied, [&](SlotId slot) {
    if (matches.ids.contains(scope.shard->slots.id_of(slot))) slots.add(slot);
  });
  return slots;
}

}  // namespace quipu::engine
