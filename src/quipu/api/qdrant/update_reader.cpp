#include <algorithm>
#include <array>
#include <utility>

#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/update.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

using query::member;

// ---------------------------------------------------------------- vectors

// What stands for something to be embedded: {"text", "model"}, {"image", "model"}, ...
bool is_inference(JsonView json) {
  const auto model = json.find("model");
  return model && model->is_string();
}

std::optional<JsonView> first_of(JsonView array) {
  std::optional<JsonView> first;
  array.for_each_element([&first](JsonView item) {
    first = item;
    return false;
  });
  return first;
}

Status read_numbers(JsonView json, const Place& at, std::vector<float>& into) {
  const Status read = json.read_floats(into);
  if (read.ok()) return ok_status();
  return at.error(read.error().message, "invalid_vector");
}

Result<NamedVector> read_rows(JsonView json, std::string_view name, const Place& at,
                              VectorKinds& kinds) {
  QUIPU_TRY(const VectorConfig* config, kinds.find(name));
  QUIPU_TRY_OK(check_multi(*config, at));
  NamedVector vector{.name = std::string(name), .values = {}, .indices = {}};
  vector.values.reserve(std::min<std::size_t>(json.size() * config->dim, limits::kVectorValuesMax));
  std::vector<float> row;
  const auto read = [&](JsonView item, const Place& place) -> Status {
    if (!item.is_array()) return query::expected("a list of numbers", item, place);
    row.clear();
    QUIPU_TRY_OK(read_numbers(item, place, row));
    return add_row(row, config->dim, place, vector.values);
  };
  QUIPU_TRY_OK(query::read_elements(json, "a list of lists of numbers", at, read));
  return vector;
}

Result<NamedVector> read_sparse(JsonView json, std::string_view name, const Place& at,
                                VectorKinds& kinds) {
  constexpr std::array<std::string_view, 2> kMembers = {"indices", "values"};
  QUIPU_TRY_OK(query::check_members(json, kMembers, at));
  QUIPU_TRY(const JsonView indices, query::required(json, "indices", at));
  QUIPU_TRY(const JsonView values, query::required(json, "values", at));
  NamedVector vector{.name = std::string(name), .values = {}, .indices = {}};
  const Place indices_at(at, "indices");
  QUIPU_TRY_OK(query::read_elements(
      indices, "a list of numbers", indices_at, [&](JsonView item, const Place& place) -> Status {
        QUIPU_TRY(const std::uint64_t index, query::read_count(item, 0, UINT32_MAX, place));
        vector.indices.push_back(static_cast<std::uint32_t>(index));
        return ok_status();
      }));
  if (!values.is_array()) {
    return query::expected("a list of numbers", values, Place(at, "values"));
  }
  QUIPU_TRY_OK(read_numbers(values, Place(at, "values"), vector.values));
  QUIPU_TRY_OK(check_sparse(vector, at, kinds));
  return vector;
}

Result<NamedVector> read_vector(JsonView json, std::string_view name, const Place& at,
                                VectorKinds& kinds) {
  if (json.is_object()) {
    if (is_inference(json)) return inference_not_built(at);
    return read_sparse(json, name, at, kinds);
  }
  if (!json.is_array()) {
    return query::expected("a list of numbers, a list of such lists, or indices and values", json,
                           at);
  }
  const auto first = first_of(json);
  if (first && first->is_array()) return read_rows(json, name, at, kinds);
  NamedVector vector{.name = std::string(name), .values = {}, .indices = {}};
  QUIPU_TRY_OK(read_numbers(json, at, vector.values));
  return vector;
}

