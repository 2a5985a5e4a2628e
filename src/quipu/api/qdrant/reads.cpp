// Reads of points that rank nothing: by id, page by page, counts, facets, matrices.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/answer.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::qdrant {
namespace {

using Answer = Result<std::string>;
using query::member;

// A page has no limit of its own at Qdrant's clients, who ask for 100,000 points at times; what the
// answer takes in memory has one.
constexpr std::size_t kPagePointsMax = 1'000'000;
constexpr std::size_t kAnswerBytesMax = 256U << 20;

const std::string& name_of(const CallPtr& call) { return call->parameter(0); }

ReadParams params_of(const Terms& terms) { return {.min_seq = "", .timeout = terms.timeout}; }

Status check_body(JsonView body, query::Names members) {
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, members, at));
  return refuse_shard_key(body, at);
}

Status check_size(const std::string& json) {
  if (json.size() <= kAnswerBytesMax) return ok_status();
  return bad_request(
      format("the answer has more than {} bytes; ask for fewer points", kAnswerBytesMax));
}

// ---------------------------------------------------------------- by id

Answer one_point(const CallPtr& call) {
  QUIPU_TRY(const Terms terms, terms_of(*call));
  const std::string& text = call->parameter(1);
  std::string quoted;
  // Numbers are written as such in a path too.
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (digits) {
    quoted = text;
  } else {
    append_json_string(quoted, text);
  }
  const auto json = JsonDocument::parse(quoted);
  if (!json.ok()) return bad_request(format("id: {} is no point id", text));
  QUIPU_TRY(const PointId id, query::read_point_id(json.value().root(), Place("id")));
  Selection selection;
  selection.select = {.payload = true, .text = false, .vectors = true};
  selection.payload = true;
  selection.vectors = true;
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(engine, call->tenant(), name_of(call), selection));
  QUIPU_TRY(const std::vector<Point> points,
            engine.get(call->tenant(), name_of(call),
                       {.ids = {id}, .select = selection.select, .params = params_of(terms)}));
  if (points.empty()) {
    return Error{ErrorCode::kNotFound, format("Point with id {} does not exists!", id.to_string()),
                 "point_not_found"};
  }
  std::string out_json;
  JsonWriter out(out_json);
  writer.record(out, points.front());
  return out_json;
}

Answer points_by_id(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 5> kMembers = {"ids", "with_payload", "with_vector",
                                                        "with_vectors", "shard_key"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_body(body, kMembers));
  QUIPU_TRY(const JsonView ids_json, query::required(body, "ids", at));
  QUIPU_TRY(const std::vector<PointId> ids, read_ids(ids_json, Place(at, "ids")));
  QUIPU_TRY(const Selection selection, read_selection(body, at, true));
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(engine, call->tenant(), name_of(call), selection));
  // An empty list asks nothing of the engine, but whether the collection is there.
  if (ids.empty()) QUIPU_TRY_OK(engine.collection(call->tenant(), name_of(call)));
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (std::size_t begin = 0; begin < ids.size(); begin += limits::kIdsPerRequestMax) {
    const std::size_t end = std::min(begin + limits::kIdsPerRequestMax, ids.size());
    GetRequest request{.ids = {}, .select = selection.select, .params = params_of(terms)};
    request.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                       ids.begin() + static_cast<std::ptrdiff_t>(end));
    QUIPU_TRY(const std::vector<Point> points, engine.get(call->tenant(), name_of(call), request));
    for (const Point& point : points) writer.record(out, point);
    QUIPU_TRY_OK(check_size(json));
  }
  out.end_array();
  return json;
}

// ---------------------------------------------------------------- pages

// The last id before `id`, in the engine's order; empty for the first of all.
std::optional<PointId> before(const PointId& id) {
  if (!id.is_uuid()) {
    if (id.as_number() == 0) return std::nullopt;
    return PointId::number(id.as_number() - 1);
  }
  if (id.low() > 0) return PointId::uuid(id.high(), id.low() - 1);
  if (id.high() > 0) return PointId::uuid(id.high() - 1, UINT64_MAX);
  return PointId::number(UINT64_MAX);
}

