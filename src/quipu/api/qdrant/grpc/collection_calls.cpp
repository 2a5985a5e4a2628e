// Collections, their aliases, vectors and indexes: by way of the REST handlers, since these
// requests are rare and rich in options.
#include <qdrant_proto/collections.pb.h>
#include <qdrant_proto/points.pb.h>

#include <array>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/json_messages.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"
#include "quipu/api/qdrant/grpc/values.h"

namespace quipu::api::qdrant::rpc {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

template <typename Request>
Query parameters_of(const Request& request) {
  Query query;
  if constexpr (requires { request.has_wait(); }) {
    query.emplace_back("wait", request.wait() ? "true" : "false");
  }
  if (request.has_timeout()) query.emplace_back("timeout", std::to_string(request.timeout()));
  return query;
}

// Reads a message that names its collection.
template <typename Request>
bool parse_named(const CallPtr& call, Request& request) {
  if (!parse_message(call, request)) return false;
  call->set_parameters({request.collection_name()});
  return true;
}

// The JSON of a message; on a mistake the call is answered and the result is empty.
std::optional<std::string> body_of(const CallPtr& call, const google::protobuf::Message& message) {
  std::string body;
  JsonWriter out(body);
  const Status written = write_message(message, Place(""), out);
  if (written.ok()) return body;
  call->fail(written.error());
  return std::nullopt;
}

// Fills `Answer` itself from the result.
template <typename Answer>
void reply_filled(const CallPtr& call, JsonView result) {
  Answer answer;
  fill_message(result, answer);
  reply_timed(call, answer);
}

// Fills the answer's message `result`.
template <typename Answer>
void reply_result_filled(const CallPtr& call, JsonView result) {
  Answer answer;
  fill_message(result, *answer.mutable_result());
  reply_timed(call, answer);
}

void reply_flag(const CallPtr& call, JsonView result) {
  pb::CollectionOperationResponse answer;
  answer.set_result(result.as_bool().value_or(false));
  reply_timed(call, answer);
}

// "keyword" of FieldTypeKeyword.
std::optional<std::string_view> type_name(pb::FieldType type) {
  constexpr std::array<std::string_view, 8> kNames = {"keyword", "integer", "float",    "geo",
                                                      "text",    "bool",    "datetime", "uuid"};
  const auto number = static_cast<std::size_t>(type);
  if (number >= kNames.size()) return std::nullopt;
  return kNames[number];
}

}  // namespace

void list_collections(const CallPtr& call) {
  pb::ListCollectionsRequest request;
  if (!parse_message(call, request)) return;
  call_rest(call, {.method = Method::kGet, .pattern = "/collections"},
            reply_filled<pb::ListCollectionsResponse>);
}

void get_collection(const CallPtr& call) {
  pb::GetCollectionInfoRequest request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kGet,
             .pattern = "/collections/{}",
             .parameters = {request.collection_name()}},
            reply_result_filled<pb::GetCollectionInfoResponse>);
}

void collection_exists(const CallPtr& call) {
  pb::CollectionExistsRequest request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kGet,
             .pattern = "/collections/{}/exists",
             .parameters = {request.collection_name()}},
            reply_result_filled<pb::CollectionExistsResponse>);
}

void collection_cluster(const CallPtr& call) {
  pb::CollectionClusterInfoRequest request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kGet,
             .pattern = "/collections/{}/cluster",
             .parameters = {request.collection_name()}},
            reply_filled<pb::CollectionClusterInfoResponse>);
}

void create_collection(const CallPtr& call) {
  pb::CreateCollection request;
  if (!parse_named(call, request)) return;
  Query query = parameters_of(request);
  std::vector<std::string> parameters = {std::move(*request.mutable_collection_name())};
  request.clear_timeout();
  auto body = body_of(call, request);
  if (!body) return;
  call_rest(call,
            {.method = Method::kPut,
             .pattern = "/collections/{}",
             .parameters = std::move(parameters),
             .query = std::move(query),
             .body = std::move(*body)},
            reply_flag);
}

