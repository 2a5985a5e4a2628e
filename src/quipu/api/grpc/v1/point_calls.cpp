// Points: writes, and reads that rank nothing.
#include <quipu_proto/quipu/v1/points.pb.h>

#include <cstdint>
#include <utility>

#include "quipu/api/calls/payload_change.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/api/problem.h"
#include "quipu/api/rpc.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::grpc::v1 {
namespace {

pb::Outcome outcome_of(ItemOutcome outcome) {
  switch (outcome) {
    case ItemOutcome::kCreated: return pb::OUTCOME_CREATED;
    case ItemOutcome::kUpdated: return pb::OUTCOME_UPDATED;
    case ItemOutcome::kDeleted: return pb::OUTCOME_DELETED;
    case ItemOutcome::kNotFound: return pb::OUTCOME_NOT_FOUND;
    case ItemOutcome::kRefused: return pb::OUTCOME_REFUSED;
  }
  return pb::OUTCOME_UNSPECIFIED;
}

void fill_item(const ItemResult& item, pb::ItemResult& out) {
  fill_id(item.id, *out.mutable_id());
  out.set_outcome(outcome_of(item.outcome));
  out.set_version(item.version);
  if (item.error) {
    const PublicError shown = public_error(*item.error);
    out.set_error_code(std::string(shown.code));
    out.set_error_message(std::string(shown.detail));
  }
  out.set_truncated(item.truncated);
  out.set_token_count(item.token_count);
}

// Answers a write when the engine has done it.
Engine::WriteDone answer_to(const CallPtr& call) {
  return [call](const Result<WriteResult>& written) {
    if (!written.ok()) return call->fail(written.error());
    pb::WriteResponse answer;
    for (const ItemResult& item : written.value().items) fill_item(item, *answer.add_items());
    answer.set_seq(written.value().seq);
    answer.set_durable(written.value().durable);
    answer.set_replayed(written.value().replayed);
    reply_message(call, answer);
  };
}

Result<PointWrite> read_point(const pb::PointWrite& from, const std::string& field) {
  PointWrite point;
  QUIPU_TRY(point.id, read_id(from.id(), field + ".id"));
  point.vectors = read_vectors(from.vectors());
  if (from.has_text()) point.text = from.text();
  QUIPU_TRY(point.payload, read_object(from.payload_json(), "{}", field + ".payload_json"));
  QUIPU_TRY(point.condition, read_condition(from.condition(), field + ".condition"));
  return point;
}

Result<UpsertRequest> read_upsert(const pb::UpsertRequest& from, const Call& call) {
  UpsertRequest request;
  // The messages of a stream have one key: each is a write of its own under it.
  request.params = call.write_params(call.header(kStreamMessageHeader).value_or(""));
  QUIPU_TRY_OK(check_items(from.points_size(), 1, limits::kBatchPointsMax, "points"));
  request.points.reserve(static_cast<std::size_t>(from.points_size()));
  for (const pb::PointWrite& each : from.points()) {
    QUIPU_TRY(PointWrite point, read_point(each, format("points[{}]", request.points.size())));
    request.points.push_back(std::move(point));
  }
  return request;
}

Result<PayloadChange> read_change(const pb::PointPatch& from, const std::string& field) {
  PayloadChange change;
  if (!from.set_payload_json().empty()) {
    QUIPU_TRY(change.set_payload,
              read_object(from.set_payload_json(), "{}", field + ".set_payload_json"));
  }
  if (!from.set_key().empty()) {
    QUIPU_TRY(change.set_key, read_path(from.set_key(), field + ".set_key"));
  }
  QUIPU_TRY(change.delete_payload,
            read_names(from.delete_payload(), kPatchNamesMax, field + ".delete_payload"));
  QUIPU_TRY(change.delete_paths,
            read_paths(from.delete_paths(), kPatchNamesMax, field + ".delete_paths"));
  change.replace_payload = from.replace_payload();
  QUIPU_TRY(change.delete_vectors,
            read_names(from.delete_vectors(), limits::kVectorsPerCollectionMax,
                       field + ".delete_vectors"));
  return change;
}

Result<PointPatch> read_point_patch(const pb::PointPatch& from, std::size_t index) {
  const std::string field = format("points[{}]", index);
  QUIPU_TRY(PayloadChange change, read_change(from, field));
  const Path root;
  const Path list(root, "points");
  const Path at(list, index);
  FieldErrors errors;
  check_payload_change(change, at, errors);
  if (change.empty() && from.vectors().empty() && !from.has_text()) {
    errors.add(at, "missing_field",
               "must change something: set_payload_json, delete_payload, delete_paths, vectors, "
               "delete_vectors or text");
  }
  QUIPU_TRY_OK(first_of(errors));
  PointPatch patch = to_patch(std::move(change));
  QUIPU_TRY(patch.id, read_id(from.id(), field + ".id"));
  patch.vectors = read_vectors(from.vectors());
  if (from.has_text()) patch.text = from.text();
  QUIPU_TRY(patch.condition, read_condition(from.condition(), field + ".condition"));
  if (patch.condition.if_absent) {
    return bad_field(field + ".condition.if_absent", "is not for a patch, whose point is there");
  }
  return patch;
}

Result<PatchRequest> read_patches(const pb::PatchRequest& from, const Call& call) {
  PatchRequest request;
  request.params = call.write_params();
  QUIPU_TRY_OK(check_items(from.points_size(), 1, limits::kBatchPointsMax, "points"));
  for (const pb::PointPatch& each : from.points()) {
    QUIPU_TRY(PointPatch patch, read_point_patch(each, request.points.size()));
    request.points.push_back(std::move(patch));
  }
  return request;
}

Result<DeleteRequest> read_delete(const pb::DeleteRequest& from, const Call& call) {
  if (from.ids().empty() == from.points().empty()) {
    return bad_field("the message", "must have either ids or points", "missing_field");
  }
  DeleteRequest request;
  request.params = call.write_params();
  QUIPU_TRY(const std::vector<PointId> ids, read_ids(from.ids(), "ids"));
  for (const PointId& id : ids) request.points.push_back({.id = id, .condition = {}});
  for (const pb::PointDelete& each : from.points()) {
    const std::string field = format("points[{}]", request.points.size());
    PointDelete point{.id = {}, .condition = {}};
    QUIPU_TRY(point.id, read_id(each.id(), field + ".id"));
    if (each.has_if_version()) {
      QUIPU_TRY_OK(check_within(each.if_version(), 1, UINT64_MAX, field + ".if_version"));
      point.condition.if_version = each.if_version();
    }
    request.points.push_back(point);
  }
  return request;
}

// The filter of a write: nobody writes to all points by leaving something out.
Result<Filter> read_write_filter(const std::string& json) {
  QUIPU_TRY(std::optional<Filter> filter, read_filter(json));
  if (filter) return std::move(*filter);
  return bad_field("filter_json", "is missing; {} is the filter that holds for every point");
}

pb::FilterWriteResponse filter_write_message(const FilterWriteResult& written) {
  pb::FilterWriteResponse response;
  response.set_matched(written.matched);
  response.set_seq(written.seq);
  response.set_durable(written.durable);
  return response;
}

Result<pb::FilterWriteResponse> do_patch_by_filter(const CallPtr& call,
                                                   const pb::PatchByFilterRequest& from) {
  PatchByFilterRequest request{.filter = {}, .patch = {}, .params = call->write_params()};
  QUIPU_TRY(request.filter, read_write_filter(from.filter_json()));
  const pb::PointPatch& patch = from.patch();
  if (patch.has_id() || patch.has_text() || patch.has_condition() || !patch.vectors().empty()) {
    return bad_field("patch", "of all that match cannot have id, vectors, text or condition");
  }
  QUIPU_TRY(PayloadChange change, read_change(patch, "patch"));
  const Path root;
  FieldErrors errors;
  check_filter_change(change, Path(root, "patch"), errors);
  QUIPU_TRY_OK(first_of(errors));
  request.patch = to_patch(std::move(change));
  QUIPU_TRY(
      const FilterWriteResult written,
      call->core().engine.patch_by_filter(call->tenant(), from.collection(), std::move(request)));
  return filter_write_message(written);
}

Result<OrderByQuery> read_order(const std::string& json) {
  const auto parsed = JsonDocument::parse(json);
  if (!parsed.ok()) return bad_field("order_by_json", parsed.error().message);
  auto order = query::read_order_by(parsed.value().root(), query::Place("order_by_json"));
  if (!order.ok()) return reading_error(order.error());
  return order;
}

Result<ScrollRequest> read_scroll(const Call& call, const pb::ScrollRequest& from) {
  ScrollRequest request{.after = {}, .filter = {}, .order_by = {}, .select = {}, .params = {}};
  if (from.has_after()) {
    QUIPU_TRY(request.after, read_id(from.after(), "after"));
  }
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  if (!from.order_by_json().empty()) {
    QUIPU_TRY(request.order_by, read_order(from.order_by_json()));
    if (request.after) {
      return bad_field("after", "cannot be with order_by_json, whose pages go on by start_from");
    }
  }
  if (from.has_limit()) request.limit = from.limit();
  QUIPU_TRY_OK(check_within(request.limit, 1, limits::kScrollPageMax, "limit"));
  QUIPU_TRY(request.select, read_select(from.select()));
  request.params = read_params(call, from.min_seq());
  return request;
}

Result<pb::ScrollResponse> do_scroll(const CallPtr& call, const pb::ScrollRequest& from) {
  QUIPU_TRY(const ScrollRequest request, read_scroll(*call, from));
  QUIPU_TRY(ScrollPage page,
            call->core().engine.scroll(call->tenant(), from.collection(), request));
  pb::ScrollResponse answer;
  for (std::size_t i = 0; i < page.points.size(); ++i) {
    pb::Point& point = *answer.add_points();
    fill_point(std::move(page.points[i]), point);
    if (!page.order_keys.empty()) fill_order(page.order_keys[i], *point.mutable_order_value());
  }
  if (page.next) fill_id(*page.next, *answer.mutable_next());
  return answer;
}

Result<pb::GetResponse> do_get(const CallPtr& call, const pb::GetRequest& from) {
  GetRequest request{.ids = {}, .select = {}, .params = read_params(*call, from.min_seq())};
  QUIPU_TRY(request.select, read_select(from.select()));
  QUIPU_TRY_OK(check_items(from.ids_size(), 1, limits::kIdsPerRequestMax, "ids"));
  QUIPU_TRY(request.ids, read_ids(from.ids(), "ids"));
  QUIPU_TRY(std::vector<Point> points,
            call->core().engine.get(call->tenant(), from.collection(), request));
  pb::GetResponse response;
  for (Point& point : points) fill_point(std::move(point), *response.add_points());
  return response;
}

Result<pb::CountResponse> do_count(const CallPtr& call, const pb::CountRequest& from) {
  CountRequest request{.filter = {}, .params = read_params(*call, from.min_seq())};
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  QUIPU_TRY(const std::uint64_t points,
            call->core().engine.count(call->tenant(), from.collection(), request));
  pb::CountResponse response;
  response.set_points(points);
  return response;
}

}  // namespace

