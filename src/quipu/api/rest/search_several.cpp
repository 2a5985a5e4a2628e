// One search in several collections (api/calls/search_several.h).
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/calls/search_several.h"
#include "quipu/api/problem.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/api/rest/ranked.h"
#include "quipu/api/rest/search_body.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

struct SeveralBody : SearchBody {
  std::vector<std::string> collections;
  [[nodiscard]] SeveralInput input() const {
    return {.collections = collections, .search = *this, .select = select()};
  }
};

const SchemaPtr<OneOrMany<SeveralBody>>& several_schema() {
  static const SchemaPtr<SeveralBody> item =
      search_members(
          Object<SeveralBody>("SearchSeveral",
                              "What to look for, as a search of one collection, and where. The "
                              "hits of all are merged by score, so their scores must mean the "
                              "same: vectors of one model and metric, or one fusion.")
              .required("collections", &SeveralBody::collections,
                        array(text(1, limits::kNameBytesMax), 1, kSeveralCollectionsMax),
                        "Their names, or aliases; each collection once."))
          .check([](const SeveralBody& body, const Path& at, FieldErrors& errors) {
            check_several(body.collections, body, at, errors);
          })
          .done();
  static const auto schema = one_or_many("queries", item, limits::kSearchBatchMax);
  return schema;
}

void write_part(JsonWriter& out, const SeveralPart& part) {
  out.begin_object().key("collection").value(std::string_view(part.name));
  out.key("hits").value(std::uint64_t{part.result.hits.size()});
  if (part.error) {
    out.key("error");
    write_item_error(out, *part.error);
  } else {
    out.key("query_truncated").value(part.result.query_truncated);
  }
  if (part.result.explain) {
    out.key("explain");
    write_explain(out, *part.result.explain);
  }
  out.key("took_ms").value(part.took_ms).end_object();
}

void write_several(JsonWriter& out, const SeveralResult& several) {
  std::vector<VectorShapes> shapes;
  for (const SeveralPart& part : several.parts) {
    shapes.push_back(part.info ? VectorShapes::of(*part.info) : VectorShapes());
  }
  out.begin_object().key("hits").begin_array();
  for (const SeveralHit& at : several.hits) {
    const SeveralPart& part = several.parts[at.part];
    write_hit(out, part.result.hits[at.hit], part.request.query.select, shapes[at.part],
              part.request.hybrid, part.name);
  }
  out.end_array().key("collections").begin_array();
  for (const SeveralPart& part : several.parts) write_part(out, part);
  out.end_array().key("took_ms").value(several.took_ms).end_object();
}

// One after the other: several take one thread, so that they cannot starve single searches.
void answer_all(const CallPtr& call, const OneOrMany<SeveralBody>& body) {
  std::string json;
  JsonWriter out(json);
  if (!body.one) out.begin_object().key("results").begin_array();
  for (std::size_t i = 0; i < body.items.size(); ++i) {
    const auto answered = search_several(*call, body.items[i].input(), call->read_params());
    if (!answered.ok()) return fail_query(call, answered.error(), body.one, i);
    write_several(out, answered.value());
  }
  if (!body.one) out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

}  // namespace

void search_several(const CallPtr& call) {
  auto body = call->body(several_schema());
  if (!body) return;
  call->drop_body();
  std::size_t searches = 0;
  for (const SeveralBody& item : body->items) searches += item.collections.size();
  if (searches > kSeveralSearchesMax) return call->fail(too_many_searches(searches));
  // A text waits for the embedder: that must not hold a thread that searches for others.
  const bool waits = std::ranges::any_of(
      body->items, [](const SeveralBody& item) { return item.text.has_value(); });
  if (!waits) return answer_all(call, *body);
  const auto shared = std::make_shared<const OneOrMany<SeveralBody>>(std::move(*body));
  call->run_on(call->core().waiting, [shared](const CallPtr& self) { answer_all(self, *shared); });
}

void describe_search_several(JsonWriter& out, Components& components) {
  several_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
