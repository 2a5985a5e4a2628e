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

[[nodiscard]] ReadParams read_params(const Call& call, const std::string& min_seq,
                                     bool cache = true);
// Mistakes in messages are kInvalidArgument, and their code is "invalid_request", as those in
// REST's bodies; what is wrong with the field stands beside it, as "invalid_request/out_of_range",
// until the dialect takes the two apart for ErrorDetails.
[[nodiscard]] Error bad_field(std::string_view field, std::string_view problem,
                              std::string_view code = "bad_value");
// An error of a reader that knows nothing of messages, as such a mistake.
[[nodiscard]] Error reading_error(const Error& error);
// The first of them, when there is one.
[[nodiscard]] Status first_of(const FieldErrors& errors);

// Errors of the readers: kInvalidArgument naming the field ("points[2].id").
[[nodiscard]] Result<PointId> read_id(const pb::PointId& id, std::string_view field);
[[nodiscard]] Result<std::vector<PointId>> read_ids(
    const google::protobuf::RepeatedPtrField<pb::PointId>& ids, std::string_view field);
void fill_id(const PointId& id, pb::PointId& out);

[[nodiscard]] std::vector<NamedVector> read_vectors(
    const google::protobuf::RepeatedPtrField<pb::NamedVector>& vectors);
[[nodiscard]] Result<Condition> read_condition(const pb::Condition& condition,
                                               std::string_view field);
// A JSON object's text; `otherwise` for "".
[[nodiscard]] Result<std::string> read_object(const std::string& json, std::string_view otherwise,
                                              std::string_view field);
// "" is no filter.
[[nodiscard]] Result<std::optional<Filter>> read_filter(const std::string& json);
// A path into a payload, in its one spelling.
[[nodiscard]] Result<std::string> read_path(const std::string& path, std::string_view field);
[[nodiscard]] Result<std::vector<std::string>> read_paths(
    const google::protobuf::RepeatedPtrField<std::string>& paths, std::size_t most,
    std::string_view field);
// Texts that are kept as they are.
[[nodiscard]] Result<std::vector<std::string>> read_names(
    const google::protobuf::RepeatedPtrField<std::string>& names, std::size_t most,
    std::string_view field);

[[nodiscard]] Result<Select> read_select(const pb::Select& select);
// Takes over what is large.
void fill_point(Point&& point, pb::Point& out);
void fill_order(const OrderKey& order, pb::OrderValue& out);
void fill_item_error(const Error& error, pb::ItemError& out);
void fill_explain(const SearchExplain& explain, pb::Explain& out);
[[nodiscard]] double ms_since_start(const Call& call);

// A number that is there must be within the limits, and so must the bytes of a text, the items of a
// list. Errors: kInvalidArgument.
[[nodiscard]] Status check_within(std::uint64_t number, std::uint64_t least, std::uint64_t most,
                                  std::string_view field);
[[nodiscard]] Status check_bytes(std::string_view text, std::size_t least, std::size_t most,
                                 std::string_view field);
[[nodiscard]] Status check_items(int count, std::size_t least, std::size_t most,
                                 std::string_view field);
[[nodiscard]] Status check_number(double number, double least, double most, std::string_view field);

}  // namespace quipu::api::grpc::v1
