// Ranked reads: query, search, recommend, discover; alone, in batches, in groups.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/answer.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/ranked.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::qdrant {
namespace {

using Answer = Result<std::string>;
using query::member;
using ReadRanked = Result<query::RankedRequest> (*)(JsonView, const query::ReadOptions&);
using ReadGrouped = Result<query::GroupedRequest> (*)(JsonView, const query::ReadOptions&);

// ---------------------------------------------------------------- reading

// Whether an answer has payloads where the request does not say: Qdrant's has none.
constexpr bool kPayloadDefault = false;

Result<Ranked> read_ranked(JsonView body, std::string_view field, ReadRanked read,
                           const Terms& terms) {
  const Place at(field);
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(refuse_shard_key(body, at));
  QUIPU_TRY(query::RankedRequest ranked,
            read(body, {.field = field, .others = query::kAnswerMembers}));
  Ranked made;
  QUIPU_TRY(made.selection, read_selection(body, at, kPayloadDefault));
  made.request.root = std::move(ranked.stage);
  made.request.offset = ranked.offset;
  made.request.select = made.selection.select;
  made.request.params.timeout = terms.timeout;
  return made;
}

Result<std::vector<Ranked>> read_searches(JsonView body, ReadRanked read, const Terms& terms) {
  constexpr std::array<std::string_view, 1> kMembers = {"searches"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, kMembers, at));
  QUIPU_TRY(const JsonView searches, query::required(body, "searches", at));
  const Place list_at(at, "searches");
  if (searches.size() > limits::kSearchBatchMax) {
    return list_at.error(
        format("has {} searches; the limit is {}", searches.size(), limits::kSearchBatchMax),
        query::kQueryTooLarge);
  }
  std::vector<Ranked> all;
  const auto read_one = [&](JsonView item, const Place& place) -> Status {
    QUIPU_TRY(Ranked one, read_ranked(item, place.text(), read, terms));
    all.push_back(std::move(one));
    return ok_status();
  };
  QUIPU_TRY_OK(query::read_elements(searches, "a list of searches", list_at, read_one));
  return all;
}

// ---------------------------------------------------------------- answering

// What encloses the hits of one query.
enum class Shape : std::uint8_t { kList, kPoints };  // [...], {"points": [...]}

Status write_hits(const CallPtr& call, const Ranked& ranked, Shape shape, JsonWriter& out) {
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(engine, call->tenant(), name_of(call), ranked.selection));
  QUIPU_TRY(const SearchResult result, engine.query(call->tenant(), name_of(call), ranked.request));
  if (shape == Shape::kPoints) out.begin_object().key("points");
  out.begin_array();
  for (const SearchHit& hit : result.hits) writer.hit(out, hit);
  out.end_array();
  if (shape == Shape::kPoints) out.end_object();
  return ok_status();
}

// One after the other: a batch takes one thread, so that it cannot starve single queries.
Answer ask(const CallPtr& call, const std::vector<Ranked>& all, bool batch, Shape shape) {
  std::string json;
  JsonWriter out(json);
  if (batch) out.begin_array();
  for (const Ranked& one : all) QUIPU_TRY_OK(write_hits(call, one, shape, out));
  if (batch) out.end_array();
  return json;
}

void answer_queries(const CallPtr& call, ReadRanked read, bool batch, Shape shape) {
  const auto all = std::make_shared<std::vector<Ranked>>();
  {
    const auto body = call->json_body();
    if (!body) return;
    const auto read_all = [&]() -> Status {
      QUIPU_TRY(const Terms terms, terms_of(*call));
      if (batch) {
        QUIPU_TRY(*all, read_searches(body->root(), read, terms));
        return ok_status();
      }
      QUIPU_TRY(Ranked one, read_ranked(body->root(), "", read, terms));
      all->push_back(std::move(one));
      return ok_status();
    };
    const Status status = read_all();
    if (!status.ok()) return call->fail(status.error());
  }
  call->drop_body();
  const bool embedding =
      std::ranges::any_of(*all, [](const Ranked& one) { return embeds(one.request.root); });
  run_query(call, embedding, [all, batch, shape](const CallPtr& self) {
    reply(self, ask(self, *all, batch, shape));
  });
}

// ---------------------------------------------------------------- groups

