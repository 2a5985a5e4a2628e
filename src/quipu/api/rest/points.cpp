// Points: upsert, get, patch, delete, scroll, count.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/payload_change.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/filter_schema.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/api/rest/language_schemas.h"
#include "quipu/api/rest/select_schema.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::rest {
namespace {

// ---------------------------------------------------------------- bodies

constexpr std::uint64_t kVersionMax = UINT64_MAX;

struct PointBody {
  PointId id;
  std::optional<GivenVector> vector;
  std::vector<GivenVector> vectors;
  std::optional<std::string> text;
  std::string payload = "{}";
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
};

struct PatchBody : PayloadChange {
  PointId id;
  std::optional<GivenVector> vector;
  std::vector<GivenVector> vectors;
  std::optional<std::string> text;
  std::optional<std::uint64_t> if_version;
};

struct PatchesBody {
  std::vector<PatchBody> points;
  std::optional<Filter> filter;
  std::optional<PayloadChange> patch;
};

struct DeleteBody {
  PointId id;
  std::optional<std::uint64_t> if_version;
};
struct DeletesBody {
  std::vector<PointId> ids;
  std::vector<DeleteBody> points;
  std::optional<Filter> filter;
};

struct GetBody : Selection {
  std::vector<PointId> ids;
};

struct ScrollBody : Selection {
  std::optional<PointId> after;
  std::optional<Filter> filter;
  std::optional<OrderByQuery> order_by;
  std::size_t limit = 100;
};

struct CountBody {
  std::optional<Filter> filter;
};

constexpr const char* kVectorDoc = "The unnamed vector.";
constexpr const char* kVectorsDoc = "Named vectors.";
constexpr const char* kIfVersionDoc = "Refuse unless the point exists with this version.";

template <typename T>
void check_vectors(const T& body, const Path& at, FieldErrors& errors) {
  for (const GivenVector& given : body.vectors) {
    if (given.vector.name.empty() && body.vector) {
      errors.add(Path(at, "vectors"), "bad_value",
                 "has the unnamed vector, which is in vector too");
    }
  }
}

const SchemaPtr<PointBody>& point_schema() {
  static const SchemaPtr<PointBody> schema =
      Object<PointBody>("PointWrite", "A point as it shall be.")
          .required("id", &PointBody::id, point_id(), "")
          .optional("vector", &PointBody::vector, maybe(vector_value()), kVectorDoc)
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

template <typename T>
Object<T> change_members(Object<T> object) {
  return std::move(object)
      .optional("set_payload", static_cast<std::optional<std::string> T::*>(&T::set_payload),
                maybe(json_object(limits::kPayloadBytesMax)),
                "Members to add or replace, at the payload's top level or in set_key.")
      .optional("set_key", static_cast<std::string T::*>(&T::set_key), payload_path(),
                "The path of the object that set_payload is merged into, made where it is missing.")
      .optional("delete_payload", static_cast<std::vector<std::string> T::*>(&T::delete_payload),
                array(text(0, 4096), 1, kPatchNamesMax),
                "Members of the payload to remove, before set_payload.")
      .optional("delete_paths", static_cast<std::vector<std::string> T::*>(&T::delete_paths),
                array(payload_path(), 1, kPatchNamesMax),
                "Paths to remove (a.b, a[].b), before set_payload; no elements of arrays.")
      .optional("replace_payload", static_cast<bool T::*>(&T::replace_payload), boolean(),
                "set_payload becomes the whole payload; false unless given.")
      .optional("delete_vectors", static_cast<std::vector<std::string> T::*>(&T::delete_vectors),
                array(text(0, 64), 1, limits::kVectorsPerCollectionMax),
                "Names of vectors to remove; the unnamed one has the empty name.");
}

Object<PatchBody> patch_members(Object<PatchBody> object) {
  return change_members(std::move(object))
      .optional("vector", &PatchBody::vector, maybe(vector_value()), kVectorDoc)
      .optional("vectors", &PatchBody::vectors, named_vectors(), kVectorsDoc)
      .optional("text", &PatchBody::text, maybe(text(0, limits::kTextBytesMax)),
                "Replaced, and embedded again.")
      .optional("if_version", &PatchBody::if_version, maybe(integer<std::uint64_t>(1, kVersionMax)),
                kIfVersionDoc)
      .check([](const PatchBody& body, const Path& at, FieldErrors& errors) {
        check_vectors(body, at, errors);
        check_payload_change(body, at, errors);
        if (body.empty() && !body.vector && body.vectors.empty() && !body.text) {
          errors.add(at, "missing_field",
                     "must change something: set_payload, delete_payload, delete_paths, vector, "
                     "vectors, delete_vectors or text");
        }
      });
}

SchemaPtr<PayloadChange> change_schema() {
  return change_members(
             Object<PayloadChange>("PointChange", "What changes of every point that matches."))
      .check(check_filter_change)
      .done();
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
      Object<PatchesBody>("PointPatches", "Points to change: points, or filter and patch.")
          .optional("points", &PatchesBody::points, array(item, 1, limits::kBatchPointsMax),
                    "By distinct ids.")
          .optional("filter", &PatchesBody::filter, maybe(filter_schema()),
                    "All points for which it holds change as patch says.")
          .optional("patch", &PatchesBody::patch, maybe(change_schema()), "With filter.")
          .check([](const PatchesBody& body, const Path& at, FieldErrors& errors) {
            if (body.points.empty() != body.filter.has_value()) {
              errors.add(at, "missing_field", "must have either points or filter");
            } else if (body.filter.has_value() != body.patch.has_value()) {
              errors.add(Path(at, "patch"), body.filter ? "missing_field" : "bad_value",
                         "goes with filter");
            }
          })
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
      Object<DeletesBody>("PointDeletes", "Points to delete: ids, points or filter.")
          .optional("ids", &DeletesBody::ids, array(point_id(), 1, limits::kBatchPointsMax),
                    "Distinct.")
          .optional("points", &DeletesBody::points, array(item, 1, limits::kBatchPointsMax),
                    "With conditions.")
          .optional("filter", &DeletesBody::filter, maybe(filter_schema()),
                    "All points for which it holds; an empty one holds for all.")
          .check([](const DeletesBody& body, const Path& at, FieldErrors& errors) {
            const int given =
                (body.ids.empty() ? 0 : 1) + (body.points.empty() ? 0 : 1) + (body.filter ? 1 : 0);
            if (given == 1) return;
            errors.add(at, "missing_field", "must have exactly one of ids, points and filter");
          })
          .done();
  return schema;
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

class OrderBySchema final : public Schema<OrderByQuery> {
 public:
  void read(JsonView json, OrderByQuery& into, const Path& at, FieldErrors& errors) const override {
    const std::string field = at.text();
    auto order = query::read_order_by(json, query::Place(field));
    if (!order.ok()) return errors.add_placed(field, order.error());
    into = std::move(order).value();
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    describe_language(out, components, "OrderBy", doc);
  }
};

const SchemaPtr<ScrollBody>& scroll_schema() {
  static const SchemaPtr<ScrollBody> schema =
      select_members(
          Object<ScrollBody>("Scroll", "A page of all points, by ascending ids or by a value.")
              .optional("after", &ScrollBody::after, maybe(point_id()),
                        "The `next` of the page before; the first page without it.")
              .optional("filter", &ScrollBody::filter, maybe(filter_schema()),
                        "Only points for which it holds.")
              .optional("limit", &ScrollBody::limit,
                        integer<std::size_t>(1, limits::kScrollPageMax), "100 unless given.")
              .optional("order_by", &ScrollBody::order_by,
                        maybe<OrderByQuery>(std::make_shared<OrderBySchema>()),
                        "By a payload value instead; a point with several comes once "
                        "for each, one with none does not come."))
          .check([](const ScrollBody& body, const Path& at, FieldErrors& errors) {
            if (!body.after || !body.order_by) return;
            errors.add(Path(at, "after"), "bad_value",
                       "cannot be with order_by, whose pages go on by start_from");
          })
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

// ---------------------------------------------------------------- translation

std::vector<NamedVector> joined(std::optional<GivenVector> unnamed,
                                std::vector<GivenVector> named) {
  std::vector<NamedVector> all;
  all.reserve(named.size() + 1);
  for (GivenVector& given : named) all.push_back(std::move(given.vector));
  if (unnamed) all.push_back(std::move(unnamed->vector));
  return all;
}

PointWrite to_write(PointBody body) {
  return {.id = body.id,
          .vectors = joined(std::move(body.vector), std::move(body.vectors)),
          .text = std::move(body.text),
          .payload = std::move(body.payload),
          .condition = {.if_version = body.if_version, .if_absent = body.if_absent}};
}

PointPatch to_point_patch(PatchBody body) {
  PointPatch patch = to_patch(std::move(static_cast<PayloadChange&>(body)));
  patch.id = body.id;
  patch.vectors = joined(std::move(body.vector), std::move(body.vectors));
  patch.text = std::move(body.text);
  patch.condition = {.if_version = body.if_version, .if_absent = false};
  return patch;
}

// Rows tell the engine nothing but their numbers, so that their length is checked here: rows of
// another one could be cut anew.
class RowCheck {
 public:
  explicit RowCheck(const CallPtr& call) : call_(call) {}

  // Answers the call, and returns false, when rows of `body` do not fit.
  template <typename T>
  [[nodiscard]] bool fits(const T& body, const Path& at) {
    if (body.vector && !fits_one(*body.vector, Path(at, "vector"))) return false;
    const Path vectors(at, "vectors");
    return std::ranges::all_of(body.vectors, [&](const GivenVector& given) {
      return fits_one(given, Path(vectors, given.vector.name));
    });
  }

 private:
  bool fits_one(const GivenVector& given, const Path& at) {
    if (given.row_values == 0) return true;
    if (!info_) {
      auto info = call_->core().engine.collection(call_->tenant(), call_->parameter(0));
      if (!info.ok()) {
        call_->fail(info.error());
        return false;
      }
      info_ = std::move(info).value();
    }
    const auto config =
        std::ranges::find(info_->config.vectors, given.vector.name, &VectorConfig::name);
    if (config == info_->config.vectors.end()) return true;  // the engine says so
    const bool one_row = given.vector.values.size() == given.row_values;
    const bool rows = config->kind == VectorKind::kMulti || one_row;
    if (rows && (config->kind == VectorKind::kSparse || given.row_values == config->dim)) {
      return true;
    }
    FieldErrors errors;
    errors.add(at, "dimension_mismatch",
               rows ? "has rows of " + std::to_string(given.row_values) + " numbers; the vector " +
                          in_quotes(config->name) + " has dimension " + std::to_string(config->dim)
                    : "has rows; the vector " + in_quotes(config->name) + " is no multivector");
    call_->fail({ErrorCode::kInvalidArgument, errors.all()[0].field + ": " + errors.all()[0].detail,
                 "dimension_mismatch"},
                errors.all());
    return false;
  }

  const CallPtr& call_;
  std::optional<CollectionInfo> info_;  // asked for when there are rows
};

// The place of the items of a body's list.
template <typename T>
bool rows_fit(const CallPtr& call, const std::vector<T>& items, bool one) {
  RowCheck check(call);
  const Path root;
  const Path list(root, "points");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!check.fits(items[i], one ? root : Path(list, i))) return false;
  }
  return true;
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
  if (!rows_fit(call, body.items, body.one)) return;
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
  if (body->filter) {
    return reply_filter_written(
        call, call->core().engine.patch_by_filter(call->tenant(), collection_of(call),
                                                  {.filter = std::move(*body->filter),
                                                   .patch = to_patch(std::move(*body->patch)),
                                                   .params = call->write_params()}));
  }
  if (!rows_fit(call, body->points, false)) return;
  PatchRequest request{.points = {}, .params = call->write_params()};
  for (PatchBody& item : body->points) request.points.push_back(to_point_patch(std::move(item)));
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
  const Path root;
  if (!RowCheck(call).fits(*body, root)) return;
  if (*version) body->if_version = *version;
  PatchRequest request{.points = {}, .params = call->write_params()};
  request.points.push_back(to_point_patch(std::move(*body)));
  call->core().engine.patch_async(call->tenant(), collection_of(call), std::move(request),
                                  when_written(call, {.one = true}));
}

void delete_points(const CallPtr& call) {
  auto body = call->body(deletes_schema());
  if (!body) return;
  if (body->filter) {
    return reply_filter_written(
        call, call->core().engine.remove_by_filter(
                  call->tenant(), collection_of(call),
                  {.filter = std::move(*body->filter), .params = call->write_params()}));
  }
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
  const Select select = body->select();
  const auto shapes = VectorShapes::of(*call, select);
  if (!shapes.ok()) return call->fail(shapes.error());
  const auto points = call->core().engine.get(
      call->tenant(), collection_of(call),
      {.ids = std::move(body->ids), .select = select, .params = call->read_params()});
  if (!points.ok()) return call->fail(points.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  for (const Point& point : points.value()) write_point(out, point, select, shapes.value());
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

void get_point(const CallPtr& call) {
  const auto id = path_id(call, 1);
  if (!id) return;
  const Select select = select_of_query(*call);
  const auto shapes = VectorShapes::of(*call, select);
  if (!shapes.ok()) return call->fail(shapes.error());
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
  write_point(out, point, select, shapes.value());
  response.headers.emplace_back("ETag", "\"" + std::to_string(point.version) + "\"");
  call->reply(std::move(response));
}

namespace {

void answer_scroll(const CallPtr& call, ScrollBody body) {
  const Select select = body.select();
  const auto shapes = VectorShapes::of(*call, select);
  if (!shapes.ok()) return call->fail(shapes.error());
  const auto page = call->core().engine.scroll(call->tenant(), collection_of(call),
                                               {.after = body.after,
                                                .filter = std::move(body.filter),
                                                .order_by = std::move(body.order_by),
                                                .limit = body.limit,
                                                .select = select,
                                                .params = call->read_params()});
  if (!page.ok()) return call->fail(page.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("points").begin_array();
  for (std::size_t i = 0; i < page.value().points.size(); ++i) {
    const Point& point = page.value().points[i];
    out.begin_object().key("id");
    write_id(out, point.id);
    if (!page.value().order_keys.empty()) write_order_value(out, page.value().order_keys[i]);
    write_point_members(out, point, select, shapes.value());
    out.end_object();
  }
  out.end_array();
  if (page.value().next) {
    out.key("next");
    write_id(out, *page.value().next);
  }
  out.end_object();
  call->reply_json(200, std::move(json));
}

}  // namespace

void scroll_points(const CallPtr& call) {
  auto body = call->body(scroll_schema());
  if (!body) return;
  if (!body->order_by) return answer_scroll(call, std::move(*body));
  // An order reads every record: that must not hold a thread that answers others quickly.
  const auto shared = std::make_shared<ScrollBody>(std::move(*body));
  call->run_on(call->core().waiting,
               [shared](const CallPtr& self) { answer_scroll(self, std::move(*shared)); });
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
