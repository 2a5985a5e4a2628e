#include "quipu/api/rest/ranked.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace quipu::api::rest {
namespace {

// ---------------------------------------------------------------- what takes long

bool is_text(const VectorInput& input) { return std::holds_alternative<TextInput>(input); }

bool any_text(const std::vector<VectorInput>& inputs) {
  return std::ranges::any_of(inputs, is_text);
}

// Those that score every vector, or read every record, if no prefetch says which.
bool scans(const StageQuery& query) {
  if (const auto* const recommend = std::get_if<RecommendQuery>(&query)) {
    return recommend->strategy != RecommendStrategy::kAverageVector;
  }
  return std::holds_alternative<DiscoverQuery>(query) ||
         std::holds_alternative<ContextQuery>(query) ||
         std::holds_alternative<FeedbackQuery>(query) ||
         std::holds_alternative<OrderByQuery>(query) || std::holds_alternative<SampleQuery>(query);
}

// Only of the queries that scans() lets through.
bool has_text(const StageQuery& query) {
  if (const auto* const nearest = std::get_if<NearestQuery>(&query)) return is_text(nearest->input);
  const auto* const recommend = std::get_if<RecommendQuery>(&query);
  return recommend != nullptr && (any_text(recommend->positive) || any_text(recommend->negative));
}

// With prefetches only their points are scored, but examples may still be texts.
bool waits(const QueryStage& stage) {
  return stage.query.has_value() && (scans(*stage.query) || has_text(*stage.query));
}

// ---------------------------------------------------------------- answers

void write_parts(JsonWriter& out, const std::vector<ScorePart>& parts, bool hybrid) {
  out.key("parts").begin_array();
  for (const ScorePart& part : parts) {
    const std::string prefetch = "prefetch[" + std::to_string(part.prefetch) + "]";
    const std::string_view source = part.prefetch == 0 ? "vector" : "words";
    out.begin_object().key("source").value(hybrid ? source : std::string_view(prefetch));
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
    if (!result.ok()) return fail_item(call, result.error(), requests.one, i);
    const std::chrono::duration<double, std::milli> took = clock.steady_now() - begun;
    write_result(out, result.value(), request, shapes.value(), took.count());
  }
  if (!requests.one) out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

}  // namespace

// Recursion is bounded by limits::kQueryDepthMax.
bool takes_long(const QueryStage& stage) {
  return waits(stage) || std::ranges::any_of(stage.prefetch, takes_long);
}

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

void fail_item(const CallPtr& call, const Error& error, bool one, std::size_t index) {
  // What concerns the collection or the server concerns the whole request.
  const bool about_item =
      error.code == ErrorCode::kInvalidArgument || error.stable_reason() == "point_not_found" ||
      error.stable_reason() == "vector_not_found" || error.stable_reason() == "words_not_found";
  if (one || !about_item) return call->fail(error);
  call->fail(error, {{.field = "queries[" + std::to_string(index) + "]",
                      .code = std::string(error.stable_reason()),
                      .detail = error.message}});
}

}  // namespace quipu::api::rest
