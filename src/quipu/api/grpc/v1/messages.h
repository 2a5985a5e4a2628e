// The messages of quipu.v1 and the engine's structures; what its handlers have in common.
#pragma once

#include <google/protobuf/message.h>
#include <quipu_proto/quipu/v1/types.pb.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/route.h"
#include "quipu/api/rpc_message.h"
#include "quipu/engine.h"
#include "quipu/filter.h"
#include "quipu/result.h"

namespace quipu::api::grpc::v1 {

namespace pb = ::quipu::v1;

// Errors as gRPC's statuses, their stable code in the metadata "quipu-code".
extern const Dialect kV1Dialect;

// Answers with the message, or the error.
template <typename Message>
void reply_or_fail(const CallPtr& call, const Result<Message>& answer) {
  if (!answer.ok()) return call->fail(answer.error());
  reply_message(call, answer.value());
}
// On a thread that may wait, where it has to: for a moment that is not there yet, or the embedder.
void run(const CallPtr& call, bool waits, std::function<void(const CallPtr&)> work);

[[nodiscard]] ReadParams read_params(const Call& call, const std::string& min_seq);

// Errors of the readers: kInvalidArgument naming the field ("points[2].id").
[[nodiscard]] Result<PointId> read_id(const pb::PointId& id, std::string_view field);
[[nodiscard]] Result<std::vector<PointId>> read_ids(
    const google::protobuf::RepeatedPtrField<pb::PointId>& ids, std::string_view field);
void fill_id(const PointId& id, pb::PointId& out);

[[nodiscard]] std::vector<NamedVector> read_vectors(
    const google::protobuf::RepeatedPtrField<pb::NamedVector>& vectors);
[[nodiscard]] Condition read_condition(const pb::Condition& condition);
// A JSON object's text; `otherwise` for "".
[[nodiscard]] Result<std::string> read_object(const std::string& json, std::string_view otherwise,
                                              std::string_view field);
// "" is no filter.
[[nodiscard]] Result<std::optional<Filter>> read_filter(const std::string& json);

[[nodiscard]] Select read_select(const pb::Select& select);
void fill_point(const Point& point, pb::Point& out);

// A number that is there must be within the limits. Errors: kInvalidArgument.
[[nodiscard]] Status check_within(std::uint64_t number, std::uint64_t least, std::uint64_t most,
                                  std::string_view field);

}  // namespace quipu::api::grpc::v1