// A vector alone, or an object of named ones.
Result<std::vector<NamedVector>> read_vectors(JsonView json, const Place& at, VectorKinds& kinds) {
  std::vector<NamedVector> vectors;
  if (!json.is_object()) {
    QUIPU_TRY(NamedVector vector, read_vector(json, "", at, kinds));
    vectors.push_back(std::move(vector));
    return vectors;
  }
  if (is_inference(json)) return inference_not_built(at);
  std::optional<Error> error;
  json.for_each_member([&](std::string_view name, JsonView value) {
    if (value.is_null()) return true;
    auto vector = read_vector(value, name, Place(at, name), kinds);
    if (!vector.ok()) {
      error = std::move(vector).error();
      return false;
    }
    vectors.push_back(std::move(vector).value());
    return true;
  });
  if (error) return *error;
  return vectors;
}

// ---------------------------------------------------------------- upserts

Result<std::string> read_payload(JsonView json, const Place& at) {
  if (!json.is_object()) return query::expected("an object", json, at);
  return json.to_string();
}

Result<std::vector<PointWrite>> read_points(JsonView json, const Place& at, VectorKinds& kinds) {
  constexpr std::array<std::string_view, 3> kMembers = {"id", "vector", "payload"};
  std::vector<PointWrite> points;
  points.reserve(json.size());
  const auto read = [&](JsonView item, const Place& place) -> Status {
    QUIPU_TRY_OK(query::check_object(item, "a point", place));
    QUIPU_TRY_OK(query::check_members(item, kMembers, place));
    PointWrite point;
    QUIPU_TRY(const JsonView id, query::required(item, "id", place));
    QUIPU_TRY(point.id, query::read_point_id(id, Place(place, "id")));
    QUIPU_TRY(const JsonView vector, query::required(item, "vector", place));
    QUIPU_TRY(point.vectors, read_vectors(vector, Place(place, "vector"), kinds));
    if (const auto payload = member(item, "payload")) {
      QUIPU_TRY(point.payload, read_payload(*payload, Place(place, "payload")));
    }
    points.push_back(std::move(point));
    return ok_status();
  };
  QUIPU_TRY_OK(query::read_elements(json, "a list of points", at, read));
  return points;
}

// Gives each point its vector of one column of a batch.
Status read_column(JsonView json, std::string_view name, const Place& at, VectorKinds& kinds,
                   std::vector<PointWrite>& points) {
  if (!json.is_array()) return query::expected("a list of vectors", json, at);
  if (json.size() != points.size()) {
    return at.error(format("has {} vectors for {} ids", json.size(), points.size()),
                    query::kInvalidQuery);
  }
  std::size_t next = 0;
  return query::read_elements(
      json, "a list of vectors", at, [&](JsonView item, const Place& place) -> Status {
        PointWrite& point = points[next++];
        if (item.is_null()) return ok_status();
        QUIPU_TRY(NamedVector vector, read_vector(item, name, place, kinds));
        point.vectors.push_back(std::move(vector));
        return ok_status();
      });
}

Result<std::vector<PointWrite>> read_columns(JsonView json, const Place& at, VectorKinds& kinds) {
  constexpr std::array<std::string_view, 3> kMembers = {"ids", "vectors", "payloads"};
  QUIPU_TRY_OK(query::check_object(json, "an object with ids and vectors", at));
  QUIPU_TRY_OK(query::check_members(json, kMembers, at));
  QUIPU_TRY(const JsonView ids, query::required(json, "ids", at));
  QUIPU_TRY(const std::vector<PointId> read, read_ids(ids, Place(at, "ids")));
  std::vector<PointWrite> points(read.size());
  for (std::size_t i = 0; i < read.size(); ++i) points[i].id = read[i];
  QUIPU_TRY(const JsonView vectors, query::required(json, "vectors", at));
  const Place vectors_at(at, "vectors");
  if (vectors.is_object()) {
    Status status = ok_status();
    vectors.for_each_member([&](std::string_view name, JsonView column) {
      status = read_column(column, name, Place(vectors_at, name), kinds, points);
      return status.ok();
    });
    QUIPU_TRY_OK(std::move(status));
  } else {
    QUIPU_TRY_OK(read_column(vectors, "", vectors_at, kinds, points));
  }
  const auto payloads = member(json, "payloads");
  if (!payloads) return points;
  const Place payloads_at(at, "payloads");
  if (payloads->is_array() && payloads->size() != points.size()) {
    return payloads_at.error(format("has {} payloads for {} ids", payloads->size(), points.size()),
                             query::kInvalidQuery);
  }
  std::size_t next = 0;
  QUIPU_TRY_OK(query::read_elements(*payloads, "a list of objects", payloads_at,
                                    [&](JsonView item, const Place& place) -> Status {
                                      PointWrite& point = points[next++];
                                      if (item.is_null()) return ok_status();
                                      QUIPU_TRY(point.payload, read_payload(item, place));
                                      return ok_status();
                                    }));
  return points;
}

