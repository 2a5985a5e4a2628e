// Points: upsert, get, patch, delete, scroll, count.
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/filter_schema.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::api::rest {
namespace {

// ---------------------------------------------------------------- bodies

constexpr std::uint64_t kVersionMax = UINT64_MAX;

struct PointBody {
  PointId id;
  std::optional<std::vector<float>> vector;
  std::vector<NamedVector> vectors;
  std::optional<std::string> text;
  std::string payload = "{}";
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
};

struct PatchBody {
  PointId id;
  std::optional<std::vector<float>> vector;
  std::vector<NamedVector> vectors;
  std::optional<std::string> text;
  std::optional<std::string> set_payload;
  std::vector<std::string> delete_payload;
  bool replace_payload = false;
  std::optional<std::uint64_t> if_version;
};

struct PatchesBody {
  std::vector<PatchBody> points;
};

struct DeleteBody {
  PointId id;
  std::optional<std::uint64_t> if_version;
};
struct DeletesBody {
  std::vector<PointId> ids;
  std::vector<DeleteBody> points;
};

struct GetBody {
  std::vector<PointId> ids;
  bool with_payload = true;
  bool with_text = true;
  bool with_vector = false;
};

struct ScrollBody {
  std::optional<PointId> after;
  std::optional<Filter> filter;
  std::size_t limit = 100;
  bool with_payload = true;
  bool with_text = true;
  bool with_vector = false;
};

struct CountBody {
  std::optional<Filter> filter;
};

constexpr const char* kVectorDoc = "The unnamed vector.";
constexpr const char* kVectorsDoc = "Named vectors.";
constexpr const char* kIfVersionDoc = "Refuse unless the point exists with this version.";

template <typename T>
void check_vectors(const T& body, const Path& at, FieldErrors& errors) {
  for (const NamedVector& vector : body.vectors) {
    if (vector.name.empty() && body.vector) {
      errors.add(Path(at, "vectors"), "bad_value",
                 "has the unnamed vector, which is in vector too");
    }
  }
}

const SchemaPtr<PointBody>& point_schema() {
  static const SchemaPtr<PointBody> schema =
      Object<PointBody>("PointWrite", "A point as it shall be.")
          .required("id", &PointBody::id, point_id(), "")
          .optional("vector", &PointBody::vector, maybe(vector_values()), kVectorDoc)
          .optional("vectors", &PointBody::vectors, named_vectors(), kVectorsDoc)
          .optional("text", &PointBody::text, maybe(text(0, limits::kTextBytesMax)),
                    "Stored, and embedded into every vector that has a model and is not given.")
          .optional("payload", &PointBody::payload, json_object(limits::kPayloadBytesMax),
                    "Any JSON object; {} unless given.")
          .optional("if_version", &PointBody::if_version,
                    maybe(integer<std::uint64_t>(1, kVersionMax)), kIfVersionDoc)
          .optional("if_absent", &PointBody::if_absent, boolean(),
                    "Refuse when the point exists; false unless given.")
          .check([](const PointBody& body, const Path& at, FieldErrors& errors) {
            check_vectors(body, at, errors);
            if (body.if_version && body.if_absent) {
              errors.add(Path(at, "if_absent"), "bad_value",
                         "and if_version cannot both be asked of one point");
            }
          })
          .done();
  return schema;
}

const SchemaPtr<OneOrMany<PointBody>>& upsert_schema() {
  static const auto schema = one_or_many("points", point_schema(), limits::kBatchPointsMax);
  return schema;
}

Object<PatchBody> patch_members(Object<PatchBody> object) {
  return std::move(object)
      .optional("set_payload", &PatchBody::set_payload,
                maybe(json_object(limits::kPayloadBytesMax)),
                "Members to add or replace, at the payload's top level.")
      .optional("delete_payload", &PatchBody::delete_payload, array(text(0, 4096), 1, 1024),
                "Members to remove, before set_payload.")
      .optional("replace_payload", &PatchBody::replace_payload, boolean(),
                "set_payload becomes the whole payload; false unless given.")
      .optional("vector", &PatchBody::vector, maybe(vector_values()), kVectorDoc)
      .optional("vectors", &PatchBody::vectors, named_vectors(), kVectorsDoc)
      .optional("text", &PatchBody::text, maybe(text(0, limits::kTextBytesMax)),
                "Replaced, and embedded again.")
      .optional("if_version", &PatchBody::if_version, maybe(integer<std::uint64_t>(1, kVersionMax)),
                kIfVersionDoc)
      .check([](const PatchBody& body, const Path& at, FieldErrors& errors) {
        check_vectors(body, at, errors);
        if (body.replace_payload && !body.set_payload) {
          errors.add(Path(at, "set_payload"), "missing_field", "is what replaces the payload");
        }
        const bool changes = body.set_payload || !body.delete_payload.empty() || body.vector ||
                             !body.vectors.empty() || body.text;
        if (!changes) {
          errors.add(at, "missing_field",
                     "must change something: set_payload, delete_payload, vector, vectors or text");
        }
      });
}

const SchemaPtr<PatchBody>& patch_point_schema() {
  static const SchemaPtr<PatchBody> schema =
      patch_members(Object<PatchBody>("PointPatch", "What changes of the point; the rest stays."))
          .done();
  return schema;
}

const SchemaPtr<PatchesBody>& patches_schema() {
  static const SchemaPtr<PatchBody> item =
      patch_members(Object<PatchBody>("PointPatchById", "What changes of a point.")
                        .required("id", &PatchBody::id, point_id(), ""))
          .done();
  static const SchemaPtr<PatchesBody> schema =
      Object<PatchesBody>("PointPatches", "Points to change.")
          .required("points", &PatchesBody::points, array(item, 1, limits::kBatchPointsMax),
                    "By distinct ids.")
          .done();
  return schema;
}

const SchemaPtr<DeletesBody>& deletes_schema() {
  static const SchemaPtr<DeleteBody> item =
      Object<DeleteBody>("PointDelete", "A point to delete.")
          .required("id", &DeleteBody::id, point_id(), "")
          .optional("if_version", &DeleteBody::if_version,
                    maybe(integer<std::uint64_t>(1, kVersionMax)), kIfVersionDoc)
          .done();
  static const SchemaPtr<DeletesBody> schema =
      Object<DeletesBody>("PointDeletes", "Points to delete: ids or points.")
          .optional("ids", &DeletesBody::ids, array(point_id(), 1, limits::kBatchPointsMax),
                    "Distinct.")
          .optional("points", &DeletesBody::points, array(item, 1, limits::kBatchPointsMax),
                    "With conditions.")
          .check([](const DeletesBody& body, const Path& at, FieldErrors& errors) {
            if (body.ids.empty() != body.points.empty()) return;
            errors.add(at, "missing_field", "must have either ids or points");
          })
          .done();
  return schema;
}

template <typename T>
Object<T> select_members(Object<T> object) {
  return std::move(object)
      .optional("with_payload", &T::with_payload, boolean(), "true unless given.")
      .optional("with_text", &T::with_text, boolean(), "true unless given.")
      .optional("with_vector", &T::with_vector, boolean(), "false unless given.");
}

const SchemaPtr<GetBody>& get_schema() {
  static const SchemaPtr<GetBody> schema =
      select_members(Object<GetBody>("PointIds", "Points to read.")
                         .required("ids", &GetBody::ids,
                                   array(point_id(), 1, limits::kIdsPerRequestMax),
                                   "Those that are not there are left out of the answer."))
          .done();
  return schema;
}

const SchemaPtr<ScrollBody>& scroll_schema() {
  static const SchemaPtr<ScrollBody> schema =
      select_members(Object<ScrollBody>("Scroll", "A page of all points, by ascending ids.")
                         .optional("after", &ScrollBody::after, maybe(point_id()),
                                   "The `next` of the page before; the first page without it.")
                         .optional("filter", &ScrollBody::filter, maybe(filter_schema()),
                                   "Only points for which it holds.")
                         .optional("limit", &ScrollBody::limit,
                                   integer<std::size_t>(1, limits::kScrollPageMax),
                                   "100 unless given."))
          .done();
  return schema;
}

const SchemaPtr<CountBody>& count_schema() {
  static const SchemaPtr<CountBody> schema =
      Object<CountBody>("CountRequest", "Which points count; all of an empty object.")
          .optional("filter", &CountBody::filter, maybe(filter_schema()),
                    "Only points for which it holds.")
          .done();
  return schema;
}

template <typename T>
Select select_of(const T& body) {
  return {.payload = body.with_payload, .text = body.with_text, .vectors = body.with_vector};
}

// ---------------------------------------------------------------- translation

std::vector<NamedVector> joined(std::optional<std::vector<float>> unnamed,
                                std::vector<NamedVector> named) {
  if (unnamed) named.push_back({.name = "", .values = std::move(*unnamed)});
  return named;
}

PointWrite to_write(PointBody body) {
  return {.id = body.id,
          .vectors = joined(std::move(body.vector), std::move(body.vectors)),
          .text = std::move(body.text),
          .payload = std::move(body.payload),
          .condition = {.if_version = body.if_version, .if_absent = body.if_absent}};
}

PointPatch to_patch(PatchBody body) {
  return {.id = body.id,
          .set_payload = std::move(body.set_payload).value_or("{}"),
          .delete_payload = std::move(body.delete_payload),
          .replace_payload = body.replace_payload,
          .vectors = joined(std::move(body.vector), std::move(body.vectors)),
          .text = std::move(body.text),
          .condition = {.if_version = body.if_version, .if_absent = false}};
}

// The version that If-Match asks for: a quoted number, as ETag gives it. On a mistake the call is
// answered and the result is empty.
std::optional<std::optional<std::uint64_t>> if_match(const CallPtr& call) {
  const auto header = call->header("If-Match");
  if (!header) return std::optional<std::uint64_t>();
  std::uint64_t version = 0;
  const char* const begin = header->data() + 1;
  const bool quoted_text = header->size() > 2 && header->front() == '"' && header->back() == '"';
  if (quoted_text) {
    const char* const end = header->data() + header->size() - 1;
    const auto [stop, error] = std::from_chars(begin, end, version);
    if (error == std::errc() && stop == end && version > 0) {
      return std::optional<std::uint64_t>(version);
    }
  }
  call->fail({ErrorCode::kInvalidArgument,
              "If-Match must be a point's version in double quotes, got " + in_quotes(*header),
              "malformed_header"});
  return std::nullopt;
}

std::string_view collection_of(const CallPtr& call) { return call->parameter(0); }

}  // namespace

// ---------------------------------------------------------------- writes

void upsert_points(const CallPtr& call) {
  OneOrMany<PointBody> body;
  if (call->is_ndjson()) {
    auto lines = call->lines(point_schema(), limits::kBatchPointsMax);
    if (!lines) return;
    body.items = std::move(*lines);
  } else {
    auto read = call->body(upsert_schema());
    if (!read) return;
    body = std::move(*read);
  }
  call->drop_body();
  UpsertRequest request{.points = {}, .params = call->write_params()};
  request.points.reserve(body.items.size());
  for (PointBody& item : body.items) request.points.push_back(to_write(std::move(item)));
  call->core().engine.upsert_async(call->tenant(), collection_of(call), std::move(request),
                                   when_written(call, {.one = body.one}));
}

void patch_points(const CallPtr& call) {
  auto body = call->body(patches_schema());
  if (!body) return;
  call->drop_body();
  PatchRequest request{.points = {}, .params = call->write_params()};
  for (PatchBody& item : body->points) request.points.push_back(to_patch(std::move(item)));
  call->core().engine.patch_async(call->tenant(), collection_of(call), std::move(request),
                                  when_written(call, {}));
}

void patch_point(const CallPtr& call) {
  const auto id = path_id(call, 1);
  if (!id) return;
  const auto version = if_match(call);
  if (!version) return;
  auto body = call->body(patch_point_schema());
  if (!body) return;
  body->id = *id;
  if (*version) body->if_version = *version;
  PatchRequest request{.points = {}, .params = call->write_params()};
  request.points.push_back(to_patch(std::move(*body)));
  call->core().engine.patch_async(call->tenant(), collection_of(call), std::move(request),
                                  when_written(call, {.one = true}));
}

void delete_points(const CallPtr& call) {
  const auto body = call->body(deletes_schema());
  if (!body) return;
  DeleteRequest request{.points = {}, .params = call->write_params()};
  for (const PointId& id : body->ids) request.points.push_back({.id = id, .condition = {}});
  for (const DeleteBody& item : body->points) {
    request.points.push_back(
        {.id = item.id, .condition = {.if_version = item.if_version, .if_absent = false}});
  }
  const std::string_view list = body->ids.empty() ? "points" : "ids";
  call->core().engine.remove_async(call->tenant(), collection_of(call), std::move(request),
                                   when_written(call, {.list = list}));
}

void delete_point(const CallPtr& call) {
  const auto id = path_id(call, 1);
  if (!id) return;
  const auto version = if_match(call);
  if (!version) return;
  DeleteRequest request{.points = {}, .params = call->write_params()};
  request.points.push_back({.id = *id, .condition = {.if_version = *version, .if_absent = false}});
  call->core().engine.remove_async(call->tenant(), collection_of(call), std::move(request),
                                   when_written(call, {.one = true}));
}

// ---------------------------------------------------------------- reads

void get_points(const CallPtr& call) {
  auto body = call->body(get_schema());
  if (!body) return;
  const Select select = select_of(*body);
  const auto points = call->core().engine.get(
      call->tenant(), collection_of(call),
      {.ids = std::move(body->ids), .select = select, .params = call->read_params()});
  if (!points.ok()) return call->fail(points.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  for (const Point& point : points.value()) write_point(out, point, select);
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

void get_point(const CallPtr& call) {
  const auto id = path_id(call, 1);
  if (!id) return;
  const Select select = select_of_query(*call);
  const auto points =
      call->core().engine.get(call->tenant(), collection_of(call),
                              {.ids = {*id}, .select = select, .params = call->read_params()});
  if (!points.ok()) return call->fail(points.error());
  if (points.value().empty()) {
    return call->fail({ErrorCode::kNotFound,
                       "there is no point " + id->to_string() + " in collection " +
                           in_quotes(collection_of(call)),
                       "point_not_found"});
  }
  const Point& point = points.value().front();
  Response response;
  JsonWriter out(response.body);
  write_point(out, point, select);
  response.headers.emplace_back("ETag", "\"" + std::to_string(point.version) + "\"");
  call->reply(std::move(response));
}

void scroll_points(const CallPtr& call) {
  auto body = call->body(scroll_schema());
  if (!body) return;
  const Select select = select_of(*body);
  const auto page = call->core().engine.scroll(call->tenant(), collection_of(call),
                                               {.after = body->after,
                                                .filter = std::move(body->filter),
                                                .limit = body->limit,
                                                .select = select,
                                                .params = call->read_params()});
  if (!page.ok()) return call->fail(page.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  for (const Point& point : page.value().points) write_point(out, point, select);
  out.end_array();
  if (page.value().next) {
    out.key("next");
    write_id(out, *page.value().next);
  }
  out.end_object();
  call->reply_json(200, std::move(json));
}

void count_points(const CallPtr& call) {
  auto body = call->body(count_schema());
  if (!body) return;
  const auto count =
      call->core().engine.count(call->tenant(), collection_of(call),
                                {.filter = std::move(body->filter), .params = call->read_params()});
  if (!count.ok()) return call->fail(count.error());
  std::string json;
  JsonWriter(json).begin_object().key("count").value(count.value()).end_object();
  call->reply_json(200, std::move(json));
}

// ---------------------------------------------------------------- descriptions

void describe_upsert(JsonWriter& out, Components& components) {
  upsert_schema()->describe(out, components, "");
}
void describe_upsert_line(JsonWriter& out, Components& components) {
  point_schema()->describe(out, components, "One point on each line.");
}
void describe_get_points(JsonWriter& out, Components& components) {
  get_schema()->describe(out, components, "");
}
void describe_delete_points(JsonWriter& out, Components& components) {
  deletes_schema()->describe(out, components, "");
}
void describe_patch_points(JsonWriter& out, Components& components) {
  patches_schema()->describe(out, components, "");
}
void describe_scroll(JsonWriter& out, Components& components) {
  scroll_schema()->describe(out, components, "");
}
void describe_count(JsonWriter& out, Components& components) {
  count_schema()->describe(out, components, "");
}
void describe_patch_point(JsonWriter& out, Components& components) {
  patch_point_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
