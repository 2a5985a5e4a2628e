// The query language, groups, facets and the matrix of distances.
#include <array>
#include <string>
#include <utility>
#include <variant>

#include "quipu/api/call.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/filter_schema.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/api/rest/language_schemas.h"
#include "quipu/api/rest/ranked.h"
#include "quipu/api/rest/select_schema.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::rest {
namespace {

// ---------------------------------------------------------------- bodies

constexpr std::array<std::string_view, 4> kOwnMembers = {"with_payload", "with_text", "with_vector",
                                                         "explain"};

// What a body has besides the query.
struct OwnMembers : Selection {
  bool explain = false;
};

void read_own(JsonView json, OwnMembers& into, const Path& at, FieldErrors& errors) {
  static const auto payload = payload_selection();
  static const auto vectors = vector_selection();
  static const auto flag = boolean();
  json.for_each_member([&](std::string_view name, JsonView value) {
    const Path here(at, name);
    if (name == "with_payload") payload->read(value, into.with_payload, here, errors);
    if (name == "with_text") flag->read(value, into.with_text, here, errors);
    if (name == "with_vector") vectors->read(value, into.with_vector, here, errors);
    if (name == "explain") flag->read(value, into.explain, here, errors);
    return !errors.full();
  });
}

struct QueryBody {
  query::RankedRequest ranked;
  OwnMembers own;
};
struct GroupsBody {
  query::GroupedRequest grouped;
  OwnMembers own;
};

// A body whose query is read by query/request.
template <typename Body, auto kRead, auto kPart>
class QuerySchema final : public Schema<Body> {
 public:
  explicit QuerySchema(std::string_view component) : component_(component) {}
  void read(JsonView json, Body& into, const Path& at, FieldErrors& errors) const override {
    if (!json.is_object()) return add_wrong_type(json, "an object", at, errors);
    read_own(json, into.own, at, errors);
    const std::string field = at.text();
    auto read = kRead(json, query::ReadOptions{.field = field, .others = kOwnMembers});
    if (!read.ok()) return errors.add_placed(field, read.error());
    into.*kPart = std::move(read).value();
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    describe_language(out, components, component_, doc);
  }

