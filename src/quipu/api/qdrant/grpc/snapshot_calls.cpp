// Snapshots: by way of the REST handlers, and unbuilt where those are.
#include <qdrant_proto/snapshots_service.pb.h>

#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/json_messages.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"
#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/base/datetime.h"

namespace quipu::api::qdrant::rpc {
namespace {

// A message for the time has no JSON of its own here.
void fill_description(JsonView json, pb::SnapshotDescription& description) {
  const auto text = [&json](std::string_view name) {
    const auto member = json.find(name);
    return std::string(member ? member->as_string().value_or("") : "");
  };
  description.set_name(text("name"));
  description.set_checksum(text("checksum"));
  const auto size = json.find("size");
  description.set_size(size ? size->as_int64().value_or(0) : 0);
  if (const auto time_us = try_parse_datetime(text("creation_time") + "Z")) {
    description.mutable_creation_time()->set_seconds(*time_us / 1'000'000);
  }
}

void reply_made(const CallPtr& call, JsonView result) {
  pb::CreateSnapshotResponse answer;
  fill_description(result, *answer.mutable_snapshot_description());
  reply_timed(call, answer);
}

void reply_listed(const CallPtr& call, JsonView result) {
  pb::ListSnapshotsResponse answer;
  result.for_each_element([&answer](JsonView one) {
    fill_description(one, *answer.add_snapshot_descriptions());
    return true;
  });
  reply_timed(call, answer);
}

void reply_deleted(const CallPtr& call, JsonView) {
  pb::DeleteSnapshotResponse answer;
  reply_timed(call, answer);
}

}  // namespace

void create_snapshot(const CallPtr& call) {
  pb::CreateSnapshotRequest request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  call_rest(call,
            {.method = Method::kPost,
             .pattern = "/collections/{}/snapshots",
             .parameters = {request.collection_name()},
             .query = {{"wait", "true"}}},
            reply_made);
}

void list_snapshots(const CallPtr& call) {
  pb::ListSnapshotsRequest request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  call_rest(call,
            {.method = Method::kGet,
             .pattern = "/collections/{}/snapshots",
             .parameters = {request.collection_name()}},
            reply_listed);
}

void delete_snapshot(const CallPtr& call) {
  pb::DeleteSnapshotRequest request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  call_rest(call,
            {.method = Method::kDelete,
             .pattern = "/collections/{}/snapshots/{}",
             .parameters = {request.collection_name(), request.snapshot_name()},
             .query = {{"wait", "true"}}},
            reply_deleted);
}

void create_full_snapshot(const CallPtr& call) {
  pb::CreateFullSnapshotRequest request;
  if (!parse_message(call, request)) return;
  call_rest(call, {.method = Method::kPost, .pattern = "/snapshots", .query = {{"wait", "true"}}},
            reply_made);
}

void list_full_snapshots(const CallPtr& call) {
  pb::ListFullSnapshotsRequest request;
  if (!parse_message(call, request)) return;
  call_rest(call, {.method = Method::kGet, .pattern = "/snapshots"}, reply_listed);
}

void delete_full_snapshot(const CallPtr& call) {
  pb::DeleteFullSnapshotRequest request;
  if (!parse_message(call, request)) return;
  call_rest(call,
            {.method = Method::kDelete,
             .pattern = "/snapshots/{}",
             .parameters = {request.snapshot_name()},
             .query = {{"wait", "true"}}},
            reply_deleted);
}

}  // namespace quipu::api::qdrant::rpc
