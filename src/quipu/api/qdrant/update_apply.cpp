#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/update.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::api::qdrant {
namespace {

// How often a conditional write is tried when others change its points meanwhile.
constexpr int kTriesMax = 32;

using Number = std::optional<std::uint64_t>;

// What the parts of a write say, together.
struct Outcome {
  Number number;
  std::optional<PointId> missing;  // the first point that was not there

  void add(const WriteResult& written) {
    for (const ItemResult& item : written.items) {
      if (item.outcome == ItemOutcome::kNotFound) {
        if (!missing) missing = item.id;
      } else if (item.version > number.value_or(0)) {
        number = item.version;
      }
    }
  }
};

class Applier {
 public:
  explicit Applier(const UpdateTarget& target) : target_(target) {}

  Result<Number> operator()(UpsertUpdate update) {
    Outcome outcome;
    if (!update.unconditional()) return conditional(std::move(update));
    const auto write = [&](std::vector<PointWrite> part) -> Status {
      QUIPU_TRY(
          const WriteResult written,
          engine().upsert(tenant(), collection(),
                          {.points = std::move(part), .allow_bare = true, .params = params()}));
      outcome.add(written);
      return ok_status();
    };
    QUIPU_TRY_OK(in_parts(std::move(update.points), write));
    return outcome.number;
  }

  Result<Number> operator()(DeleteUpdate update) {
    if (update.points.filter && update.points.ids.empty()) {
      QUIPU_TRY_OK(engine().remove_by_filter(
          tenant(), collection(),
          {.filter = std::move(*update.points.filter), .params = params()}));
      return Number();
    }
    Outcome outcome;
    const auto write = [&](const std::vector<PointId>& ids) -> Status {
      DeleteRequest request{.points = {}, .params = params()};
      for (const PointId& id : ids) request.points.push_back({.id = id, .condition = {}});
      QUIPU_TRY(const WriteResult written,
                engine().remove(tenant(), collection(), std::move(request)));
      outcome.add(written);
      return ok_status();
    };
    QUIPU_TRY_OK(in_parts(std::move(update.points.ids), write));
    return outcome.number;  // that some were gone already is no error
  }

  Result<Number> operator()(PatchUpdate update) {
    if (update.points.filter && update.points.ids.empty()) {
      QUIPU_TRY_OK(engine().patch_by_filter(tenant(), collection(),
                                            {.filter = std::move(*update.points.filter),
                                             .patch = std::move(update.patch),
                                             .params = params()}));
      return Number();
    }
    std::vector<PointPatch> patches;
    patches.reserve(update.points.ids.size());
    for (const PointId& id : update.points.ids) {
      patches.push_back(update.patch);
      patches.back().id = id;
    }
    return patch(std::move(patches));
  }

  Result<Number> operator()(VectorsUpdate update) {
    if (!update.only_if) return patch(std::move(update.points));
    return conditional(std::move(update));
  }

