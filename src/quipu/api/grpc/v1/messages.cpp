#include "quipu/api/grpc/v1/messages.h"

#include <utility>

#include "quipu/api/status_map.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/log.h"
#include "quipu/query/filter/filter_json.h"

namespace quipu::api::grpc::v1 {
namespace {

Response v1_error(const Call& call, const Error& error, const std::vector<FieldError>&) {
  const HttpStatus http = http_status(error);
  Response response;
  response.status = static_cast<int>(grpc_status(error));
  if (http.internal) {
    log_error("request failed", {{"request_id", call.request_id()},
                                 {"code", std::string(error.stable_reason())},
                                 {"error", error.message}});
    response.body =
        "an internal error; the server's log has the details under request id " + call.request_id();
    response.headers.emplace_back("quipu-code", "internal");
  } else {
    response.body = error.message;
    response.headers.emplace_back("quipu-code", error.stable_reason());
  }
  if (http.retry_after) response.headers.emplace_back("retry-after", "1");
  return response;
}

Error bad_field(std::string_view field, std::string_view problem) {
  return {ErrorCode::kInvalidArgument, format("{}: {}", field, problem), "invalid_request"};
}

}  // namespace

const Dialect kV1Dialect = {.error = v1_error};

void run(const CallPtr& call, bool waits, std::function<void(const CallPtr&)> work) {
  if (!waits) return work(call);
  call->run_on(call->core().waiting, std::move(work));
}

ReadParams read_params(const Call& call, const std::string& min_seq) {
  return {.min_seq = min_seq, .timeout = call.time_left()};
}

Result<PointId> read_id(const pb::PointId& id, std::string_view field) {
  if (id.has_number()) return PointId::number(id.number());
  if (!id.has_uuid()) return bad_field(field, "is missing: an id has a number or a uuid");
  Result<PointId> read = PointId::parse(id.uuid());
  if (!read.ok()) return bad_field(field, read.error().message);
  if (!read.value().is_uuid()) return bad_field(field, "uuid has a number; send it as number");
  return read;
}

Result<std::vector<PointId>> read_ids(const google::protobuf::RepeatedPtrField<pb::PointId>& ids,
                                      std::string_view field) {
  std::vector<PointId> read;
  read.reserve(static_cast<std::size_t>(ids.size()));
  for (const pb::PointId& each : ids) {
    QUIPU_TRY(const PointId id, read_id(each, format("{}[{}]", field, read.size())));
    read.push_back(id);
  }
  return read;
}

void fill_id(const PointId& id, pb::PointId& out) {
  if (id.is_uuid()) {
    out.set_uuid(id.to_string());
  } else {
    out.set_number(id.as_number());
  }
}

std::vector<NamedVector> read_vectors(
    const google::protobuf::RepeatedPtrField<pb::NamedVector>& vectors) {
  std::vector<NamedVector> read;
  read.reserve(static_cast<std::size_t>(vectors.size()));
  for (const pb::NamedVector& each : vectors) {
    read.push_back({.name = each.name(),
                    .values = {each.values().begin(), each.values().end()},
                    .indices = {each.indices().begin(), each.indices().end()}});
  }
  return read;
}

Condition read_condition(const pb::Condition& from) {
  Condition condition{.if_version = {}, .if_absent = from.if_absent()};
  if (from.has_if_version()) condition.if_version = from.if_version();
  return condition;
}

Result<std::string> read_object(const std::string& json, std::string_view otherwise,
                                std::string_view field) {
  if (json.empty()) return std::string(otherwise);
  const auto parsed = JsonDocument::parse(json);
  if (!parsed.ok()) return bad_field(field, parsed.error().message);
  if (!parsed.value().root().is_object()) return bad_field(field, "is no JSON object");
  return json;
}

Result<std::optional<Filter>> read_filter(const std::string& json) {
  if (json.empty()) return std::optional<Filter>();
  const auto parsed = JsonDocument::parse(json);
  if (!parsed.ok()) return bad_field("filter_json", parsed.error().message);
  QUIPU_TRY(Filter filter, query::parse_filter(parsed.value().root(), "filter_json"));
  return std::optional<Filter>(std::move(filter));
}

Select read_select(const pb::Select& from) {
  Select select;
  if (from.has_payload()) select.payload = from.payload();
  if (from.has_text()) select.text = from.text();
  select.vectors = from.vectors();
  select.payload_include.assign(from.payload_include().begin(), from.payload_include().end());
  select.payload_exclude.assign(from.payload_exclude().begin(), from.payload_exclude().end());
  select.vector_names.assign(from.vector_names().begin(), from.vector_names().end());
  return select;
}

void fill_point(const Point& point, pb::Point& out) {
  fill_id(point.id, *out.mutable_id());
  out.set_version(point.version);
  out.set_created_us(point.created_us);
  out.set_updated_us(point.updated_us);
  if (point.text) out.set_text(*point.text);
  out.set_payload_json(point.payload);
  for (const NamedVector& each : point.vectors) {
    pb::NamedVector& vector = *out.add_vectors();
    vector.set_name(each.name);
    vector.mutable_values()->Add(each.values.begin(), each.values.end());
    vector.mutable_indices()->Add(each.indices.begin(), each.indices.end());
  }
}

Status check_within(std::uint64_t number, std::uint64_t least, std::uint64_t most,
                    std::string_view field) {
  if (number >= least && number <= most) return ok_status();
  return bad_field(field, format("{} is not within {} to {}", number, least, most));
}

}  // namespace quipu::api::grpc::v1