void update_collection(const CallPtr& call) {
  pb::UpdateCollection request;
  if (!parse_named(call, request)) return;
  Query query = parameters_of(request);
  std::vector<std::string> parameters = {std::move(*request.mutable_collection_name())};
  request.clear_timeout();
  auto body = body_of(call, request);
  if (!body) return;
  call_rest(call,
            {.method = Method::kPatch,
             .pattern = "/collections/{}",
             .parameters = std::move(parameters),
             .query = std::move(query),
             .body = std::move(*body)},
            reply_flag);
}

void delete_collection(const CallPtr& call) {
  pb::DeleteCollection request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kDelete,
             .pattern = "/collections/{}",
             .parameters = {request.collection_name()},
             .query = parameters_of(request)},
            reply_flag);
}

void update_aliases(const CallPtr& call) {
  pb::ChangeAliases request;
  if (!parse_message(call, request)) return;
  Query query = parameters_of(request);
  request.clear_timeout();
  auto body = body_of(call, request);
  if (!body) return;
  call_rest(call,
            {.method = Method::kPost,
             .pattern = "/collections/aliases",
             .query = std::move(query),
             .body = std::move(*body)},
            reply_flag);
}

void list_aliases(const CallPtr& call) {
  pb::ListAliasesRequest request;
  if (!parse_message(call, request)) return;
  call_rest(call, {.method = Method::kGet, .pattern = "/aliases"},
            reply_filled<pb::ListAliasesResponse>);
}

void list_collection_aliases(const CallPtr& call) {
  pb::ListCollectionAliasesRequest request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kGet,
             .pattern = "/collections/{}/aliases",
             .parameters = {request.collection_name()}},
            reply_filled<pb::ListAliasesResponse>);
}

void create_field_index(const CallPtr& call) {
  pb::CreateFieldIndexCollection request;
  if (!parse_named(call, request)) return;
  std::string body;
  JsonWriter out(body);
  out.begin_object().key("field_name").value(std::string_view(request.field_name()));
  if (request.has_field_index_params()) {
    const auto params = body_of(call, request.field_index_params());
    if (!params) return;
    out.key("field_schema").raw(*params);
  } else if (request.has_field_type()) {
    const auto name = type_name(request.field_type());
    out.key("field_schema").value(name.value_or("unknown"));
  }
  out.end_object();
  call_rest(call,
            {.method = Method::kPut,
             .pattern = "/collections/{}/index",
             .parameters = {request.collection_name()},
             .query = parameters_of(request),
             .body = std::move(body)},
            reply_result_filled<pb::PointsOperationResponse>);
}

void delete_field_index(const CallPtr& call) {
  pb::DeleteFieldIndexCollection request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kDelete,
             .pattern = "/collections/{}/index/{}",
             .parameters = {request.collection_name(), request.field_name()},
             .query = parameters_of(request)},
            reply_result_filled<pb::PointsOperationResponse>);
}

void create_vector_name(const CallPtr& call) {
  pb::CreateVectorNameRequest request;
  if (!parse_named(call, request)) return;
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  const google::protobuf::Message* config = nullptr;
  if (request.has_dense_config()) config = &request.dense_config();
  if (request.has_sparse_config()) config = &request.sparse_config();
  if (config != nullptr) {
    const auto json = body_of(call, *config);
    if (!json) return;
    out.key(request.has_dense_config() ? "dense" : "sparse").raw(*json);
  }
  out.end_object();
  call_rest(call,
            {.method = Method::kPut,
             .pattern = "/collections/{}/vectors/{}",
             .parameters = {request.collection_name(), request.vector_name()},
             .query = parameters_of(request),
             .body = std::move(body)},
            reply_result_filled<pb::PointsOperationResponse>);
}

void delete_vector_name(const CallPtr& call) {
  pb::DeleteVectorNameRequest request;
  if (!parse_named(call, request)) return;
  call_rest(call,
            {.method = Method::kDelete,
             .pattern = "/collections/{}/vectors/{}",
             .parameters = {request.collection_name(), request.vector_name()},
             .query = parameters_of(request)},
            reply_result_filled<pb::PointsOperationResponse>);
}

}  // namespace quipu::api::qdrant::rpc
