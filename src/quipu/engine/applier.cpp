#include "quipu/engine/applier.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/engine/point_filter.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

// An operation with a key drops at most this many that have expired: apply stays bounded, and two
// for one is enough to shrink.
constexpr int kExpiredPerOperation = 16;

// What follows an operation in its log entry.
constexpr std::string_view kLogApplied{"\0", 1};
constexpr std::string_view kLogRefused{"\1", 1};

std::optional<Error> check_condition(const storage::OpCondition& condition, const PointId& id,
                                     bool exists, std::uint64_t version) {
  if (condition.if_absent && exists) {
    return Error{ErrorCode::kAlreadyExists,
                 format("the point {} exists, with version {}, and if_absent was asked for",
                        id.to_string(), version),
                 "point_exists"};
  }
  if (condition.if_version && (!exists || version != *condition.if_version)) {
    return Error{ErrorCode::kFailedPrecondition,
                 exists ? format("the point {} has version {}, not {}", id.to_string(), version,
                                 *condition.if_version)
                        : format("the point {} is absent, so it does not have version {}",
                                 id.to_string(), *condition.if_version),
                 "version_mismatch"};
  }
  return std::nullopt;
}

VectorIds ids_of(const std::vector<storage::OpVector>& vectors) {
  VectorIds ids;
  for (const storage::OpVector& vector : vectors) ids.insert(vector.vector_id);
  return ids;
}

// Of the schema's vectors, a mask of those for whose id it holds.
template <typename Holds>
std::uint16_t positions_where(const Schema& schema, const Holds& holds) {
  unsigned mask = 0;
  for (std::size_t i = 0; i < schema.vectors.size(); ++i) {
    if (holds(schema.vectors[i].id)) mask |= 1U << i;
  }
  return static_cast<std::uint16_t>(mask);
}

// Whether the shard has the vectors that an operation names: another one may have dropped them
// since it was made. Errors: kNotFound ("vector_not_found").
template <typename Point>
Status check_vectors_of(const Schema& schema, const Point& point) {
  const auto check = [&schema](std::uint16_t id) -> Status {
    if (schema.find_vector(id)) return ok_status();
    return Error{ErrorCode::kNotFound,
                 "a vector that was written to was dropped meanwhile: nothing was written",
                 "vector_not_found"};
  };
  if constexpr (requires { point.vectors; }) {
    for (const storage::OpVector& vector : point.vectors) QUIPU_TRY_OK(check(vector.vector_id));
  }
  if constexpr (requires { point.delete_vectors; }) {
    for (const std::uint16_t id : point.delete_vectors) QUIPU_TRY_OK(check(id));
  }
  return ok_status();
}

Status check_vectors(const Schema& schema, const storage::OpBody& body) {
  return std::visit(
      [&schema](const auto& op) -> Status {
        if constexpr (requires { op.patch.delete_vectors; }) {
          return check_vectors_of(schema, op.patch);
        } else if constexpr (requires { op.points; }) {
          for (const auto& point : op.points) QUIPU_TRY_OK(check_vectors_of(schema, point));
        }
        return ok_status();
      },
      body);
}

std::uint16_t erased_all(const Schema& schema, const PointRecord& record) {
  return positions_where(
      schema, [&record](std::uint16_t vector) { return record.vectors.contains(vector); });
}

// A refused operation changes nothing: its other items say on whose account.
void refuse_rest(std::vector<ItemResult>& items) {
  const ItemResult* first = nullptr;
  for (const ItemResult& item : items) {
    if (item.error) {
      first = &item;
      break;
    }
  }
  QUIPU_ASSERT(first != nullptr);
  const std::string id = first->id.to_string();
  const ErrorCode code = first->error->code;
  for (ItemResult& item : items) {
    item.outcome = ItemOutcome::kRefused;
    if (!item.error) {
      item.error = Error{code, format("not done, because the point {} of this batch failed", id),
                         "batch_refused"};
    }
  }
}

}  // namespace

