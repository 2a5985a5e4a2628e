#include "quipu/api/grpc/v1/messages.h"

#include <chrono>
#include <utility>
#include <variant>

#include "quipu/api/problem.h"
#include "quipu/api/status_map.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/log.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/payload_path.h"

namespace quipu::api::grpc::v1 {
namespace {

// Of an ErrorDetails: callers take 8 KiB of metadata in all.
constexpr std::size_t kDetailsBytesMax = 2'048;
constexpr std::size_t kDetailBytesMax = 512;  // of each text in it
constexpr std::size_t kSelectPathsMax = 256;
constexpr std::string_view kMistake = "invalid_request";

// As far as it may go, cut at a character's start: a message's texts are UTF-8.
std::string detail_text(std::string_view text) {
  if (text.size() <= kDetailBytesMax) return std::string(text);
  std::size_t end = kDetailBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string details_of(const Call& call, const PublicError& shown,
                       const std::vector<FieldError>& errors) {
  pb::ErrorDetails details;
  details.set_code(std::string(shown.code));
  details.set_message(detail_text(shown.detail));
  details.set_request_id(call.request_id());
  for (const FieldError& each : errors) {
    pb::FieldError& made = *details.add_errors();
    made.set_field(detail_text(each.field));
    made.set_code(each.code);
    made.set_detail(detail_text(each.detail));
    if (details.ByteSizeLong() <= kDetailsBytesMax) continue;
    details.mutable_errors()->RemoveLast();
    break;
  }
  return details.SerializeAsString();
}

Response v1_error(const Call& call, const Error& error, const std::vector<FieldError>& errors) {
  const HttpStatus http = http_status(error);
  PublicError shown = public_error(error);
  const std::size_t slash = shown.code.find('/');
  const std::string_view field_code =
      slash == std::string_view::npos ? shown.code : shown.code.substr(slash + 1);
  shown.code = shown.code.substr(0, slash);
  Response response;
  response.status = static_cast<int>(grpc_status(error));
  if (http.internal) {
    log_error("request failed", {{"request_id", call.request_id()},
                                 {"code", std::string(error.stable_reason())},
                                 {"error", error.message}});
    response.body =
        "an internal error; the server's log has the details under request id " + call.request_id();
  } else {
    response.body = error.message;
  }
  response.headers.emplace_back("quipu-code", shown.code);
  // Readers of messages stop at the first mistake, whose place their error begins with.
  FieldErrors placed;
  if (errors.empty() && error.code == ErrorCode::kInvalidArgument) {
    placed.add_placed("", {error.code, error.message, std::string(field_code)});
  }
  const bool known = !placed.empty() && !placed.all().front().field.empty();
  response.headers.emplace_back("quipu-error-bin",
                                details_of(call, shown, known ? placed.all() : errors));
  if (http.retry_after) response.headers.emplace_back("retry-after", "1");
  return response;
}

}  // namespace

Error bad_field(std::string_view field, std::string_view problem, std::string_view code) {
  return {ErrorCode::kInvalidArgument, format("{}: {}", field, problem),
          format("{}/{}", kMistake, code)};
}

Error reading_error(const Error& error) {
  if (error.stable_reason().starts_with(kMistake)) return error;
  return {ErrorCode::kInvalidArgument, error.message,
          format("{}/{}", kMistake, error.stable_reason())};
}

const Dialect kV1Dialect = {.error = v1_error};

void run(const CallPtr& call, bool waits, std::function<void(const CallPtr&)> work) {
  if (!waits) return work(call);
  call->run_on(call->core().waiting, std::move(work));
}

ReadParams read_params(const Call& call, const std::string& min_seq, bool cache) {
  return {.min_seq = min_seq, .timeout = call.time_left(), .cache = cache};
}

Status first_of(const FieldErrors& errors) {
  if (errors.empty()) return ok_status();
  const FieldError& first = errors.all().front();
  return bad_field(first.field.empty() ? "the message" : first.field, first.detail, first.code);
}

Result<PointId> read_id(const pb::PointId& id, std::string_view field) {
  if (id.has_number()) return PointId::number(id.number());
  if (!id.has_uuid()) {
    return bad_field(field, "is missing: an id has a number or a uuid", "missing_field");
  }
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

Result<Condition> read_condition(const pb::Condition& from, std::string_view field) {
  Condition condition{.if_version = {}, .if_absent = from.if_absent()};
  if (!from.has_if_version()) return condition;
  QUIPU_TRY_OK(check_within(from.if_version(), 1, UINT64_MAX, format("{}.if_version", field)));
  if (from.if_absent()) {
    return bad_field(field, "cannot have both if_version and if_absent");
  }
  condition.if_version = from.if_version();
  return condition;
}

Result<std::string> read_object(const std::string& json, std::string_view otherwise,
                                std::string_view field) {
  if (json.empty()) return std::string(otherwise);
  const auto parsed = JsonDocument::parse(json);
  if (!parsed.ok()) return bad_field(field, parsed.error().message, "malformed_json");
  if (!parsed.value().root().is_object())
    return bad_field(field, "is no JSON object", "wrong_type");
  if (json.size() > limits::kPayloadBytesMax) {
    // White space does not count.
    QUIPU_TRY_OK(
        check_bytes(parsed.value().root().to_string(), 0, limits::kPayloadBytesMax, field));
  }
  return json;
}

Result<std::optional<Filter>> read_filter(const std::string& json) {
  if (json.empty()) return std::optional<Filter>();
  const auto parsed = JsonDocument::parse(json);
  if (!parsed.ok()) return bad_field("filter_json", parsed.error().message, "malformed_json");
  auto filter = query::parse_filter(parsed.value().root(), "filter_json");
  if (!filter.ok()) return reading_error(filter.error());
  return std::optional<Filter>(std::move(filter).value());
}

Result<std::string> read_path(const std::string& path, std::string_view field) {
  const auto parsed = query::PayloadPath::parse(path);
  if (parsed.ok()) return parsed.value().to_string();
  return bad_field(field, parsed.error().message, "invalid_path");
}

Result<std::vector<std::string>> read_paths(
    const google::protobuf::RepeatedPtrField<std::string>& paths, std::size_t most,
    std::string_view field) {
  QUIPU_TRY_OK(check_items(paths.size(), 0, most, field));
  std::vector<std::string> read;
  read.reserve(static_cast<std::size_t>(paths.size()));
  for (const std::string& each : paths) {
    QUIPU_TRY(std::string path, read_path(each, format("{}[{}]", field, read.size())));
    read.push_back(std::move(path));
  }
  return read;
}

Result<std::vector<std::string>> read_names(
    const google::protobuf::RepeatedPtrField<std::string>& names, std::size_t most,
    std::string_view field) {
  QUIPU_TRY_OK(check_items(names.size(), 0, most, field));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<Select> read_select(const pb::Select& from) {
  Select select;
  if (from.has_payload()) select.payload = from.payload();
  if (from.has_text()) select.text = from.text();
  select.vectors = from.vectors();
  QUIPU_TRY(select.payload_include,
            read_paths(from.payload_include(), kSelectPathsMax, "select.payload_include"));
  QUIPU_TRY(select.payload_exclude,
            read_paths(from.payload_exclude(), kSelectPathsMax, "select.payload_exclude"));
  if (!select.payload_include.empty() && !select.payload_exclude.empty()) {
    return bad_field("select", "cannot have both payload_include and payload_exclude");
  }
  QUIPU_TRY(select.vector_names, read_names(from.vector_names(), limits::kVectorsPerCollectionMax,
                                            "select.vector_names"));
  return select;
}

void fill_point(Point&& point, pb::Point& out) {
  fill_id(point.id, *out.mutable_id());
  out.set_version(point.version);
  out.set_created_us(point.created_us);
  out.set_updated_us(point.updated_us);
  if (point.text) out.set_text(std::move(*point.text));
  out.set_payload_json(std::move(point.payload));
  for (NamedVector& each : point.vectors) {
    pb::NamedVector& vector = *out.add_vectors();
    vector.set_name(std::move(each.name));
    vector.mutable_values()->Add(each.values.begin(), each.values.end());
    vector.mutable_indices()->Add(each.indices.begin(), each.indices.end());
  }
}

void fill_order(const OrderKey& order, pb::OrderValue& out) {
  if (const auto* const whole = std::get_if<std::int64_t>(&order)) {
    out.set_integer(*whole);
  } else {
    out.set_real(std::get<double>(order));
  }
}

void fill_item_error(const Error& error, pb::ItemError& out) {
  const PublicError shown = public_error(error);
  out.set_code(std::string(shown.code));
  out.set_message(std::string(shown.detail));
}

void fill_explain(const SearchExplain& explain, pb::Explain& out) {
  out.set_tail_rows(explain.tail_rows);
  out.set_graph_distances(explain.graph_distances);
  out.set_scanned_rows(explain.scanned_rows);
  out.set_postings(explain.postings);
  out.set_hops(explain.hops);
  out.set_exact(explain.exact);
  out.set_storage_scan(explain.storage_scan);
  out.set_filter_judged(explain.filter_judged);
  out.set_filter_matched(explain.filter_matched);
  for (const std::string& key : explain.filter_keys_without_index) {
    out.add_filter_keys_without_index(key);
  }
  out.set_embed_ms(explain.embed_ms);
  out.set_filter_ms(explain.filter_ms);
  out.set_search_ms(explain.search_ms);
  out.set_hydrate_ms(explain.hydrate_ms);
  out.set_reranked(explain.reranked);
  out.set_rerank_ms(explain.rerank_ms);
}

double ms_since_start(const Call& call) {
  const std::chrono::duration<double, std::milli> took =
      call.core().clock.steady_now() - call.start();
  return took.count();
}

Status check_within(std::uint64_t number, std::uint64_t least, std::uint64_t most,
                    std::string_view field) {
  if (number >= least && number <= most) return ok_status();
  return bad_field(field, format("{} is not within {} to {}", number, least, most), "out_of_range");
}

Status check_bytes(std::string_view text, std::size_t least, std::size_t most,
                   std::string_view field) {
  if (text.size() >= least && text.size() <= most) return ok_status();
  return bad_field(field, format("must have {} to {} bytes, has {}", least, most, text.size()),
                   text.size() < least ? "too_short" : "too_long");
}

Status check_items(int count, std::size_t least, std::size_t most, std::string_view field) {
  const auto items = static_cast<std::size_t>(count);
  if (items >= least && items <= most) return ok_status();
  return bad_field(field, format("must have {} to {} items, has {}", least, most, items),
                   items < least ? "too_few_items" : "too_many_items");
}

Status check_number(double number, double least, double most, std::string_view field) {
  if (number >= least && number <= most) return ok_status();
  return bad_field(field, format("{} is not within {} to {}", number, least, most), "out_of_range");
}

}  // namespace quipu::api::grpc::v1
