#include "quipu/api/qdrant/grpc/updates.h"

#include <utility>

#include "quipu/api/qdrant/grpc/filters.h"
#include "quipu/base/format.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant::rpc {
namespace {

using Operation = pb::PointsUpdateOperation;

Result<Selector> read_selector(const pb::PointsSelector& from, const Place& at) {
  Selector selector;
  if (from.has_points()) {
    QUIPU_TRY(selector.ids, read_ids(from.points().ids(), Place(at, "points")));
  } else if (from.has_filter()) {
    QUIPU_TRY(selector.filter, read_filter(from.filter(), Place(at, "filter")));
  }
  QUIPU_TRY_OK(finish_selector(selector, from.has_points(), at));
  return selector;
}

// ---------------------------------------------------------------- points

Result<UpsertMode> read_mode(pb::UpdateMode mode, const Place& at) {
  switch (mode) {
    case pb::Upsert: return UpsertMode::kUpsert;
    case pb::InsertOnly: return UpsertMode::kInsertOnly;
    case pb::UpdateOnly: return UpsertMode::kUpdateOnly;
    default: break;
  }
  return Place(at, "update_mode")
      .error(format("{} is no mode", static_cast<int>(mode)), query::kInvalidQuery);
}

// A whole upsert's members, which one of a batch has too.
template <typename From>
Result<Update> upsert_of(const From& from, const Place& at, VectorKinds& kinds) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  UpsertUpdate update;
  if (from.has_update_filter()) {
    QUIPU_TRY(update.only_if, read_filter(from.update_filter(), Place(at, "update_filter")));
  }
  QUIPU_TRY(update.mode, read_mode(from.update_mode(), at));
  const Place points_at(at, "points");
  update.points.reserve(static_cast<std::size_t>(from.points_size()));
  for (const pb::PointStruct& each : from.points()) {
    const Place place(points_at, update.points.size());
    PointWrite point;
    QUIPU_TRY(point.id, read_id(each.id(), Place(place, "id")));
    QUIPU_TRY(point.vectors, read_vectors(each.vectors(), Place(place, "vector"), kinds));
    if (!each.payload().empty()) {
      QUIPU_TRY(point.payload, json_of(each.payload(), Place(place, "payload")));
    }
    update.points.push_back(std::move(point));
  }
  if (update.points.empty()) {
    return at.error("has no points: Empty update request", query::kInvalidQuery);
  }
  keep_last_of_each_id(update.points);
  return Update(std::move(update));
}

template <typename From>
Result<Update> vectors_of(const From& from, const Place& at, VectorKinds& kinds) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  VectorsUpdate update;
  if (from.has_update_filter()) {
    QUIPU_TRY(update.only_if, read_filter(from.update_filter(), Place(at, "update_filter")));
  }
  const Place points_at(at, "points");
  VectorsCollector collector(update);
  std::size_t index = 0;
  for (const pb::PointVectors& each : from.points()) {
    const Place place(points_at, index++);
    QUIPU_TRY(const PointId id, read_id(each.id(), Place(place, "id")));
    QUIPU_TRY(std::vector<NamedVector> vectors,
              read_vectors(each.vectors(), Place(place, "vector"), kinds));
    collector.add(id, std::move(vectors));
  }
  if (update.points.empty()) {
    return points_at.error("is empty: must specify points to update", query::kInvalidQuery);
  }
  return Update(std::move(update));
}

Result<Update> delete_of(const pb::PointsSelector& points, const pb::ShardKeySelector& keys,
                         const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(keys, at));
  DeleteUpdate update;
  QUIPU_TRY(update.points, read_selector(points, at));
  return Update(std::move(update));
}

template <typename From>
Result<Update> vector_names_of(const From& from, const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(from.points_selector(), at));
  update.patch.delete_vectors.assign(from.vectors().names().begin(), from.vectors().names().end());
  if (update.patch.delete_vectors.empty()) {
    return Place(at, "vector")
        .error("is empty: must specify vector names to delete", query::kInvalidQuery);
  }
  return Update(std::move(update));
}

// ---------------------------------------------------------------- payloads

// These are rare, small and rich in rules: what the message says is written as the JSON of the same
// request, and read by its reader.

using ReadJson = Result<Update> (*)(JsonView body, const Place& at);

Result<Update> by_json(const std::string& body, ReadJson read, const Place& at) {
  QUIPU_TRY(const JsonDocument parsed, JsonDocument::parse(body));
  return read(parsed.root(), at);
}