Applier::Applier(KeyValueStore& kv, KvBatch& batch) : kv_(kv), batch_(batch) {}

Applier::Overlay& Applier::overlay(Shard& shard) {
  const auto [it, fresh] = overlays_.try_emplace(shard.id());
  if (fresh) {
    it->second.first = &shard;
    it->second.second.meta = shard.meta;
    it->second.second.oldest_idempotency_us = shard.oldest_idempotency_us;
  }
  return it->second.second;
}

Applier::Current Applier::current(const Shard& shard, const Overlay& overlay,
                                  const PointId& id) const {
  if (const auto it = overlay.points.find(id); it != overlay.points.end()) {
    return {.exists = it->second.exists, .version = it->second.version};
  }
  const std::optional<SlotMap::Entry> entry = shard.slots.find(id);
  return {.exists = entry.has_value(), .version = entry ? entry->version : 0};
}

Result<PointRecord> Applier::read_record(const Shard& shard, const Overlay& overlay,
                                         const PointId& id) {
  QUIPU_TRY(const std::string bytes, read_bytes(shard, overlay, id));
  return decode_point_record(bytes);
}

Result<std::string> Applier::read_bytes(const Shard& shard, const Overlay& overlay,
                                        const PointId& id) {
  if (const auto it = overlay.points.find(id); it != overlay.points.end()) {
    return it->second.record;
  }
  QUIPU_TRY(const std::optional<std::string> bytes,
            kv_.get(Family::kPoints, storage::point_key(shard.id(), id), nullptr));
  if (!bytes) {
    return Error{ErrorCode::kCorruption,
                 format("the point {} of shard {} has a slot and no record", id.to_string(),
                        shard.id().value()),
                 "state_mismatch"};
  }
  return *bytes;
}

Status Applier::plan_upsert(const Shard& shard, const Overlay& overlay,
                            const storage::Operation& operation, const storage::UpsertOp& op,
                            Seq seq, Plan& plan) {
  for (const storage::UpsertPoint& point : op.points) {
    const Current now = current(shard, overlay, point.id);
    ItemResult item{.id = point.id, .version = now.version};
    item.error = check_condition(point.condition, point.id, now.exists, now.version);
    if (item.error) {
      plan.refused = true;
      plan.items.push_back(std::move(item));
      continue;
    }
    Planned planned{.id = point.id, .exists = true, .existed = now.exists};
    planned.record.version = seq.value();
    planned.record.created_us = operation.time_us;
    planned.record.updated_us = operation.time_us;
    planned.record.vectors = ids_of(point.vectors);
    planned.record.text = point.text;
    planned.record.embedding = point.embedding;
    planned.record.payload = point.payload;
    planned.vectors = &point.vectors;
    planned.text_changed = true;
    planned.payload_changed = true;
    if (now.exists) {
      QUIPU_TRY(const PointRecord before, read_record(shard, overlay, point.id));
      planned.record.created_us = before.created_us;
      planned.erased_vectors = positions_where(shard.schema(), [&](std::uint16_t vector) {
        return before.vectors.contains(vector) && !planned.record.vectors.contains(vector);
      });
    }
    plan.points.push_back(std::move(planned));
    item.outcome = now.exists ? ItemOutcome::kUpdated : ItemOutcome::kCreated;
    item.version = seq.value();
    plan.items.push_back(std::move(item));
  }
  return ok_status();
}

