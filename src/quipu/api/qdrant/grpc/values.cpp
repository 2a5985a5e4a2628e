#include "quipu/api/qdrant/grpc/values.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "quipu/api/qdrant/dialect.h"
#include "quipu/base/datetime.h"
#include "quipu/base/format.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api::qdrant::rpc {
namespace {

constexpr std::int64_t kMicros = 1'000'000;
// The years 0 to 9999, which datetimes have.
constexpr std::int64_t kSecondsMin = -62'167'219'200;
constexpr std::int64_t kSecondsMax = 253'402'300'799;

// Members by name: maps of messages are in no order.
template <typename Map>
std::vector<const typename Map::value_type*> by_name(const Map& members) {
  std::vector<const typename Map::value_type*> sorted;
  sorted.reserve(members.size());
  for (const auto& member : members) sorted.push_back(&member);
  std::ranges::sort(sorted, {},
                    [](const auto* member) -> const std::string& { return member->first; });
  return sorted;
}

Status write_value_members(const ValueMap& members, const Place& at, JsonWriter& out) {
  out.begin_object();
  for (const auto* const member : by_name(members)) {
    out.key(member->first);
    QUIPU_TRY_OK(write_json(member->second, Place(at, member->first), out));
  }
  out.end_object();
  return ok_status();
}

Status write_number(double number, const Place& at, JsonWriter& out) {
  if (!std::isfinite(number)) {
    return at.error(format("{} is no number of a payload", number), query::kInvalidQuery);
  }
  // What is a double stays one: 1.0 and 1 are different values to filters.
  std::string text;
  JsonWriter(text).value(number);
  if (text.find_first_of(".eE") == std::string::npos) text += ".0";
  out.raw(text);
  return ok_status();
}

// ---------------------------------------------------------------- vectors

Result<NamedVector> read_rows(const pb::MultiDenseVector& rows, NamedVector vector, const Place& at,
                              VectorKinds& kinds) {
  QUIPU_TRY(const VectorConfig* config, kinds.find(vector.name));
  QUIPU_TRY_OK(check_multi(*config, at));
  std::size_t index = 0;
  for (const pb::DenseVector& row : rows.vectors()) {
    const std::span<const float> numbers(row.data().data(),
                                         static_cast<std::size_t>(row.data_size()));
    QUIPU_TRY_OK(add_row(numbers, config->dim, Place(at, index++), vector.values));
  }
  return vector;
}

// Older clients still send what Qdrant's definitions call deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
// The form of clients before 1.13: one list, and beside it what it is.
Result<NamedVector> read_old_vector(const pb::Vector& old, NamedVector vector, const Place& at,
                                    VectorKinds& kinds) {
  if (old.has_indices()) {
    vector.values = floats(old.data());
    vector.indices.assign(old.indices().data().begin(), old.indices().data().end());
    QUIPU_TRY_OK(check_sparse(vector, at, kinds));
    return vector;
  }
  if (!old.has_vectors_count()) {
    vector.values = floats(old.data());
    return vector;
  }
  const auto count = static_cast<int>(old.vectors_count());
  if (count <= 0 || old.data_size() % count != 0) {
    return at.error(format("has {} numbers for {} vectors", old.data_size(), old.vectors_count()),
                    "invalid_vector");
  }
  pb::MultiDenseVector rows;
  const int dim = old.data_size() / count;
  for (int row = 0; row < count; ++row) {
    const float* const begin = old.data().data() + std::ptrdiff_t{row} * dim;
    rows.add_vectors()->mutable_data()->Add(begin, begin + dim);
  }
  return read_rows(rows, std::move(vector), at, kinds);
}
#pragma GCC diagnostic pop

Result<NamedVector> read_vector(const pb::Vector& from, std::string_view name, const Place& at,
                                VectorKinds& kinds) {
  NamedVector vector{.name = std::string(name), .values = {}, .indices = {}};
  switch (from.vector_case()) {
    case pb::Vector::kDense: vector.values = floats(from.dense().data()); return vector;
    case pb::Vector::kSparse:
      vector.values = floats(from.sparse().values());
      vector.indices.assign(from.sparse().indices().begin(), from.sparse().indices().end());
      QUIPU_TRY_OK(check_sparse(vector, at, kinds));
      return vector;
    case pb::Vector::kMultiDense:
      return read_rows(from.multi_dense(), std::move(vector), at, kinds);
    case pb::Vector::kDocument:
    case pb::Vector::kImage:
    case pb::Vector::kObject: return inference_not_built(at);
    case pb::Vector::VECTOR_NOT_SET: break;
  }
  return read_old_vector(from, std::move(vector), at, kinds);
}

}  // namespace

Result<PointId> read_id(const pb::PointId& id, const Place& at) {
  if (id.point_id_options_case() == pb::PointId::kNum) return PointId::number(id.num());
  if (id.point_id_options_case() == pb::PointId::kUuid) {
    return query::read_uuid(id.uuid(), at);
  }
  return at.error("is missing: a point id has num or uuid", query::kInvalidQuery);
}