Result<Lookup> read_lookup(JsonView json, const Place& at) {
  constexpr std::array<std::string_view, 4> kMembers = {"collection", "with_payload",
                                                        "with_vectors", "with_vector"};
  Lookup lookup;
  lookup.selection.select = {.payload = true, .text = false, .vectors = false};
  lookup.selection.payload = true;
  if (json.is_string()) {
    lookup.collection = *json.as_string();
    return lookup;
  }
  QUIPU_TRY_OK(query::check_object(json, "a collection's name, or an object", at));
  QUIPU_TRY_OK(query::check_members(json, kMembers, at));
  QUIPU_TRY(const JsonView collection, query::required(json, "collection", at));
  QUIPU_TRY(lookup.collection, query::read_string(collection, Place(at, "collection")));
  QUIPU_TRY(lookup.selection, read_selection(json, at, true));
  return lookup;
}

Result<Grouped> read_grouped(JsonView body, ReadGrouped read, const Terms& terms) {
  constexpr std::array<std::string_view, 5> kOthers = {"with_payload", "with_vector",
                                                       "with_vectors", "shard_key", "with_lookup"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(refuse_shard_key(body, at));
  QUIPU_TRY(query::GroupedRequest grouped, read(body, {.field = "", .others = kOthers}));
  Grouped made;
  QUIPU_TRY(made.selection, read_selection(body, at, kPayloadDefault));
  if (const auto lookup = member(body, "with_lookup")) {
    QUIPU_TRY(made.lookup, read_lookup(*lookup, Place(at, "with_lookup")));
  }
  made.request.root = std::move(grouped.stage);
  made.request.group_by = std::move(grouped.group_by);
  made.request.group_size = grouped.group_size;
  made.request.select = made.selection.select;
  made.request.params.timeout = terms.timeout;
  return made;
}

Answer write_groups(const CallPtr& call, const Grouped& grouped) {
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointWriter writer,
            PointWriter::make(engine, call->tenant(), name_of(call), grouped.selection));
  QUIPU_TRY(const FoundGroups found, find_groups(engine, call->tenant(), name_of(call), grouped));
  std::optional<PointWriter> record_writer;
  if (grouped.lookup) {
    QUIPU_TRY(PointWriter made,
              PointWriter::make(engine, call->tenant(), grouped.lookup->collection,
                                grouped.lookup->selection));
    record_writer.emplace(std::move(made));
  }
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("groups").begin_array();
  for (const HitGroup& group : found.result.groups) {
    out.begin_object().key("hits").begin_array();
    for (const SearchHit& hit : group.hits) writer.hit(out, hit);
    out.end_array().key("id");
    std::visit([&out](const auto& value) { out.value(value); }, group.value);
    if (const Point* const record = found.record_of(group)) {
      out.key("lookup");
      record_writer->record(out, *record);
    }
    out.end_object();
  }
  out.end_array().end_object();
  return json;
}

void answer_groups(const CallPtr& call, ReadGrouped read) {
  const auto grouped = std::make_shared<Grouped>();
  {
    const auto body = call->json_body();
    if (!body) return;
    const auto read_all = [&]() -> Status {
      QUIPU_TRY(const Terms terms, terms_of(*call));
      QUIPU_TRY(*grouped, read_grouped(body->root(), read, terms));
      return ok_status();
    };
    const Status status = read_all();
    if (!status.ok()) return call->fail(status.error());
  }
  call->drop_body();
  run_query(call, embeds(grouped->request.root),
            [grouped](const CallPtr& self) { reply(self, write_groups(self, *grouped)); });
}

}  // namespace

void query_points(const CallPtr& call) {
  answer_queries(call, query::read_query, false, Shape::kPoints);
}
void query_batch(const CallPtr& call) {
  answer_queries(call, query::read_query, true, Shape::kPoints);
}
void query_groups(const CallPtr& call) { answer_groups(call, query::read_query_groups); }
void search_points(const CallPtr& call) {
  answer_queries(call, query::read_search, false, Shape::kList);
}
void search_batch(const CallPtr& call) {
  answer_queries(call, query::read_search, true, Shape::kList);
}
void search_groups(const CallPtr& call) { answer_groups(call, query::read_search_groups); }
void recommend_points(const CallPtr& call) {
  answer_queries(call, query::read_recommend, false, Shape::kList);
}
void recommend_batch(const CallPtr& call) {
  answer_queries(call, query::read_recommend, true, Shape::kList);
}
void recommend_groups(const CallPtr& call) { answer_groups(call, query::read_recommend_groups); }
void discover_points(const CallPtr& call) {
  answer_queries(call, query::read_discover, false, Shape::kList);
}
void discover_batch(const CallPtr& call) {
  answer_queries(call, query::read_discover, true, Shape::kList);
}

}  // namespace quipu::api::qdrant