 private:
  std::string_view component_;
};

const SchemaPtr<OneOrMany<QueryBody>>& query_schema() {
  using Item = QuerySchema<QueryBody, query::read_query, &QueryBody::ranked>;
  static const auto schema =
      one_or_many<QueryBody>("queries", std::make_shared<Item>("Query"), limits::kSearchBatchMax);
  return schema;
}

const SchemaPtr<GroupsBody>& groups_schema() {
  using Item = QuerySchema<GroupsBody, query::read_query_groups, &GroupsBody::grouped>;
  static const SchemaPtr<GroupsBody> schema = std::make_shared<Item>("QueryGroups");
  return schema;
}

const SchemaPtr<FacetRequest>& facet_schema() {
  static const SchemaPtr<FacetRequest> schema =
      Object<FacetRequest>("Facet", "Counts the values of a payload key, exactly.")
          .required("key", &FacetRequest::key, payload_path(),
                    "A path to strings, integers or booleans.")
          .optional("filter", &FacetRequest::filter, maybe(filter_schema()),
                    "Only points for which it holds.")
          .optional("limit", &FacetRequest::limit, integer<std::size_t>(1, limits::kSearchHitsMax),
                    "How many values, the most frequent first; 10 unless given.")
          .done();
  return schema;
}

const SchemaPtr<MatrixRequest>& matrix_schema() {
  static const SchemaPtr<MatrixRequest> schema =
      Object<MatrixRequest>("Matrix",
                            "Of a sample of the points, the nearest of the sample to each.")
          .optional("vector_name", &MatrixRequest::vector_name, text(0, 64),
                    "The unnamed vector unless given.")
          .optional("filter", &MatrixRequest::filter, maybe(filter_schema()),
                    "Only points for which it holds.")
          .optional("sample", &MatrixRequest::sample, integer<std::size_t>(2, 1'000),
                    "How many points; 10 unless given.")
          .optional("limit", &MatrixRequest::limit, integer<std::size_t>(1, 999),
                    "How many neighbours of each; 3 unless given.")
          .done();
  return schema;
}

template <typename... Kinds>
void write_value(JsonWriter& out, const std::variant<Kinds...>& value) {
  struct Write {
    JsonWriter& out;
    void operator()(const std::string& text) const { out.value(std::string_view(text)); }
    void operator()(std::int64_t number) const { out.value(number); }
    void operator()(bool flag) const { out.value(flag); }
  };
  out.key("value");
  std::visit(Write{out}, value);
}

}  // namespace

// ---------------------------------------------------------------- handlers

void query(const CallPtr& call) {
  auto body = call->body(query_schema());
  if (!body) return;
  call->drop_body();
  OneOrMany<RankedRequest> requests{.items = {}, .one = body->one};
  requests.items.reserve(body->items.size());
  for (QueryBody& item : body->items) {
    RankedRequest& request = requests.items.emplace_back();
    request.query.root = std::move(item.ranked.stage);
    request.query.offset = item.ranked.offset;
    request.query.select = item.own.select();
    request.query.explain = item.own.explain;
  }
  answer_ranked(call, std::move(requests));
}

void query_groups(const CallPtr& call) {
  auto body = call->body(groups_schema());
  if (!body) return;
  call->drop_body();
  const GroupRequest request{.root = std::move(body->grouped.stage),
                             .group_by = std::move(body->grouped.group_by),
                             .group_size = body->grouped.group_size,
                             .select = body->own.select(),
                             .explain = body->own.explain,
                             .params = call->read_params()};
  const auto shapes = VectorShapes::of(*call, request.select);
  if (!shapes.ok()) return call->fail(shapes.error());
  const auto result = call->core().engine.query_groups(call->tenant(), call->parameter(0), request);
  if (!result.ok()) return call->fail(result.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("groups").begin_array();
  for (const HitGroup& group : result.value().groups) {
    out.begin_object();
    write_value(out, group.value);
    out.key("hits").begin_array();
    for (const SearchHit& hit : group.hits) {
      write_hit(out, hit, request.select, shapes.value(), false);
    }
    out.end_array().end_object();
  }
  out.end_array();
  if (result.value().explain) {
    out.key("explain");
    write_explain(out, *result.value().explain);
  }
  out.key("took_ms").value(milliseconds_since_start(*call)).end_object();
  call->reply_json(200, std::move(json));
}

void facet(const CallPtr& call) {
  auto request = call->body(facet_schema());
  if (!request) return;
  request->params = call->read_params();
  const auto values = call->core().engine.facet(call->tenant(), call->parameter(0), *request);
  if (!values.ok()) return call->fail(values.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("values").begin_array();
  for (const FacetValue& value : values.value()) {
    out.begin_object();
    write_value(out, value.value);
    out.key("count").value(value.count).end_object();
  }
  out.end_array().key("took_ms").value(milliseconds_since_start(*call)).end_object();
  call->reply_json(200, std::move(json));
}

void matrix(const CallPtr& call) {
  auto request = call->body(matrix_schema());
  if (!request) return;
  request->params = call->read_params();
  const auto result = call->core().engine.matrix(call->tenant(), call->parameter(0), *request);
  if (!result.ok()) return call->fail(result.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("ids").begin_array();
  for (const PointId& id : result.value().ids) write_id(out, id);
  out.end_array().key("pairs").begin_array();
  for (const MatrixResult::Pair& pair : result.value().pairs) {
    out.begin_object().key("a").value(std::uint64_t{pair.a}).key("b").value(std::uint64_t{pair.b});
    out.key("score").value(pair.score).end_object();
  }
  out.end_array().key("took_ms").value(milliseconds_since_start(*call)).end_object();
  call->reply_json(200, std::move(json));
}

void describe_query(JsonWriter& out, Components& components) {
  query_schema()->describe(out, components, "");
}
void describe_query_groups(JsonWriter& out, Components& components) {
  groups_schema()->describe(out, components, "");
}
void describe_facet(JsonWriter& out, Components& components) {
  facet_schema()->describe(out, components, "");
}
void describe_matrix(JsonWriter& out, Components& components) {
  matrix_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