Result<std::optional<Error>> Applier::patch_record(const Schema& schema,
                                                   const storage::Operation& operation,
                                                   const storage::PatchPoint& point, Seq seq,
                                                   Planned& planned) {
  PointRecord& record = planned.record;
  auto changed = change_payload(record.payload, point);
  if (!changed.ok()) {
    // What is stored does not decode; or the path leads through something that is no object.
    if (changed.error().code != ErrorCode::kInvalidArgument) return changed.error();
    return std::optional<Error>(changed.error());
  }
  planned.payload_changed = record.payload != changed.value();
  record.payload = std::move(changed).value();
  if (record.payload.size() > limits::kPayloadBytesMax) {
    return std::optional<Error>(
        Error{ErrorCode::kResourceExhausted,
              format("the payload of point {} would have {} bytes; the limit is {}",
                     planned.id.to_string(), record.payload.size(), limits::kPayloadBytesMax),
              "payload_too_large"});
  }
  record.version = seq.value();
  record.updated_us = operation.time_us;
  const VectorIds given = ids_of(point.vectors);
  planned.erased_vectors = positions_where(schema, [&](std::uint16_t vector) {
    return record.vectors.contains(vector) && !given.contains(vector) &&
           std::binary_search(point.delete_vectors.begin(), point.delete_vectors.end(), vector);
  });
  // Of those that the collection has now: what it has dropped is forgotten here.
  VectorIds after;
  for (std::size_t i = 0; i < schema.vectors.size(); ++i) {
    const std::uint16_t vector = schema.vectors[i].id;
    const bool erased = (planned.erased_vectors >> i & 1U) != 0;
    if (!erased && (record.vectors.contains(vector) || given.contains(vector))) {
      after.insert(vector);
    }
  }
  record.vectors = std::move(after);
  if (point.text) {
    record.text = point.text;
    record.embedding = point.embedding;
    planned.text_changed = true;
  }
  planned.vectors = &point.vectors;
  return std::optional<Error>();
}

Status Applier::plan_patch(const Shard& shard, const Overlay& overlay,
                           const storage::Operation& operation, const storage::PatchOp& op, Seq seq,
                           Plan& plan) {
  for (const storage::PatchPoint& point : op.points) {
    const Current now = current(shard, overlay, point.id);
    ItemResult item{.id = point.id, .version = now.version};
    item.error = check_condition(point.condition, point.id, now.exists, now.version);
    if (!item.error && !now.exists) {
      item.outcome = ItemOutcome::kNotFound;
      plan.items.push_back(std::move(item));
      continue;
    }
    Planned planned{.id = point.id, .exists = true, .existed = true};
    if (!item.error) {
      QUIPU_TRY(planned.record, read_record(shard, overlay, point.id));
      QUIPU_TRY(item.error, patch_record(shard.schema(), operation, point, seq, planned));
    }
    if (item.error) {
      plan.refused = true;
      plan.items.push_back(std::move(item));
      continue;
    }
    plan.points.push_back(std::move(planned));
    item.outcome = ItemOutcome::kUpdated;
    item.version = seq.value();
    plan.items.push_back(std::move(item));
  }
  return ok_status();
}

Status Applier::plan_restore(const Shard& shard, const Overlay& overlay,
                             const storage::RestorePointsOp& op, Seq seq, Plan& plan) {
  for (const storage::RestoredPoint& point : op.points) {
    const Current now = current(shard, overlay, point.id);
    ItemResult item{.id = point.id, .version = seq.value()};
    item.error =
        check_condition({.if_version = {}, .if_absent = true}, point.id, now.exists, now.version);
    if (item.error) {
      plan.refused = true;
      plan.items.push_back(std::move(item));
      continue;
    }
    Planned planned{.id = point.id, .exists = true};
    planned.record.version = seq.value();
    planned.record.created_us = point.created_us;
    planned.record.updated_us = point.updated_us;
    planned.record.vectors = ids_of(point.vectors);
    planned.record.text = point.text;
    planned.record.embedding = point.embedding;
    planned.record.payload = point.payload;
    planned.vectors = &point.vectors;
    planned.text_changed = true;
    planned.payload_changed = true;
    plan.points.push_back(std::move(planned));
    plan.items.push_back(std::move(item));
  }
  return ok_status();
}