Status read_only_if(JsonView body, const Place& at, std::optional<Filter>& into) {
  const auto json = member(body, "update_filter");
  if (!json) return ok_status();
  QUIPU_TRY(into, query::parse_filter(*json, Place(at, "update_filter").text()));
  return ok_status();
}

// ---------------------------------------------------------------- selections of points

Result<Selector> read_selector(JsonView body, const Place& at) {
  QUIPU_TRY_OK(refuse_shard_key(body, at));
  Selector selector;
  if (const auto points = member(body, "points")) {
    QUIPU_TRY(selector.ids, read_ids(*points, Place(at, "points")));
    QUIPU_TRY_OK(finish_selector(selector, true, at));
    return selector;
  }
  QUIPU_TRY(selector.filter, read_filter(body, at));
  QUIPU_TRY_OK(finish_selector(selector, false, at));
  return selector;
}

Status check_write_body(JsonView body, const Place& at, query::Names members) {
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  return query::check_members(body, members, at);
}

// A path's spelling of one name.
std::optional<std::string> quoted_name(std::string_view name) {
  if (name.empty() || name.find_first_of("\"\\") != std::string_view::npos) return std::nullopt;
  return "\"" + std::string(name) + "\"";
}

// Members that are null remove what is there; the others are set.
Status split_nulls(JsonView payload, const Place& at, PointPatch& patch) {
  patch.set_payload.clear();
  JsonWriter out(patch.set_payload);
  out.begin_object();
  Status status = ok_status();
  payload.for_each_member([&](std::string_view name, JsonView value) {
    if (!value.is_null()) {
      out.key(name).raw(value.to_string());
    } else if (patch.set_key.empty()) {
      patch.delete_payload.emplace_back(name);
    } else if (const auto quoted = quoted_name(name)) {
      patch.delete_paths.push_back(patch.set_key + "." + *quoted);
    } else {
      status = Place(at, name).error(
          "cannot be removed at a key: no path can spell a name that is empty or has a quote or a "
          "backslash",
          query::kInvalidQuery);
    }
    return status.ok();
  });
  out.end_object();
  return status;
}

constexpr std::array<std::string_view, 5> kSetPayloadMembers = {"payload", "points", "filter",
                                                                "shard_key", "key"};

}  // namespace

Result<const VectorConfig*> VectorKinds::find(std::string_view name) {
  if (!vectors_) {
    QUIPU_TRY(CollectionInfo info, engine_.collection(tenant_, collection_));
    vectors_ = std::move(info.config.vectors);
  }
  const auto found = std::ranges::find(*vectors_, name, &VectorConfig::name);
  if (found == vectors_->end()) {
    return Error{ErrorCode::kInvalidArgument, format("the collection has no vector '{}'", name),
                 "vector_not_found"};
  }
  return &*found;
}

