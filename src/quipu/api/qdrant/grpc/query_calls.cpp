// Ranked reads: query, search, recommend, discover; alone, in batches, in groups.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/grpc/answers.h"
#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/queries.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"
#include "quipu/api/qdrant/ranked.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant::rpc {
namespace {

using Hits = google::protobuf::RepeatedPtrField<pb::ScoredPoint>;

Status fill_hits(const CallPtr& call, const Ranked& ranked, Hits& out) {
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointFiller filler,
            PointFiller::make(engine, call->tenant(), call->parameter(0), ranked.selection));
  QUIPU_TRY(const SearchResult result,
            engine.query(call->tenant(), call->parameter(0), ranked.request));
  out.Reserve(static_cast<int>(result.hits.size()));
  for (const SearchHit& hit : result.hits) filler.hit(hit, *out.Add());
  return ok_status();
}

// One query: `Response` has the hits.
template <typename Request, typename Response>
void answer_one(const CallPtr& call) {
  Request request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  const auto terms = terms_of(*call, request);
  if (!terms.ok()) return call->fail(terms.error());
  auto read = read_ranked(request, Place(""));
  if (!read.ok()) return call->fail(read.error());
  const auto ranked = std::make_shared<Ranked>(std::move(read).value());
  ranked->request.params.timeout = terms.value().timeout;
  run_query(call, embeds(ranked->request.root), [ranked](const CallPtr& self) {
    Response response;
    const Status filled = fill_hits(self, *ranked, *response.mutable_result());
    if (!filled.ok()) return self->fail(filled.error());
    reply_timed(self, response);
  });
}

// Several of one collection, one after the other: a batch takes one thread, so that it cannot
// starve single queries. `items` is the field of the queries.
template <typename Request, typename Response, typename Items>
void answer_batch(const CallPtr& call, const Items& items) {
  Request request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  const auto all = std::make_shared<std::vector<Ranked>>();
  const auto read_all = [&]() -> Status {
    QUIPU_TRY(const Terms terms, terms_of(*call, request));
    const auto& queries = items(request);
    const Place at("searches");
    if (static_cast<std::size_t>(queries.size()) > limits::kSearchBatchMax) {
      return at.error(
          format("has {} searches; the limit is {}", queries.size(), limits::kSearchBatchMax),
          query::kQueryTooLarge);
    }
    for (const auto& each : queries) {
      QUIPU_TRY(Ranked ranked, read_ranked(each, Place(at, all->size())));
      ranked.request.params.timeout = terms.timeout;
      all->push_back(std::move(ranked));
    }
    return ok_status();
  };
  const Status read = read_all();
  if (!read.ok()) return call->fail(read.error());
  const bool embedding =
      std::ranges::any_of(*all, [](const Ranked& one) { return embeds(one.request.root); });
  run_query(call, embedding, [all](const CallPtr& self) {
    Response response;
    for (const Ranked& one : *all) {
      const Status filled = fill_hits(self, one, *response.add_result()->mutable_result());
      if (!filled.ok()) return self->fail(filled.error());
    }
    reply_timed(self, response);
  });
}

void fill_group_id(const HitGroup& group, pb::GroupId& out) {
  if (const auto* text = std::get_if<std::string>(&group.value)) {
    out.set_string_value(*text);
    return;
  }
  const std::int64_t number = std::get<std::int64_t>(group.value);
  if (number >= 0) {
    out.set_unsigned_value(static_cast<std::uint64_t>(number));
  } else {
    out.set_integer_value(number);
  }
}

Status fill_groups(const CallPtr& call, const Grouped& grouped, pb::GroupsResult& out) {
  Engine& engine = call->core().engine;
  QUIPU_TRY(const PointFiller filler,
            PointFiller::make(engine, call->tenant(), call->parameter(0), grouped.selection));
  QUIPU_TRY(const FoundGroups found,
            find_groups(engine, call->tenant(), call->parameter(0), grouped));
  std::optional<PointFiller> records;
  if (grouped.lookup) {
    QUIPU_TRY(records, PointFiller::make(engine, call->tenant(), grouped.lookup->collection,
                                         grouped.lookup->selection));
  }
  for (const HitGroup& group : found.result.groups) {
    pb::PointGroup& to = *out.add_groups();
    fill_group_id(group, *to.mutable_id());
    for (const SearchHit& hit : group.hits) filler.hit(hit, *to.add_hits());
    if (const Point* const record = found.record_of(group)) {
      records->record(*record, nullptr, *to.mutable_lookup());
    }
  }
  return ok_status();
}

template <typename Request, typename Response>
void answer_groups(const CallPtr& call) {
  Request request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  const auto terms = terms_of(*call, request);
  if (!terms.ok()) return call->fail(terms.error());
  auto read = read_grouped(request, Place(""));
  if (!read.ok()) return call->fail(read.error());
  const auto grouped = std::make_shared<Grouped>(std::move(read).value());
  grouped->request.params.timeout = terms.value().timeout;
  run_query(call, embeds(grouped->request.root), [grouped](const CallPtr& self) {
    Response response;
    const Status filled = fill_groups(self, *grouped, *response.mutable_result());
    if (!filled.ok()) return self->fail(filled.error());
    reply_timed(self, response);
  });
}

}  // namespace

void query(const CallPtr& call) { answer_one<pb::QueryPoints, pb::QueryResponse>(call); }
void search(const CallPtr& call) { answer_one<pb::SearchPoints, pb::SearchResponse>(call); }
void recommend(const CallPtr& call) {
  answer_one<pb::RecommendPoints, pb::RecommendResponse>(call);
}
void discover(const CallPtr& call) { answer_one<pb::DiscoverPoints, pb::DiscoverResponse>(call); }

void query_batch(const CallPtr& call) {
  answer_batch<pb::QueryBatchPoints, pb::QueryBatchResponse>(
      call, [](const auto& request) -> const auto& { return request.query_points(); });
}
void search_batch(const CallPtr& call) {
  answer_batch<pb::SearchBatchPoints, pb::SearchBatchResponse>(
      call, [](const auto& request) -> const auto& { return request.search_points(); });
}
void recommend_batch(const CallPtr& call) {
  answer_batch<pb::RecommendBatchPoints, pb::RecommendBatchResponse>(
      call, [](const auto& request) -> const auto& { return request.recommend_points(); });
}
void discover_batch(const CallPtr& call) {
  answer_batch<pb::DiscoverBatchPoints, pb::DiscoverBatchResponse>(
      call, [](const auto& request) -> const auto& { return request.discover_points(); });
}

void query_groups(const CallPtr& call) {
  answer_groups<pb::QueryPointGroups, pb::QueryGroupsResponse>(call);
}
void search_groups(const CallPtr& call) {
  answer_groups<pb::SearchPointGroups, pb::SearchGroupsResponse>(call);
}
void recommend_groups(const CallPtr& call) {
  answer_groups<pb::RecommendPointGroups, pb::RecommendGroupsResponse>(call);
}

}  // namespace quipu::api::qdrant::rpc