Status Applier::plan_delete(const Shard& shard, const Overlay& overlay, const storage::DeleteOp& op,
                            Seq seq, Plan& plan) {
  for (const storage::DeletePoint& point : op.points) {
    const Current now = current(shard, overlay, point.id);
    ItemResult item{.id = point.id, .version = now.version};
    item.error = check_condition(point.condition, point.id, now.exists, now.version);
    if (item.error) {
      plan.refused = true;
    } else if (!now.exists) {
      item.outcome = ItemOutcome::kNotFound;
    } else {
      QUIPU_TRY(const PointRecord before, read_record(shard, overlay, point.id));
      plan.points.push_back({.id = point.id,
                             .exists = false,
                             .existed = true,
                             .erased_vectors = erased_all(shard.schema(), before)});
      item.outcome = ItemOutcome::kDeleted;
      item.version = seq.value();
    }
    plan.items.push_back(std::move(item));
  }
  return ok_status();
}

template <typename Op>
Status Applier::plan_by_filter(const Shard& shard, const Overlay& overlay,
                               const storage::Operation& operation, const Op& op, Seq seq,
                               Plan& plan) {
  QUIPU_TRY(const JsonDocument json, JsonDocument::parse(op.filter));
  QUIPU_TRY(const Filter parsed, query::parse_filter(json.root(), "filter"));
  QUIPU_TRY(const PointFilter filter, PointFilter::compile(parsed, shard.vectors()));
  for (const PointId& id : op.candidates) {
    if (!current(shard, overlay, id).exists) continue;
    QUIPU_TRY(const std::string bytes, read_bytes(shard, overlay, id));
    QUIPU_TRY(const bool matches, filter.matches(id, bytes));
    if (!matches) continue;
    ItemResult item{.id = id, .version = seq.value()};
    Planned planned{.id = id, .existed = true};
    QUIPU_TRY(planned.record, decode_point_record(bytes));
    if constexpr (requires { op.patch; }) {
      planned.exists = true;
      QUIPU_TRY(item.error, patch_record(shard.schema(), operation, op.patch, seq, planned));
      item.outcome = ItemOutcome::kUpdated;
    } else {
      planned.erased_vectors = erased_all(shard.schema(), planned.record);
      item.outcome = ItemOutcome::kDeleted;
    }
    if (item.error) plan.refused = true;
    plan.points.push_back(std::move(planned));
    plan.items.push_back(std::move(item));
  }
  return ok_status();
}

Result<Applier::Plan> Applier::make_plan(const Shard& shard, const Overlay& overlay,
                                         const storage::Operation& operation, Seq seq) {
  Plan plan;
  if (const auto* upsert = std::get_if<storage::UpsertOp>(&operation.body)) {
    QUIPU_TRY_OK(plan_upsert(shard, overlay, operation, *upsert, seq, plan));
  } else if (const auto* patch = std::get_if<storage::PatchOp>(&operation.body)) {
    QUIPU_TRY_OK(plan_patch(shard, overlay, operation, *patch, seq, plan));
  } else if (const auto* remove = std::get_if<storage::DeleteOp>(&operation.body)) {
    QUIPU_TRY_OK(plan_delete(shard, overlay, *remove, seq, plan));
  } else if (const auto* erase = std::get_if<storage::DeleteByFilterOp>(&operation.body)) {
    QUIPU_TRY_OK(plan_by_filter(shard, overlay, operation, *erase, seq, plan));
  } else if (const auto* change = std::get_if<storage::PatchByFilterOp>(&operation.body)) {
    QUIPU_TRY_OK(plan_by_filter(shard, overlay, operation, *change, seq, plan));
  } else if (const auto* restore = std::get_if<storage::RestorePointsOp>(&operation.body)) {
    QUIPU_TRY_OK(plan_restore(shard, overlay, *restore, seq, plan));
  } else {
    return Error{ErrorCode::kInternal, "an operation on the catalogue came to a shard of points"};
  }
  if (plan.refused) {
    plan.points.clear();
    refuse_rest(plan.items);
  }
  return plan;
}