Status write_selector(const pb::PointsSelector& from, const Place& at, JsonWriter& out) {
  if (from.has_filter()) {
    QUIPU_TRY(const Filter filter, read_filter(from.filter(), Place(at, "filter")));
    out.key("filter");
    query::write_filter(filter, out);
  }
  if (!from.has_points()) return ok_status();
  QUIPU_TRY(const std::vector<PointId> ids, read_ids(from.points().ids(), Place(at, "points")));
  out.key("points").begin_array();
  for (const PointId& id : ids) {
    if (id.is_uuid()) {
      out.value(std::string_view(id.to_string()));
    } else {
      out.value(id.as_number());
    }
  }
  out.end_array();
  return ok_status();
}

template <typename From>
Result<Update> payload_of(const From& from, bool overwrite, const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  QUIPU_TRY_OK(write_selector(from.points_selector(), at, out));
  QUIPU_TRY(const std::string payload, json_of(from.payload(), Place(at, "payload")));
  out.key("payload").raw(payload);
  if (from.has_key()) out.key("key").value(std::string_view(from.key()));
  out.end_object();
  return by_json(body, overwrite ? read_overwrite_payload : read_set_payload, at);
}

template <typename From>
Result<Update> payload_keys_of(const From& from, const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(from.shard_key_selector(), at));
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  QUIPU_TRY_OK(write_selector(from.points_selector(), at, out));
  out.key("keys").begin_array();
  for (const std::string& key : from.keys()) out.value(std::string_view(key));
  out.end_array().end_object();
  return by_json(body, read_delete_payload, at);
}

Result<Update> clear_of(const pb::PointsSelector& points, const pb::ShardKeySelector& keys,
                        const Place& at) {
  QUIPU_TRY_OK(refuse_shard_keys(keys, at));
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(points, at));
  update.patch.replace_payload = true;
  return Update(std::move(update));
}

// ---------------------------------------------------------------- batches

// Older clients still send what Qdrant's definitions call deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
Result<Update> operation_of(const Operation& from, const Place& at, VectorKinds& kinds) {
  const pb::ShardKeySelector no_keys;
  switch (from.operation_case()) {
    case Operation::kUpsert: return upsert_of(from.upsert(), Place(at, "upsert"), kinds);
    case Operation::kDeletePoints:
      return delete_of(from.delete_points().points(), from.delete_points().shard_key_selector(),
                       Place(at, "delete"));
    case Operation::kDeleteDeprecated:
      return delete_of(from.delete_deprecated(), no_keys, Place(at, "delete"));
    case Operation::kSetPayload:
      return payload_of(from.set_payload(), false, Place(at, "set_payload"));
    case Operation::kOverwritePayload:
      return payload_of(from.overwrite_payload(), true, Place(at, "overwrite_payload"));
    case Operation::kDeletePayload:
      return payload_keys_of(from.delete_payload(), Place(at, "delete_payload"));
    case Operation::kClearPayload:
      return clear_of(from.clear_payload().points(), from.clear_payload().shard_key_selector(),
                      Place(at, "clear_payload"));
    case Operation::kClearPayloadDeprecated:
      return clear_of(from.clear_payload_deprecated(), no_keys, Place(at, "clear_payload"));
    case Operation::kUpdateVectors:
      return vectors_of(from.update_vectors(), Place(at, "update_vectors"), kinds);
    case Operation::kDeleteVectors:
      return vector_names_of(from.delete_vectors(), Place(at, "delete_vectors"));
    case Operation::OPERATION_NOT_SET: break;
  }
  return at.error("has no operation", query::kInvalidQuery);
}
#pragma GCC diagnostic pop

}  // namespace

Result<Update> read_update(const pb::UpsertPoints& from, VectorKinds& kinds) {
  return upsert_of(from, Place(""), kinds);
}

Result<Update> read_update(const pb::DeletePoints& from, VectorKinds&) {
  return delete_of(from.points(), from.shard_key_selector(), Place(""));
}

Result<Update> read_update(const pb::UpdatePointVectors& from, VectorKinds& kinds) {
  return vectors_of(from, Place(""), kinds);
}

Result<Update> read_update(const pb::DeletePointVectors& from, VectorKinds&) {
  return vector_names_of(from, Place(""));
}

Result<Update> read_update(const pb::DeletePayloadPoints& from, VectorKinds&) {
  return payload_keys_of(from, Place(""));
}

Result<Update> read_update(const pb::ClearPayloadPoints& from, VectorKinds&) {
  return clear_of(from.points(), from.shard_key_selector(), Place(""));
}

Result<Update> read_payload_update(const pb::SetPayloadPoints& from, bool overwrite) {
  return payload_of(from, overwrite, Place(""));
}

Result<std::vector<Update>> read_updates(const pb::UpdateBatchPoints& from, VectorKinds& kinds) {
  const Place at("operations");
  std::vector<Update> updates;
  for (const Operation& each : from.operations()) {
    QUIPU_TRY(Update update, operation_of(each, Place(at, updates.size()), kinds));
    updates.push_back(std::move(update));
  }
  return updates;
}

}  // namespace quipu::api::qdrant::rpc
