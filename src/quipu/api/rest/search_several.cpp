// One search in several collections: each is asked, and the hits are merged by their scores.
//
// A collection that cannot answer (it is not there, has no such vector, has vectors of another
// length) does not hide what the others found: its error stands beside their hits. When none can
// answer, the request fails.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/problem.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/api/rest/ranked.h"
#include "quipu/api/rest/search_body.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::api::rest {
namespace {

constexpr std::size_t kCollectionsMax = 64;  // of one query
constexpr std::size_t kSearchesMax = 1'024;  // of one request, over all its queries

struct SeveralBody : SearchBody {
  std::vector<std::string> collections;
};

void check_several(const SeveralBody& body, const Path& at, FieldErrors& errors) {
  check_search(body, at, errors);
  std::set<std::string_view> seen;
  const Path list(at, "collections");
  for (std::size_t i = 0; i < body.collections.size(); ++i) {
    if (seen.insert(body.collections[i]).second) continue;
    errors.add(Path(list, i), "duplicate_name", "is listed twice");
  }
}

const SchemaPtr<OneOrMany<SeveralBody>>& several_schema() {
  static const SchemaPtr<SeveralBody> item =
      search_members(
          Object<SeveralBody>("SearchSeveral",
                              "What to look for, as a search of one collection, and where. The "
                              "hits of all are merged by score, so their scores must mean the "
                              "same: vectors of one model and metric, or one fusion.")
              .required("collections", &SeveralBody::collections,
                        array(text(1, limits::kNameBytesMax), 1, kCollectionsMax),
                        "Their names, or aliases; each collection once."))
          .check(check_several)
          .done();
  static const auto schema = one_or_many("queries", item, limits::kSearchBatchMax);
  return schema;
}

// ---------------------------------------------------------------- one collection's part

struct Part {
  std::string_view name;  // as the request says
  std::optional<CollectionInfo> info;
  RankedRequest request;
  VectorShapes shapes;
  SearchResult result;
  std::optional<Error> error;
  double took_ms = 0;
};

// Whether smaller scores are better: where a distance is searched.
bool smaller_is_better(const Part& part, const SeveralBody& body) {
  if (body.hybrid) return false;
  const auto& vectors = part.info->config.vectors;
  const auto vector = std::ranges::find(vectors, body.vector_name, &VectorConfig::name);
  if (vector == vectors.end() || vector->kind == VectorKind::kSparse) return false;
  return vector->metric == Metric::kEuclidean || vector->metric == Metric::kManhattan;
}

// Finds the collection and makes its request. The part keeps the error.
void prepare(const CallPtr& call, const SeveralBody& body, Part& part) {
  auto info = call->core().engine.collection(call->tenant(), part.name);
  if (!info.ok()) {
    part.error = std::move(info).error();
    return;
  }
  part.info = std::move(info).value();
  part.shapes = VectorShapes::of(*part.info);
  auto request = to_request(body, *call, part.name);
  if (!request.ok()) {
    part.error = std::move(request).error();
    return;
  }
  part.request = std::move(request).value();
  // What is passed over is passed over of the merged hits.
  part.request.query.root.limit = body.k + body.offset;
  part.request.query.offset = 0;
}

void ask(const CallPtr& call, Part& part) {
  if (part.error) return;
  const Clock& clock = call->core().clock;
  const auto begun = clock.steady_now();
  part.request.query.params = call->read_params();
  auto result = call->core().engine.query(call->tenant(), part.name, part.request.query);
  part.took_ms = std::chrono::duration<double, std::milli>(clock.steady_now() - begun).count();
  if (result.ok()) {
    part.result = std::move(result).value();
  } else {
    part.error = std::move(result).error();
  }
}

// ---------------------------------------------------------------- one query

using Parts = std::vector<Part>;

// One that is there twice, by an alias, would give its hits twice; and scores that mean opposite
// things cannot be merged.
std::optional<Error> refuse(const Parts& parts, const SeveralBody& body) {
  const Part* first = nullptr;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].info) continue;
    for (std::size_t before = 0; before < i; ++before) {
      if (!parts[before].info || parts[before].info->id != parts[i].info->id) continue;
      return Error{ErrorCode::kInvalidArgument,
                   "collections: " + in_quotes(parts[before].name) + " and " +
                       in_quotes(parts[i].name) + " name the same collection",
                   "duplicate_name"};
    }
    if (parts[i].error) continue;
    if (first == nullptr) first = &parts[i];
    if (smaller_is_better(*first, body) == smaller_is_better(parts[i], body)) continue;
    return Error{ErrorCode::kInvalidArgument,
                 "collections: " + in_quotes(first->name) + " and " + in_quotes(parts[i].name) +
                     " are compared by a similarity and by a distance; their scores cannot be "
                     "merged",
                 "incompatible_metrics"};
  }
  return std::nullopt;
}

