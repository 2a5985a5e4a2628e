#include "quipu/api/rest/ranked.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace quipu::api::rest {
namespace {

void write_parts(JsonWriter& out, const std::vector<ScorePart>& parts, bool hybrid) {
  out.key("parts").begin_array();
  for (const ScorePart& part : parts) {
    out.begin_object().key("source").value(std::string_view(source_of(part, hybrid)));
    out.key("rank").value(std::uint64_t{part.rank}).key("score").value(part.score);
    out.key("share").value(part.part).end_object();
  }
  out.end_array();
}

void write_result(JsonWriter& out, const SearchResult& result, const RankedRequest& request,
                  const VectorShapes& shapes, double took_ms) {
  out.begin_object().key("hits").begin_array();
  for (const SearchHit& hit : result.hits) {
    write_hit(out, hit, request.query.select, shapes, request.hybrid);
  }
  out.end_array();
  out.key("query_truncated").value(result.query_truncated);
  if (result.explain) {
    out.key("explain");
    write_explain(out, *result.explain);
  }
  out.key("took_ms").value(took_ms).end_object();
}

void run_all(const CallPtr& call, OneOrMany<RankedRequest> requests) {
  const Clock& clock = call->core().clock;
  std::string json;
  JsonWriter out(json);
  if (!requests.one) out.begin_object().key("results").begin_array();
  for (std::size_t i = 0; i < requests.items.size(); ++i) {
    RankedRequest& request = requests.items[i];
    const auto shapes = VectorShapes::of(*call, request.query.select);
    if (!shapes.ok()) return call->fail(shapes.error());
    request.query.params = call->read_params();
    const auto begun = clock.steady_now();
    const auto result =
        call->core().engine.query(call->tenant(), call->parameter(0), request.query);
    if (!result.ok()) return fail_query(call, result.error(), requests.one, i);
    const std::chrono::duration<double, std::milli> took = clock.steady_now() - begun;
    write_result(out, result.value(), request, shapes.value(), took.count());
  }
  if (!requests.one) out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

}  // namespace

void answer_ranked(const CallPtr& call, OneOrMany<RankedRequest> requests) {
  const bool long_one = std::ranges::any_of(
      requests.items, [](const RankedRequest& each) { return takes_long(each.query.root); });
  if (!long_one) return run_all(call, std::move(requests));
  const auto shared = std::make_shared<OneOrMany<RankedRequest>>(std::move(requests));
  call->run_on(call->core().waiting,
               [shared](const CallPtr& self) { run_all(self, std::move(*shared)); });
}

void write_hit(JsonWriter& out, const SearchHit& hit, const Select& select,
               const VectorShapes& shapes, bool hybrid, std::string_view collection) {
  out.begin_object().key("id");
  write_id(out, hit.point.id);
  out.key("score").value(hit.score);
  if (!collection.empty()) out.key("collection").value(collection);
  if (hit.order_key) write_order_value(out, *hit.order_key);
  if (!hit.parts.empty()) write_parts(out, hit.parts, hybrid);
  write_point_members(out, hit.point, select, shapes);
  out.end_object();
}

}  // namespace quipu::api::rest
