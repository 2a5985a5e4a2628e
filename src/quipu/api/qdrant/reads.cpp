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
#include "quipu/api/qdrant/pages.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::qdrant {
namespace {

using Answer = Result<std::string>;
using query::member;

ReadParams params_of(const Terms& terms) { return {.min_seq = "", .timeout = terms.timeout}; }

Status check_read_body(JsonView body, query::Names members) {
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, members, at));
  return refuse_shard_key(body, at);
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
  QUIPU_TRY_OK(check_read_body(body, kMembers));
  QUIPU_TRY(const JsonView ids_json, query::required(body, "ids", at));
  QUIPU_TRY(const std::vector<PointId> ids, read_ids(ids_json, Place(at, "ids")));
  QUIPU_TRY(const Selection selection, read_selection(body, at, true));
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(engine, call->tenant(), name_of(call), selection));
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  const auto write = [&](const Point& point, const OrderKey*) -> Status {
    writer.record(out, point);
    return check_answer_size(json.size());
  };
  QUIPU_TRY_OK(read_points(engine, call->tenant(), name_of(call), ids,
                           {.ids = {}, .select = selection.select, .params = params_of(terms)},
                           write));
  out.end_array();
  return json;
}

// ---------------------------------------------------------------- pages

void write_next(JsonWriter& out, const std::optional<PointId>& next) {
  out.key("next_page_offset");
  if (next) {
    write_id(out, *next);
  } else {
    out.null();
  }
}

Answer write_page(const CallPtr& call, const PageAsked& asked, const PointWriter& writer) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  const auto write = [&](const Point& point, const OrderKey* order) -> Status {
    writer.record(out, point, order);
    return check_answer_size(json.size());
  };
  QUIPU_TRY(const std::optional<PointId> next,
            read_page(call->core().engine, call->tenant(), name_of(call), asked, write));
  out.end_array();
  write_next(out, next);
  out.end_object();
  return json;
}

Answer scroll(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 8> kMembers = {
      "shard_key",    "offset",      "limit",        "filter",
      "with_payload", "with_vector", "with_vectors", "order_by"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_read_body(body, kMembers));
  PageAsked asked;
  QUIPU_TRY(const Selection selection, read_selection(body, at, true));
  asked.request.select = selection.select;
  asked.request.params = params_of(terms);
  QUIPU_TRY(asked.request.filter, read_filter(body, at));
  if (const auto order = member(body, "order_by")) {
    QUIPU_TRY(asked.request.order_by, query::read_order_by(*order, Place(at, "order_by")));
  }
  if (const auto json = member(body, "limit")) {
    QUIPU_TRY(asked.limit, query::read_count(*json, 0, UINT64_MAX, Place(at, "limit")));
  }
  if (const auto offset = member(body, "offset")) {
    QUIPU_TRY(asked.first, query::read_point_id(*offset, Place(at, "offset")));
  }
  QUIPU_TRY_OK(check_page(asked, at));
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(call->core().engine, call->tenant(), name_of(call), selection));
  return write_page(call, asked, writer);
}

// ---------------------------------------------------------------- counts and facets

Answer count(const CallPtr& call, JsonView body) {
  constexpr std::array<std::string_view, 3> kMembers = {"shard_key", "filter", "exact"};
  const Place at("");
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY_OK(check_read_body(body, kMembers));
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
  QUIPU_TRY_OK(check_read_body(body, kMembers));
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
  QUIPU_TRY_OK(check_read_body(body, kMembers));
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