std::vector<PointEffect> Applier::emit_plan(const Shard& shard, Overlay& overlay, Plan& plan) {
  std::vector<PointEffect> effects;
  effects.reserve(plan.points.size());
  for (Planned& point : plan.points) {
    // Counted here and not in the plan, so that an id named twice counts once.
    const bool existed = current(shard, overlay, point.id).exists;
    if (point.exists && !existed) ++overlay.meta.points;
    if (!point.exists && existed) --overlay.meta.points;
    for (std::uint16_t i = 0; i < shard.vectors().size(); ++i) {
      if ((point.erased_vectors >> i & 1U) != 0) {
        batch_.erase(Family::kVectors,
                     storage::vector_key(shard.id(), shard.vectors()[i].id, point.id));
      }
    }
    const std::string key = storage::point_key(shard.id(), point.id);
    OverlayPoint& after = overlay.points[point.id];
    after = {.exists = point.exists, .version = point.record.version, .record = {}};
    PointEffect& effect = effects.emplace_back();
    effect.id = point.id;
    if (!point.exists) {
      batch_.erase(Family::kPoints, key);
      continue;
    }
    after.record = encode_point_record(point.record);
    batch_.put(Family::kPoints, key, after.record);
    for (const storage::OpVector& vector : *point.vectors) {
      const std::string_view parts[] = {{reinterpret_cast<const char*>(vector.indices.data()),
                                         vector.indices.size() * sizeof(std::uint32_t)},
                                        {reinterpret_cast<const char*>(vector.values.data()),
                                         vector.values.size() * sizeof(float)}};
      batch_.put_parts(Family::kVectors,
                       storage::vector_key(shard.id(), vector.vector_id, point.id), parts);
    }
    effect.exists = true;
    effect.erased_vectors = point.erased_vectors;
    effect.vectors = point.vectors;
    effect.text_changed = point.text_changed;
    effect.payload_changed = point.payload_changed;
    effect.record = std::move(point.record);
  }
  return effects;
}

Result<Applied> Applier::apply(Shard& shard, const storage::Operation& operation,
                               std::string_view encoded) {
  Overlay& over = overlay(shard);
  if (operation.idempotency) {
    QUIPU_TRY(std::optional<Applied> earlier,
              find_idempotent(shard, *operation.idempotency, operation.time_us));
    if (earlier) return std::move(*earlier);
  }
  QUIPU_TRY_OK(check_vectors(shard.schema(), operation.body));
  const Seq seq(over.meta.applied.value() + 1);
  QUIPU_TRY(Plan plan, make_plan(shard, over, operation, seq));
  Applied applied{.seq = seq, .refused = plan.refused, .items = std::move(plan.items)};
  // Only expiry can still fail, by reading; what it drops has expired either way.
  if (operation.idempotency) QUIPU_TRY_OK(remember(shard, over, operation, applied));
  over.meta.applied = seq;
  ++over.operations;
  put_log_entry(batch_, shard.id(), seq, encoded, applied.refused);
  applied.effects = emit_plan(shard, over, plan);
  return applied;
}

void Applier::finish() {
  for (const auto& [id, entry] : overlays_) {
    batch_.put(Family::kMeta, storage::applied_key(id), encode_shard_meta(entry.second.meta));
  }
}

void Applier::commit() {
  for (auto& [id, entry] : overlays_) {
    entry.first->meta = entry.second.meta;
    entry.first->oldest_idempotency_us = entry.second.oldest_idempotency_us;
    // A statistic: no order with anything else is needed.
    entry.first->log_operations.fetch_add(entry.second.operations, std::memory_order_relaxed);
  }
}

Result<std::optional<Applied>> Applier::find_idempotent(const Shard& shard,
                                                        const storage::OpIdempotency& key,
                                                        std::int64_t time_us) {
  std::optional<std::string> bytes;
  if (const auto it = remembered_.find({shard.id(), key.key}); it != remembered_.end()) {
    bytes = it->second;
  } else {
    QUIPU_TRY(bytes, kv_.get(Family::kDedup, storage::dedup_key(shard.id(), key.key), nullptr));
  }
  if (!bytes) return std::optional<Applied>();
  QUIPU_TRY(IdempotencyRecord record, decode_idempotency_record(*bytes));
  if (record.time_us + limits::kIdempotencyAgeUsMax < time_us) return std::optional<Applied>();
  if (record.request != key.request) {
    return Error{ErrorCode::kFailedPrecondition,
                 "this idempotency key was used for another request in the last 24 hours",
                 "idempotency_mismatch"};
  }
  return std::optional<Applied>(Applied{
      .seq = record.seq, .refused = false, .replayed = true, .items = std::move(record.items)});
}