struct Merged {
  const Part* part = nullptr;
  const SearchHit* hit = nullptr;
};

// Best first; equal scores as the collections are listed, then by id.
std::vector<Merged> merge(const Parts& parts, const SeveralBody& body) {
  std::vector<Merged> all;
  bool ascending = false;
  for (const Part& part : parts) {
    if (part.error) continue;
    ascending = smaller_is_better(part, body);
    for (const SearchHit& hit : part.result.hits) all.push_back({&part, &hit});
  }
  // Each part is in order already, so a stable sort keeps what is said above.
  std::ranges::stable_sort(all, [ascending](const Merged& a, const Merged& b) {
    return ascending ? a.hit->score < b.hit->score : a.hit->score > b.hit->score;
  });
  const std::size_t skipped = std::min(body.offset, all.size());
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(skipped));
  if (all.size() > body.k) all.resize(body.k);
  return all;
}

void write_part(JsonWriter& out, const Part& part) {
  out.begin_object().key("collection").value(part.name);
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

// Errors: what concerns the query as a whole; the first collection's when all have one.
Status answer(const CallPtr& call, const SeveralBody& body, JsonWriter& out) {
  const Clock& clock = call->core().clock;
  const auto begun = clock.steady_now();
  Parts parts(body.collections.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].name = body.collections[i];
    prepare(call, body, parts[i]);
  }
  if (auto refused = refuse(parts, body)) return std::move(*refused);
  for (Part& part : parts) ask(call, part);
  if (std::ranges::all_of(parts, [](const Part& part) { return part.error.has_value(); })) {
    return *parts.front().error;
  }
  out.begin_object().key("hits").begin_array();
  for (const Merged& merged : merge(parts, body)) {
    write_hit(out, *merged.hit, merged.part->request.query.select, merged.part->shapes,
              merged.part->request.hybrid, merged.part->name);
  }
  out.end_array().key("collections").begin_array();
  for (const Part& part : parts) write_part(out, part);
  out.end_array();
  const std::chrono::duration<double, std::milli> took = clock.steady_now() - begun;
  out.key("took_ms").value(took.count()).end_object();
  return ok_status();
}

// One after the other: several take one thread, so that they cannot starve single searches.
void answer_all(const CallPtr& call, const OneOrMany<SeveralBody>& body) {
  std::string json;
  JsonWriter out(json);
  if (!body.one) out.begin_object().key("results").begin_array();
  for (std::size_t i = 0; i < body.items.size(); ++i) {
    const Status answered = answer(call, body.items[i], out);
    if (!answered.ok()) return fail_item(call, answered.error(), body.one, i);
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
  if (searches > kSearchesMax) {
    return call->fail({ErrorCode::kInvalidArgument,
                       "the queries search " + std::to_string(searches) +
                           " collections in all; the limit is " + std::to_string(kSearchesMax),
                       "batch_too_large"});
  }
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