Result<std::vector<PointId>> read_ids(const google::protobuf::RepeatedPtrField<pb::PointId>& ids,
                                      const Place& at) {
  std::vector<PointId> read;
  read.reserve(static_cast<std::size_t>(ids.size()));
  for (const pb::PointId& id : ids) {
    QUIPU_TRY(const PointId one, read_id(id, Place(at, read.size())));
    read.push_back(one);
  }
  return read;
}

void write_id(const PointId& id, pb::PointId& out) {
  if (id.is_uuid()) {
    out.set_uuid(id.to_string());
  } else {
    out.set_num(id.as_number());
  }
}

Status write_json(const pb::Value& value, const Place& at, JsonWriter& out) {
  switch (value.kind_case()) {
    case pb::Value::kDoubleValue: return write_number(value.double_value(), at, out);
    case pb::Value::kIntegerValue: out.value(std::int64_t{value.integer_value()}); break;
    case pb::Value::kStringValue: out.value(std::string_view(value.string_value())); break;
    case pb::Value::kBoolValue: out.value(value.bool_value()); break;
    case pb::Value::kStructValue:
      return write_value_members(value.struct_value().fields(), at, out);
    case pb::Value::kListValue: {
      out.begin_array();
      std::size_t index = 0;
      for (const pb::Value& each : value.list_value().values()) {
        QUIPU_TRY_OK(write_json(each, Place(at, index++), out));
      }
      out.end_array();
      break;
    }
    case pb::Value::kNullValue:
    case pb::Value::KIND_NOT_SET: out.null(); break;
  }
  return ok_status();
}

Result<std::string> json_of(const ValueMap& members, const Place& at) {
  std::string json;
  JsonWriter out(json);
  QUIPU_TRY_OK(write_value_members(members, at, out));
  return json;
}

void fill_value(JsonView json, pb::Value& out) {
  switch (json.kind()) {
    case JsonKind::kNull: out.set_null_value(pb::NULL_VALUE); break;
    case JsonKind::kBool: out.set_bool_value(*json.as_bool()); break;
    case JsonKind::kInt: out.set_integer_value(*json.as_int64()); break;
    case JsonKind::kUint:  // beyond what integers are here
    case JsonKind::kDouble: out.set_double_value(*json.as_double()); break;
    case JsonKind::kString: *out.mutable_string_value() = *json.as_string(); break;
    case JsonKind::kArray: {
      pb::ListValue& list = *out.mutable_list_value();
      list.mutable_values()->Reserve(static_cast<int>(json.size()));
      json.for_each_element([&list](JsonView element) {
        fill_value(element, *list.add_values());
        return true;
      });
      break;
    }
    case JsonKind::kObject: fill_values(json, *out.mutable_struct_value()->mutable_fields()); break;
  }
}

void fill_values(JsonView object, ValueMap& out) {
  object.for_each_member([&out](std::string_view name, JsonView value) {
    fill_value(value, out[std::string(name)]);
    return true;
  });
}

void fill_values(std::string_view json, ValueMap& out) {
  if (json.empty() || json == "{}") return;
  // What the engine stores was checked when it came.
  const auto parsed = JsonDocument::parse(json);
  if (parsed.ok()) fill_values(parsed.value().root(), out);
}

Result<std::string> time_text(const google::protobuf::Timestamp& time, const Place& at) {
  const bool whole = time.nanos() >= 0 && time.nanos() < 1'000'000'000;
  if (!whole || time.seconds() < kSecondsMin || time.seconds() > kSecondsMax) {
    return at.error(format("{} seconds and {} nanoseconds are no time of the years 0 to 9999",
                           time.seconds(), time.nanos()),
                    query::kInvalidQuery);
  }
  std::string text = telemetry::rfc3339(time.seconds() * kMicros);
  text.resize(text.find('.'));
  text += format(".{:06}Z", time.nanos() / 1000);
  return text;
}

void fill_time(std::string_view text, google::protobuf::Timestamp& out) {
  const auto micros = try_parse_datetime(text);
  if (!micros) return;
  std::int64_t seconds = *micros / kMicros;
  std::int64_t rest = *micros % kMicros;
  if (rest < 0) {
    rest += kMicros;
    --seconds;
  }
  out.set_seconds(seconds);
  out.set_nanos(static_cast<std::int32_t>(rest * 1000));
}

Result<std::vector<NamedVector>> read_vectors(const pb::Vectors& vectors, const Place& at,
                                              VectorKinds& kinds) {
  std::vector<NamedVector> read;
  if (vectors.has_vector()) {
    QUIPU_TRY(NamedVector one, read_vector(vectors.vector(), "", at, kinds));
    read.push_back(std::move(one));
    return read;
  }
  if (!vectors.has_vectors()) return at.error("is missing", query::kInvalidQuery);
  for (const auto* const member : by_name(vectors.vectors().vectors())) {
    QUIPU_TRY(NamedVector one,
              read_vector(member->second, member->first, Place(at, member->first), kinds));
    read.push_back(std::move(one));
  }
  return read;
}

Status refuse_shard_keys(const pb::ShardKeySelector& keys, const Place& at) {
  if (keys.shard_keys().empty() && !keys.has_fallback()) return ok_status();
  return shard_keys_not_built(Place(at, "shard_key"));
}

}  // namespace quipu::api::qdrant::rpc