Result<Update> read_upsert(JsonView body, const Place& at, VectorKinds& kinds) {
  constexpr std::array<std::string_view, 5> kMembers = {"points", "batch", "shard_key",
                                                        "update_filter", "update_mode"};
  constexpr std::array<std::string_view, 3> kModes = {"upsert", "insert_only", "update_only"};
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  QUIPU_TRY_OK(refuse_shard_key(body, at));
  UpsertUpdate update;
  QUIPU_TRY_OK(read_only_if(body, at, update.only_if));
  if (const auto mode = member(body, "update_mode")) {
    QUIPU_TRY(const std::size_t choice,
              query::read_choice(*mode, kModes, Place(at, "update_mode")));
    update.mode = static_cast<UpsertMode>(choice);
  }
  const auto points = member(body, "points");
  const auto batch = member(body, "batch");
  if (points.has_value() == batch.has_value()) {
    return at.error("must have one of points and batch", query::kInvalidQuery);
  }
  if (points) {
    QUIPU_TRY(update.points, read_points(*points, Place(at, "points"), kinds));
  } else {
    QUIPU_TRY(update.points, read_columns(*batch, Place(at, "batch"), kinds));
  }
  if (update.points.empty()) {
    return at.error("has no points: Empty update request", query::kInvalidQuery);
  }
  keep_last_of_each_id(update.points);
  return Update(std::move(update));
}

Result<Update> read_delete(JsonView body, const Place& at) {
  constexpr std::array<std::string_view, 3> kMembers = {"points", "filter", "shard_key"};
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  DeleteUpdate update;
  QUIPU_TRY(update.points, read_selector(body, at));
  return Update(std::move(update));
}

Result<Update> read_set_payload(JsonView body, const Place& at) {
  QUIPU_TRY_OK(check_write_body(body, at, kSetPayloadMembers));
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(body, at));
  if (const auto key = member(body, "key")) {
    const Place here(at, "key");
    QUIPU_TRY(update.patch.set_key, query::read_string(*key, here));
    const auto path = query::PayloadPath::parse(update.patch.set_key);
    if (!path.ok()) return here.error(path.error().message, "invalid_path");
  }
  QUIPU_TRY(const JsonView payload, query::required(body, "payload", at));
  const Place payload_at(at, "payload");
  QUIPU_TRY_OK(query::check_object(payload, "an object", payload_at));
  QUIPU_TRY_OK(split_nulls(payload, payload_at, update.patch));
  return Update(std::move(update));
}

Result<Update> read_overwrite_payload(JsonView body, const Place& at) {
  QUIPU_TRY_OK(check_write_body(body, at, kSetPayloadMembers));
  if (member(body, "key")) {
    return Place(at, "key").error("is not for overwriting, which replaces the whole payload",
                                  query::kInvalidQuery);
  }
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(body, at));
  QUIPU_TRY(const JsonView payload, query::required(body, "payload", at));
  QUIPU_TRY(update.patch.set_payload, read_payload(payload, Place(at, "payload")));
  update.patch.replace_payload = true;
  return Update(std::move(update));
}

Result<Update> read_delete_payload(JsonView body, const Place& at) {
  constexpr std::array<std::string_view, 4> kMembers = {"keys", "points", "filter", "shard_key"};
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(body, at));
  QUIPU_TRY(const JsonView keys, query::required(body, "keys", at));
  const Place keys_at(at, "keys");
  QUIPU_TRY(update.patch.delete_paths, read_strings(keys, keys_at));
  for (std::size_t i = 0; i < update.patch.delete_paths.size(); ++i) {
    const auto path = query::PayloadPath::parse(update.patch.delete_paths[i]);
    if (!path.ok()) return Place(keys_at, i).error(path.error().message, "invalid_path");
  }
  return Update(std::move(update));
}

Result<Update> read_clear_payload(JsonView body, const Place& at) {
  constexpr std::array<std::string_view, 3> kMembers = {"points", "filter", "shard_key"};
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(body, at));
  update.patch.replace_payload = true;
  return Update(std::move(update));
}

