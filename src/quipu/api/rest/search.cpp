// Search by vector, by text, or by a point that is there.
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/filter_schema.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

struct SearchBody {
  std::optional<std::vector<float>> vector;
  std::optional<std::string> text;
  std::optional<PointId> id;
  std::string vector_name;
  std::size_t k = 10;
  std::size_t offset = 0;
  std::uint32_t ef = 0;
  bool exact = false;
  std::optional<Filter> filter;
  std::optional<float> score_threshold;
  bool with_payload = true;
  bool with_text = true;
  bool with_vector = false;
  bool explain = false;
};

void check_search(const SearchBody& body, const Path& at, FieldErrors& errors) {
  const int given = (body.vector ? 1 : 0) + (body.text ? 1 : 0) + (body.id ? 1 : 0);
  if (given != 1) {
    errors.add(at, given == 0 ? "missing_field" : "bad_value",
               "must have exactly one of vector, text and id, has " + std::to_string(given));
  }
  if (body.k + body.offset > limits::kSearchHitsMax) {
    errors.add(Path(at, "offset"), "out_of_range",
               "and k must be at most " + std::to_string(limits::kSearchHitsMax) +
                   " together, are " + std::to_string(body.k + body.offset));
  }
}

const SchemaPtr<OneOrMany<SearchBody>>& search_schema() {
  static const SchemaPtr<SearchBody> item =
      Object<SearchBody>("Search", "What to look for: exactly one of vector, text and id.")
          .optional("vector", &SearchBody::vector, maybe(vector_values()), "The query vector.")
          .optional("text", &SearchBody::text, maybe(text(1, limits::kTextBytesMax)),
                    "Embedded by the model of the vector that is searched.")
          .optional("id", &SearchBody::id, maybe(point_id()),
                    "Uses the vector of this point, which is left out of the answer.")
          .optional("vector_name", &SearchBody::vector_name, text(0, 64),
                    "Which vector is searched; the unnamed one unless given.")
          .optional("k", &SearchBody::k, integer<std::size_t>(1, limits::kSearchHitsMax),
                    "How many hits; 10 unless given.")
          .optional("offset", &SearchBody::offset,
                    integer<std::size_t>(0, limits::kSearchHitsMax - 1),
                    "How many of the best to pass over; 0 unless given.")
          .optional("ef", &SearchBody::ef, integer<std::uint32_t>(0, limits::kEfMax),
                    "Effort of an approximate search; 0 leaves it to the engine.")
          .optional("exact", &SearchBody::exact, boolean(), "Compare with every point.")
          .optional("filter", &SearchBody::filter, maybe(filter_schema()),
                    "Only points for which it holds; k of them whenever k hold.")
          .optional("score_threshold", &SearchBody::score_threshold, maybe(real()),
                    "Worse hits are left out.")
          .optional("with_payload", &SearchBody::with_payload, boolean(), "true unless given.")
          .optional("with_text", &SearchBody::with_text, boolean(), "true unless given.")
          .optional("with_vector", &SearchBody::with_vector, boolean(), "false unless given.")
          .optional("explain", &SearchBody::explain, boolean(),
                    "Say how the answer was found and how long each stage took.")
          .check(check_search)
          .done();
  static const auto schema = one_or_many("queries", item, limits::kSearchBatchMax);
  return schema;
}

Select select_of(const SearchBody& body) {
  return {.payload = body.with_payload, .text = body.with_text, .vectors = body.with_vector};
}

SearchRequest to_request(SearchBody body, const Call& call) {
  SearchRequest request;
  request.vector_name = std::move(body.vector_name);
  if (body.vector) request.vector = std::move(*body.vector);
  request.text = std::move(body.text);
  request.id = body.id;
  request.k = body.k;
  request.offset = body.offset;
  request.ef = body.ef;
  request.exact = body.exact;
  request.filter = std::move(body.filter);
  request.score_threshold = body.score_threshold;
  request.select = select_of(body);
  request.explain = body.explain;
  request.params = call.read_params();
  return request;
}

void write_result(JsonWriter& out, const SearchResult& result, const Select& select,
                  double took_ms) {
  out.begin_object().key("hits").begin_array();
  for (const SearchHit& hit : result.hits) {
    out.begin_object().key("id");
    write_id(out, hit.point.id);
    out.key("score").value(hit.score);
    write_point_members(out, hit.point, select);
    out.end_object();
  }
  out.end_array();
  out.key("query_truncated").value(result.query_truncated);
  if (result.explain) {
    out.key("explain");
    write_explain(out, *result.explain);
  }
  out.key("took_ms").value(took_ms).end_object();
}

// One after the other: a batch takes one thread, so that it cannot starve single searches.
void run_searches(const CallPtr& call, OneOrMany<SearchBody> body) {
  std::string json;
  JsonWriter out(json);
  if (!body.one) out.begin_object().key("results").begin_array();
  for (std::size_t i = 0; i < body.items.size(); ++i) {
    const Select select = select_of(body.items[i]);
    const auto begun = call->core().clock.steady_now();
    const auto result = call->core().engine.search(call->tenant(), call->parameter(0),
                                                   to_request(std::move(body.items[i]), *call));
    if (!result.ok()) {
      Error error = result.error();
      const bool about_query =
          error.code == ErrorCode::kInvalidArgument || error.stable_reason() == "point_not_found";
      if (body.one || !about_query) return call->fail(error);
      return call->fail(error, {{.field = "queries[" + std::to_string(i) + "]",
                                 .code = std::string(error.stable_reason()),
                                 .detail = error.message}});
    }
    const std::chrono::duration<double, std::milli> took = call->core().clock.steady_now() - begun;
    write_result(out, result.value(), select, took.count());
  }
  if (!body.one) out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

}  // namespace

void search(const CallPtr& call) {
  auto body = call->body(search_schema());
  if (!body) return;
  call->drop_body();
  bool embeds = false;
  for (const SearchBody& item : body->items) embeds = embeds || item.text.has_value();
  if (!embeds) return run_searches(call, std::move(*body));
  // Waiting for the embedder must not hold a thread that searches for others.
  const auto shared = std::make_shared<OneOrMany<SearchBody>>(std::move(*body));
  call->run_on(call->core().waiting,
               [shared](const CallPtr& self) { run_searches(self, std::move(*shared)); });
}

void describe_search(JsonWriter& out, Components& components) {
  search_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
