// Points: writes, and reads that rank nothing.
#include <quipu_proto/quipu/v1/points.pb.h>

#include <utility>

#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/api/status_map.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

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
    const bool internal = http_status(*item.error).internal;
    out.set_error_code(internal ? "internal" : std::string(item.error->stable_reason()));
    out.set_error_message(internal ? "an internal error" : item.error->message);
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

Result<UpsertRequest> read_upsert(const pb::UpsertRequest& from, const Call& call) {
  UpsertRequest request;
  request.params = call.write_params();
  request.points.reserve(static_cast<std::size_t>(from.points_size()));
  for (const pb::PointWrite& each : from.points()) {
    const std::string field = format("points[{}]", request.points.size());
    PointWrite point;
    QUIPU_TRY(point.id, read_id(each.id(), field + ".id"));
    point.vectors = read_vectors(each.vectors());
    if (each.has_text()) point.text = each.text();
    QUIPU_TRY(point.payload, read_object(each.payload_json(), "{}", field + ".payload_json"));
    point.condition = read_condition(each.condition());
    request.points.push_back(std::move(point));
  }
  return request;
}

Result<PatchRequest> read_patch(const pb::PatchRequest& from, const Call& call) {
  PatchRequest request;
  request.params = call.write_params();
  for (const pb::PointPatch& each : from.points()) {
    const std::string field = format("points[{}]", request.points.size());
    PointPatch patch;
    QUIPU_TRY(patch.id, read_id(each.id(), field + ".id"));
    QUIPU_TRY(patch.set_payload,
              read_object(each.set_payload_json(), "{}", field + ".set_payload_json"));
    patch.delete_payload.assign(each.delete_payload().begin(), each.delete_payload().end());
    patch.replace_payload = each.replace_payload();
    patch.vectors = read_vectors(each.vectors());
    patch.delete_vectors.assign(each.delete_vectors().begin(), each.delete_vectors().end());
    if (each.has_text()) patch.text = each.text();
    patch.condition = read_condition(each.condition());
    request.points.push_back(std::move(patch));
  }
  return request;
}

Result<pb::ScrollResponse> read_page(const CallPtr& call, const pb::ScrollRequest& from) {
  ScrollRequest request{.after = {}, .filter = {}, .select = read_select(from.select())};
  if (from.has_after()) {
    QUIPU_TRY(request.after, read_id(from.after(), "after"));
  }
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  if (from.has_limit()) request.limit = from.limit();
  QUIPU_TRY_OK(check_within(request.limit, 1, limits::kScrollPageMax, "limit"));
  request.params = read_params(*call, from.min_seq());
  QUIPU_TRY(const ScrollPage page,
            call->core().engine.scroll(call->tenant(), from.collection(), request));
  pb::ScrollResponse answer;
  for (const Point& point : page.points) fill_point(point, *answer.add_points());
  if (page.next) fill_id(*page.next, *answer.mutable_next());
  return answer;
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
  auto request = read_patch(message, *call);
  if (!request.ok()) return call->fail(request.error());
  call->core().engine.patch_async(call->tenant(), message.collection(), std::move(request).value(),
                                  answer_to(call));
}

void delete_points(const CallPtr& call) {
  pb::DeleteRequest message;
  if (!parse_message(call, message)) return;
  const auto ids = read_ids(message.ids(), "ids");
  if (!ids.ok()) return call->fail(ids.error());
  DeleteRequest request{.points = {}, .params = call->write_params()};
  for (const PointId& id : ids.value()) request.points.push_back({.id = id, .condition = {}});
  call->core().engine.remove_async(call->tenant(), message.collection(), std::move(request),
                                   answer_to(call));
}

void delete_by_filter(const CallPtr& call) {
  pb::DeleteByFilterRequest message;
  if (!parse_message(call, message)) return;
  const auto answer = [&]() -> Result<pb::FilterWriteResponse> {
    QUIPU_TRY(std::optional<Filter> filter, read_filter(message.filter_json()));
    if (!filter) {
      return Error{ErrorCode::kInvalidArgument,
                   "filter_json: is missing; {} is the filter that holds for every point",
                   "invalid_request"};
    }
    QUIPU_TRY(const FilterWriteResult written,
              call->core().engine.remove_by_filter(
                  call->tenant(), message.collection(),
                  {.filter = std::move(*filter), .params = call->write_params()}));
    pb::FilterWriteResponse response;
    response.set_matched(written.matched);
    response.set_seq(written.seq);
    response.set_durable(written.durable);
    return response;
  };
  reply_or_fail(call, answer());
}

void get_points(const CallPtr& call) {
  pb::GetRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    const auto answer = [&]() -> Result<pb::GetResponse> {
      GetRequest request{.ids = {},
                         .select = read_select(message.select()),
                         .params = read_params(*self, message.min_seq())};
      QUIPU_TRY(request.ids, read_ids(message.ids(), "ids"));
      QUIPU_TRY(const std::vector<Point> points,
                self->core().engine.get(self->tenant(), message.collection(), request));
      pb::GetResponse response;
      for (const Point& point : points) fill_point(point, *response.add_points());
      return response;
    };
    reply_or_fail(self, answer());
  });
}

void scroll(const CallPtr& call) {
  pb::ScrollRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    reply_or_fail(self, read_page(self, message));
  });
}

void count(const CallPtr& call) {
  pb::CountRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    const auto answer = [&]() -> Result<pb::CountResponse> {
      CountRequest request{.filter = {}, .params = read_params(*self, message.min_seq())};
      QUIPU_TRY(request.filter, read_filter(message.filter_json()));
      QUIPU_TRY(const std::uint64_t points,
                self->core().engine.count(self->tenant(), message.collection(), request));
      pb::CountResponse response;
      response.set_points(points);
      return response;
    };
    reply_or_fail(self, answer());
  });
}

}  // namespace quipu::api::grpc::v1