void write_next(JsonWriter& out, const std::optional<PointId>& next) {
  out.key("next_page_offset");
  if (next) {
    write_id(out, *next);
  } else {
    out.null();
  }
}

// One point more than is asked for is read: it is where the next page begins.
Answer page_by_id(const CallPtr& call, ScrollRequest request, std::size_t limit,
                  const PointWriter& writer) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  std::optional<PointId> next;
  for (std::size_t written = 0; !next;) {
    request.limit = std::min(limit - written + 1, limits::kScrollPageMax);
    QUIPU_TRY(const ScrollPage page,
              call->core().engine.scroll(call->tenant(), name_of(call), request));
    for (const Point& point : page.points) {
      if (written == limit) {
        next = point.id;
        break;
      }
      writer.record(out, point);
      ++written;
    }
    QUIPU_TRY_OK(check_size(json));
    if (!page.next) break;
    request.after = page.next;
  }
  out.end_array();
  write_next(out, next);
  out.end_object();
  return json;
}

Answer page_by_order(const CallPtr& call, const ScrollRequest& request, const PointWriter& writer) {
  QUIPU_TRY(const ScrollPage page,
            call->core().engine.scroll(call->tenant(), name_of(call), request));
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  for (std::size_t i = 0; i < page.points.size(); ++i) {
    writer.record(out, page.points[i], &page.order_keys[i]);
  }
  out.end_array();
  QUIPU_TRY_OK(check_size(json));
  write_next(out, std::nullopt);
  out.end_object();
  return json;
}

Answer scroll(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 8> kMembers = {
      "shard_key",    "offset",      "limit",        "filter",
      "with_payload", "with_vector", "with_vectors", "order_by"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_body(body, kMembers));
  QUIPU_TRY(const Selection selection, read_selection(body, at, true));
  ScrollRequest request{.after = {}, .filter = {}, .select = selection.select};
  request.params = params_of(terms);
  QUIPU_TRY(request.filter, read_filter(body, at));
  const auto order = member(body, "order_by");
  std::size_t limit = 10;
  if (const auto json = member(body, "limit")) {
    const std::size_t most = order ? limits::kScrollPageMax : kPagePointsMax;
    QUIPU_TRY(limit, query::read_count(*json, 1, most, Place(at, "limit")));
  }
  const auto offset = member(body, "offset");
  if (offset) {
    QUIPU_TRY(const PointId first, query::read_point_id(*offset, Place(at, "offset")));
    request.after = before(first);
  }
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(call->core().engine, call->tenant(), name_of(call), selection));
  if (!order) return page_by_id(call, std::move(request), limit, writer);
  if (offset) {
    return Place(at, "offset")
        .error("is not for order_by: go on by its start_from", query::kInvalidQuery);
  }
  QUIPU_TRY(request.order_by, query::read_order_by(*order, Place(at, "order_by")));
  request.limit = limit;
  return page_by_order(call, request, writer);
}

// ---------------------------------------------------------------- counts and facets

Answer count(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 3> kMembers = {"shard_key", "filter", "exact"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_body(body, kMembers));
  // Exact either way.
  if (const auto exact = member(body, "exact")) {
    QUIPU_TRY_OK(query::read_bool(*exact, Place(at, "exact")));
  }
  CountRequest request{.filter = {}, .params = params_of(terms)};
  QUIPU_TRY(request.filter, read_filter(body, at));
  QUIPU_TRY(const std::uint64_t points,
            call->core().engine.count(call->tenant(), name_of(call), request));
  return format(R"({{"count":{}}})", points);
}