Status Applier::remember(const Shard& shard, Overlay& overlay, const storage::Operation& operation,
                         const Applied& applied) {
  QUIPU_TRY_OK(expire_idempotency(shard, overlay, operation.time_us));
  const Digest128& key = operation.idempotency->key;
  std::string record = encode_idempotency_record({.request = operation.idempotency->request,
                                                  .time_us = operation.time_us,
                                                  .seq = applied.seq,
                                                  .items = applied.items});
  batch_.put(Family::kDedup, storage::dedup_key(shard.id(), key), record);
  batch_.put(Family::kDedup, storage::dedup_time_key(shard.id(), operation.time_us, key), "");
  remembered_[{shard.id(), key}] = std::move(record);
  ++overlay.meta.idempotency_keys;
  if (overlay.oldest_idempotency_us < 0) overlay.oldest_idempotency_us = operation.time_us;
  return ok_status();
}

Status Applier::expire_idempotency(const Shard& shard, Overlay& overlay, std::int64_t time_us) {
  const std::int64_t horizon = time_us - limits::kIdempotencyAgeUsMax;
  const bool known_young =
      overlay.oldest_idempotency_us >= 0 && overlay.oldest_idempotency_us >= horizon;
  if (known_young && overlay.meta.idempotency_keys < limits::kIdempotencyKeysMax) {
    return ok_status();
  }
  const storage::KeyRange range =
      storage::dedup_time_range(shard.id(), std::numeric_limits<std::int64_t>::max());
  const std::unique_ptr<KvIterator> it = kv_.iterate(
      Family::kDedup, {.begin = range.begin, .end = range.end, .fill_cache = true}, nullptr);
  it->seek(range.begin);
  overlay.oldest_idempotency_us = time_us;
  for (int dropped = 0; it->valid(); it->next()) {
    QUIPU_TRY(const storage::DedupTimeKey entry, storage::decode_dedup_time_key(it->key()));
    const bool over = overlay.meta.idempotency_keys >= limits::kIdempotencyKeysMax;
    if ((entry.time_us >= horizon && !over) || dropped == kExpiredPerOperation) {
      overlay.oldest_idempotency_us = entry.time_us;
      break;
    }
    // Not one that this group has just written anew under the same key.
    if (!remembered_.contains({shard.id(), entry.digest})) {
      batch_.erase(Family::kDedup, storage::dedup_key(shard.id(), entry.digest));
    }
    batch_.erase(Family::kDedup, it->key());
    if (overlay.meta.idempotency_keys > 0) --overlay.meta.idempotency_keys;
    ++dropped;
  }
  return it->status();
}

void put_log_entry(KvBatch& batch, ShardId shard, Seq seq, std::string_view encoded, bool refused) {
  const std::string_view outcome = refused ? kLogRefused : kLogApplied;
  const std::string_view parts[] = {encoded, outcome};
  batch.put_parts(Family::kLog, storage::log_key(shard, seq), parts);
}

Result<LogEntry> read_log_entry(std::string_view value) {
  QUIPU_TRY(storage::DecodedOperation decoded, storage::decode_operation(value));
  const std::string_view outcome = value.substr(decoded.size);
  if (outcome != kLogApplied && outcome != kLogRefused) {
    return Error{ErrorCode::kCorruption, "a log entry's outcome does not decode", "damaged_record"};
  }
  return LogEntry{.operation = std::move(decoded.operation), .refused = outcome == kLogRefused};
}

}  // namespace quipu::engine