 private:
  [[nodiscard]] Engine& engine() const { return *target_.engine; }
  [[nodiscard]] std::string_view tenant() const { return target_.tenant; }
  [[nodiscard]] std::string_view collection() const { return target_.collection; }
  [[nodiscard]] std::chrono::milliseconds time_left() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        target_.deadline - target_.clock->steady_now());
    return std::max(left, std::chrono::milliseconds(1));
  }
  [[nodiscard]] WriteParams params() const {
    return {.idempotency_key = "", .timeout = time_left()};
  }

  // Hands the items on in parts that one request may have.
  template <typename Item, typename Write>
  Status in_parts(std::vector<Item> items, const Write& write) {
    if (items.size() <= limits::kBatchPointsMax) return write(std::move(items));
    for (std::size_t begin = 0; begin < items.size(); begin += limits::kBatchPointsMax) {
      const std::size_t end = std::min(begin + limits::kBatchPointsMax, items.size());
      std::vector<Item> part;
      part.reserve(end - begin);
      for (std::size_t i = begin; i < end; ++i) part.push_back(std::move(items[i]));
      QUIPU_TRY_OK(write(std::move(part)));
    }
    return ok_status();
  }

  Result<Number> patch(std::vector<PointPatch> patches) {
    Outcome outcome;
    const auto write = [&](std::vector<PointPatch> part) -> Status {
      QUIPU_TRY(
          const WriteResult written,
          engine().patch(tenant(), collection(), {.points = std::move(part), .params = params()}));
      outcome.add(written);
      return ok_status();
    };
    QUIPU_TRY_OK(in_parts(std::move(patches), write));
    if (outcome.missing) return point_not_found(*outcome.missing);
    return outcome.number;
  }

  // What is there of the points, as of now: versions by id, and which of them pass the filter.
  struct Known {
    std::map<PointId, std::uint64_t> versions;
    std::set<PointId> passing;
  };
  Result<Known> look_up(const std::vector<PointId>& ids, const std::optional<Filter>& only_if) {
    // The text, which such points lack, asks for the record and with it the version.
    const Select select{.payload = false, .text = true, .vectors = false};
    Known known;
    QUIPU_TRY(
        const std::vector<Point> points,
        engine().get(
            tenant(), collection(),
            {.ids = ids, .select = select, .params = {.min_seq = "", .timeout = time_left()}}));
    for (const Point& point : points) known.versions.emplace(point.id, point.version);
    if (!only_if) return known;
    // Who changes a point after its version was read makes the write of this version fail.
    ScrollRequest request{.after = {}, .filter = Filter{}, .limit = limits::kScrollPageMax};
    request.filter->must.push_back({HasIdCondition{ids}});
    request.filter->must.push_back({*only_if});
    request.select = select;
    request.params.timeout = time_left();
    QUIPU_TRY(const ScrollPage page, engine().scroll(tenant(), collection(), request));
    for (const Point& point : page.points) known.passing.insert(point.id);
    return known;
  }

  template <typename Item>
  static std::vector<PointId> ids_of(const std::vector<Item>& items) {
    std::vector<PointId> ids;
    ids.reserve(items.size());
    for (const Item& item : items) ids.push_back(item.id);
    return ids;
  }

  // Writes `chosen` under conditions; false when one failed, so that nothing of a part was written.
  static bool refused(const WriteResult& written) {
    return std::ranges::any_of(written.items, [](const ItemResult& item) {
      return item.outcome == ItemOutcome::kRefused || item.outcome == ItemOutcome::kNotFound;
    });
  }

  Result<Number> conditional(UpsertUpdate update) {
    Outcome outcome;
    const auto write = [&](const std::vector<PointWrite>& part) -> Status {
      const std::vector<PointId> ids = ids_of(part);
      std::set<PointId> done;
      for (int tries = 0; tries < kTriesMax; ++tries) {
        QUIPU_TRY(const Known known, look_up(ids, update.only_if));
        UpsertRequest request{.points = {}, .allow_bare = true, .params = params()};
        for (const PointWrite& point : part) {
          const auto there = known.versions.find(point.id);
          const bool exists = there != known.versions.end();
          if (done.contains(point.id)) continue;
          if (exists && update.mode == UpsertMode::kInsertOnly) continue;
          if (!exists && update.mode == UpsertMode::kUpdateOnly) continue;
          if (exists && update.only_if && !known.passing.contains(point.id)) continue;
          PointWrite& chosen = request.points.emplace_back(point);
          chosen.condition.if_absent = !exists;
          if (exists) chosen.condition.if_version = there->second;
        }
        if (request.points.empty()) return ok_status();
        QUIPU_TRY(const WriteResult written,
                  engine().upsert(tenant(), collection(), std::move(request)));
        add_written(written, outcome, done);
        if (!refused(written)) return ok_status();
      }
      return too_busy();
    };
    QUIPU_TRY_OK(in_parts(std::move(update.points), write));
    return outcome.number;
  }

  Result<Number> conditional(VectorsUpdate update) {
    Outcome outcome;
    const auto write = [&](const std::vector<PointPatch>& part) -> Status {
      const std::vector<PointId> ids = ids_of(part);
      std::set<PointId> done;
      for (int tries = 0; tries < kTriesMax; ++tries) {
        QUIPU_TRY(const Known known, look_up(ids, update.only_if));
        PatchRequest request{.points = {}, .params = params()};
        for (const PointPatch& point : part) {
          const auto there = known.versions.find(point.id);
          if (done.contains(point.id)) continue;
          if (there == known.versions.end()) {
            if (!outcome.missing) outcome.missing = point.id;
            continue;
          }
          if (!known.passing.contains(point.id)) continue;
          PointPatch& chosen = request.points.emplace_back(point);
          chosen.condition.if_version = there->second;
        }
        if (request.points.empty()) return ok_status();
        QUIPU_TRY(const WriteResult written,
                  engine().patch(tenant(), collection(), std::move(request)));
        add_written(written, outcome, done);
        if (!refused(written)) return ok_status();
      }
      return too_busy();
    };
    QUIPU_TRY_OK(in_parts(std::move(update.points), write));
    if (outcome.missing) return point_not_found(*outcome.missing);
    return outcome.number;
  }

  // Shards are written apart: what one of them took is not written again.
  static void add_written(const WriteResult& written, Outcome& outcome, std::set<PointId>& done) {
    for (const ItemResult& item : written.items) {
      if (item.outcome == ItemOutcome::kRefused || item.outcome == ItemOutcome::kNotFound) continue;
      done.insert(item.id);
      outcome.number = std::max(outcome.number.value_or(0), item.version);
    }
  }

  static Error too_busy() {
    return {ErrorCode::kUnavailable,
            format("others changed the points {} times while the condition was judged", kTriesMax),
            "write_conflict"};
  }

  const UpdateTarget& target_;
};

}  // namespace

UpdateTarget target_of(const CallPtr& call, const Terms& terms) {
  return {.engine = &call->core().engine,
          .tenant = call->tenant(),
          .collection = call->parameter(0),
          .clock = &call->core().clock,
          .deadline = call->core().clock.steady_now() + terms.timeout};
}

Result<std::optional<std::uint64_t>> apply_update(const UpdateTarget& target, Update update) {
  Applier applier(target);
  return std::visit([&applier](auto& one) { return applier(std::move(one)); }, update);
}

void apply_update_async(const UpdateTarget& target, Update update, UpdateDone done) {
  auto* const upsert = std::get_if<UpsertUpdate>(&update);
  const bool usual = upsert != nullptr && upsert->unconditional() &&
                     upsert->points.size() <= limits::kBatchPointsMax;
  if (!usual) return done(apply_update(target, std::move(update)));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      target.deadline - target.clock->steady_now());
  UpsertRequest request{.points = std::move(upsert->points), .allow_bare = true, .params = {}};
  request.params.timeout = std::max(left, std::chrono::milliseconds(1));
  target.engine->upsert_async(target.tenant, target.collection, std::move(request),
                              [done = std::move(done)](Result<WriteResult> result) {
                                if (!result.ok()) return done(std::move(result).error());
                                Outcome outcome;
                                outcome.add(result.value());
                                done(outcome.number);
                              });
}

}  // namespace quipu::api::qdrant