Answer facet_of(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 5> kMembers = {"shard_key", "key", "limit", "filter",
                                                        "exact"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_body(body, kMembers));
  if (const auto exact = member(body, "exact")) {
    QUIPU_TRY_OK(query::read_bool(*exact, Place(at, "exact")));
  }
  FacetRequest request{.key = "", .filter = {}, .params = params_of(terms)};
  QUIPU_TRY(const JsonView key, query::required(body, "key", at));
  QUIPU_TRY(request.key, query::read_string(key, Place(at, "key")));
  QUIPU_TRY(request.filter, read_filter(body, at));
  if (const auto limit = member(body, "limit")) {
    QUIPU_TRY(request.limit,
              query::read_count(*limit, 1, limits::kSearchHitsMax, Place(at, "limit")));
  }
  QUIPU_TRY(const std::vector<FacetValue> values,
            call->core().engine.facet(call->tenant(), name_of(call), request));
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("hits").begin_array();
  for (const FacetValue& each : values) {
    out.begin_object().key("value");
    if (const auto* text = std::get_if<std::string>(&each.value)) {
      out.value(std::string_view(*text));
    } else if (const auto* flag = std::get_if<bool>(&each.value)) {
      out.value(*flag);
    } else {
      out.value(std::get<std::int64_t>(each.value));
    }
    out.key("count").value(each.count).end_object();
  }
  out.end_array().end_object();
  return json;
}

// ---------------------------------------------------------------- matrices

Result<MatrixResult> matrix(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 5> kMembers = {"shard_key", "filter", "sample", "limit",
                                                        "using"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_body(body, kMembers));
  MatrixRequest request;
  request.params = params_of(terms);
  QUIPU_TRY(request.filter, read_filter(body, at));
  if (const auto using_name = member(body, "using")) {
    QUIPU_TRY(request.vector_name, query::read_string(*using_name, Place(at, "using")));
  }
  if (const auto sample = member(body, "sample")) {
    QUIPU_TRY(request.sample, query::read_count(*sample, 2, 1'000, Place(at, "sample")));
  }
  if (const auto limit = member(body, "limit")) {
    QUIPU_TRY(request.limit, query::read_count(*limit, 1, 999, Place(at, "limit")));
  }
  return call->core().engine.matrix(call->tenant(), name_of(call), request);
}

Answer pairs_of(const CallPtr& call, JsonView body) {
  QUIPU_TRY(const MatrixResult found, matrix(call, body));
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("pairs").begin_array();
  for (const MatrixResult::Pair& pair : found.pairs) {
    out.begin_object().key("a");
    write_id(out, found.ids[pair.a]);
    out.key("b");
    write_id(out, found.ids[pair.b]);
    out.key("score").value(pair.score).end_object();
  }
  out.end_array().end_object();
  return json;
}

Answer offsets_of(const CallPtr& call, JsonView body) {
  QUIPU_TRY(const MatrixResult found, matrix(call, body));
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("offsets_row").begin_array();
  for (const MatrixResult::Pair& pair : found.pairs) out.value(pair.a);
  out.end_array().key("offsets_col").begin_array();
  for (const MatrixResult::Pair& pair : found.pairs) out.value(pair.b);
  out.end_array().key("scores").begin_array();
  for (const MatrixResult::Pair& pair : found.pairs) out.value(pair.score);
  out.end_array().key("ids").begin_array();
  for (const PointId& id : found.ids) write_id(out, id);
  out.end_array().end_object();
  return json;
}

template <typename Read>
void answer(const CallPtr& call, const Read& read) {
  const auto body = call->json_body();
  if (body) reply(call, read(call, body->root()));
}

}  // namespace

void get_point(const CallPtr& call) { reply(call, one_point(call)); }
void get_points(const CallPtr& call) { answer(call, points_by_id); }
void scroll_points(const CallPtr& call) { answer(call, scroll); }
void count_points(const CallPtr& call) { answer(call, count); }
void facet(const CallPtr& call) { answer(call, facet_of); }
void matrix_pairs(const CallPtr& call) { answer(call, pairs_of); }
void matrix_offsets(const CallPtr& call) { answer(call, offsets_of); }

}  // namespace quipu::api::qdrant
