// The small parts of Qdrant's messages: ids, payloads, times, vectors.
//
// Messages are of the namespace ::qdrant, called `pb` here. Errors of the readers: kInvalidArgument
// with the place, which is spelt as in the JSON of the same request.
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>
#include <google/protobuf/timestamp.pb.h>
#include <qdrant_proto/points.pb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/qdrant/request.h"
#include "quipu/api/qdrant/update.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

namespace pb = ::qdrant;

using ValueMap = google::protobuf::Map<std::string, pb::Value>;

[[nodiscard]] Result<PointId> read_id(const pb::PointId& id, const Place& at);
[[nodiscard]] Result<std::vector<PointId>> read_ids(
    const google::protobuf::RepeatedPtrField<pb::PointId>& ids, const Place& at);
void write_id(const PointId& id, pb::PointId& out);

// Writes the value. A number that JSON does not have (NaN, infinities) is an error.
[[nodiscard]] Status write_json(const pb::Value& value, const Place& at, JsonWriter& out);
// An object, its members by name, so that equal payloads are equal texts.
[[nodiscard]] Result<std::string> json_of(const ValueMap& members, const Place& at);
void fill_value(JsonView json, pb::Value& out);
// The members of an object; of "" none.
void fill_values(std::string_view json, ValueMap& out);
void fill_values(JsonView object, ValueMap& out);

// RFC 3339, to the microsecond. Errors: also for years beyond 0 to 9999.
[[nodiscard]] Result<std::string> time_text(const google::protobuf::Timestamp& time,
                                            const Place& at);
// Nothing for a text that is no time.
void fill_time(std::string_view text, google::protobuf::Timestamp& out);

[[nodiscard]] inline std::vector<float> floats(const google::protobuf::RepeatedField<float>& data) {
  return {data.begin(), data.end()};
}

// A point's vectors. Errors: kUnimplemented too, for what would have to be embedded.
[[nodiscard]] Result<std::vector<NamedVector>> read_vectors(const pb::Vectors& vectors,
                                                            const Place& at, VectorKinds& kinds);

// Errors: kUnimplemented when there are shard keys: collections are sharded by id alone.
[[nodiscard]] Status refuse_shard_keys(const pb::ShardKeySelector& keys, const Place& at);

}  // namespace quipu::api::qdrant::rpc