void upsert(const CallPtr& call) {
  pb::UpsertRequest message;
  if (!parse_message(call, message)) return;
  auto request = read_upsert(message, *call);
  if (!request.ok()) return call->fail(request.error());
  call->core().engine.upsert_async(call->tenant(), message.collection(), std::move(request).value(),
                                   answer_to(call));
}

void patch(const CallPtr& call) {
  pb::PatchRequest message;
  if (!parse_message(call, message)) return;
  auto request = read_patches(message, *call);
  if (!request.ok()) return call->fail(request.error());
  call->core().engine.patch_async(call->tenant(), message.collection(), std::move(request).value(),
                                  answer_to(call));
}

void delete_points(const CallPtr& call) {
  pb::DeleteRequest message;
  if (!parse_message(call, message)) return;
  auto request = read_delete(message, *call);
  if (!request.ok()) return call->fail(request.error());
  call->core().engine.remove_async(call->tenant(), message.collection(), std::move(request).value(),
                                   answer_to(call));
}

void delete_by_filter(const CallPtr& call) {
  pb::DeleteByFilterRequest message;
  if (!parse_message(call, message)) return;
  const auto answer = [&]() -> Result<pb::FilterWriteResponse> {
    QUIPU_TRY(Filter filter, read_write_filter(message.filter_json()));
    QUIPU_TRY(const FilterWriteResult written,
              call->core().engine.remove_by_filter(
                  call->tenant(), message.collection(),
                  {.filter = std::move(filter), .params = call->write_params()}));
    return filter_write_message(written);
  };
  reply_or_fail(call, answer());
}

void patch_by_filter(const CallPtr& call) {
  pb::PatchByFilterRequest message;
  if (!parse_message(call, message)) return;
  reply_or_fail(call, do_patch_by_filter(call, message));
}

void get_points(const CallPtr& call) {
  pb::GetRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    reply_or_fail(self, do_get(self, message));
  });
}

void scroll(const CallPtr& call) {
  pb::ScrollRequest message;
  if (!parse_message(call, message)) return;
  // An order reads every record: that must not hold a thread that answers others quickly.
  const bool waits = !message.min_seq().empty() || !message.order_by_json().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    reply_or_fail(self, do_scroll(self, message));
  });
}

void count(const CallPtr& call) {
  pb::CountRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    reply_or_fail(self, do_count(self, message));
  });
}

}  // namespace quipu::api::grpc::v1