Result<Update> read_update_vectors(JsonView body, const Place& at, VectorKinds& kinds) {
  constexpr std::array<std::string_view, 3> kMembers = {"points", "shard_key", "update_filter"};
  constexpr std::array<std::string_view, 2> kPointMembers = {"id", "vector"};
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  QUIPU_TRY_OK(refuse_shard_key(body, at));
  VectorsUpdate update;
  QUIPU_TRY_OK(read_only_if(body, at, update.only_if));
  QUIPU_TRY(const JsonView points, query::required(body, "points", at));
  VectorsCollector collector(update);
  const auto read = [&](JsonView item, const Place& place) -> Status {
    QUIPU_TRY_OK(check_write_body(item, place, kPointMembers));
    QUIPU_TRY(const JsonView id_json, query::required(item, "id", place));
    QUIPU_TRY(const PointId id, query::read_point_id(id_json, Place(place, "id")));
    QUIPU_TRY(const JsonView vector, query::required(item, "vector", place));
    QUIPU_TRY(std::vector<NamedVector> vectors,
              read_vectors(vector, Place(place, "vector"), kinds));
    collector.add(id, std::move(vectors));
    return ok_status();
  };
  QUIPU_TRY_OK(query::read_elements(points, "a list of points", Place(at, "points"), read));
  if (update.points.empty()) {
    return Place(at, "points")
        .error("is empty: must specify points to update", query::kInvalidQuery);
  }
  return Update(std::move(update));
}

Result<Update> read_delete_vectors(JsonView body, const Place& at) {
  constexpr std::array<std::string_view, 4> kMembers = {"points", "filter", "vector", "shard_key"};
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  PatchUpdate update;
  QUIPU_TRY(update.points, read_selector(body, at));
  QUIPU_TRY(const JsonView names, query::required(body, "vector", at));
  const Place names_at(at, "vector");
  QUIPU_TRY(update.patch.delete_vectors, read_strings(names, names_at));
  if (update.patch.delete_vectors.empty()) {
    return names_at.error("is empty: must specify vector names to delete", query::kInvalidQuery);
  }
  return Update(std::move(update));
}

Result<std::vector<Update>> read_batch(JsonView body, VectorKinds& kinds) {
  constexpr std::array<std::string_view, 1> kMembers = {"operations"};
  constexpr std::array<std::string_view, 8> kOperations = {
      "upsert",         "delete",        "set_payload",    "overwrite_payload",
      "delete_payload", "clear_payload", "update_vectors", "delete_vectors"};
  const Place at("");
  QUIPU_TRY_OK(check_write_body(body, at, kMembers));
  QUIPU_TRY(const JsonView operations, query::required(body, "operations", at));
  std::vector<Update> updates;
  const auto read = [&](JsonView item, const Place& place) -> Status {
    QUIPU_TRY_OK(check_write_body(item, place, kOperations));
    const auto present = query::present(item, kOperations);
    if (present.size() != 1) {
      return place.error("must have exactly one of " + query::name_list(kOperations),
                         query::kInvalidQuery);
    }
    const std::string_view name = present.front();
    const JsonView json = *member(item, name);
    const Place here(place, name);
    auto update = name == "upsert"              ? read_upsert(json, here, kinds)
                  : name == "delete"            ? read_delete(json, here)
                  : name == "set_payload"       ? read_set_payload(json, here)
                  : name == "overwrite_payload" ? read_overwrite_payload(json, here)
                  : name == "delete_payload"    ? read_delete_payload(json, here)
                  : name == "clear_payload"     ? read_clear_payload(json, here)
                  : name == "update_vectors"    ? read_update_vectors(json, here, kinds)
                                                : read_delete_vectors(json, here);
    if (!update.ok()) return std::move(update).error();
    updates.push_back(std::move(update).value());
    return ok_status();
  };
  QUIPU_TRY_OK(
      query::read_elements(operations, "a list of operations", Place(at, "operations"), read));
  return updates;
}

}  // namespace quipu::api::qdrant
