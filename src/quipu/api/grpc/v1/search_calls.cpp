// Ranked reads, and facets.
#include <quipu_proto/quipu/v1/search.pb.h>

#include <utility>
#include <variant>

#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::grpc::v1 {
namespace {

void fill_hits(const std::vector<SearchHit>& hits,
               google::protobuf::RepeatedPtrField<pb::Hit>& out) {
  out.Reserve(static_cast<int>(hits.size()));
  for (const SearchHit& hit : hits) {
    pb::Hit& to = *out.Add();
    fill_point(hit.point, *to.mutable_point());
    to.set_score(hit.score);
  }
}

pb::SearchResponse response_of(const SearchResult& found) {
  pb::SearchResponse response;
  fill_hits(found.hits, *response.mutable_hits());
  response.set_query_truncated(found.query_truncated);
  return response;
}

Result<pb::SearchResponse> do_search(const CallPtr& call, const pb::SearchRequest& from) {
  SearchRequest request;
  request.vector_name = from.vector_name();
  request.vector.assign(from.vector().begin(), from.vector().end());
  if (from.has_text()) request.text = from.text();
  if (from.has_id()) {
    QUIPU_TRY(request.id, read_id(from.id(), "id"));
  }
  if (from.has_k()) request.k = from.k();
  request.offset = from.offset();
  request.ef = from.ef();
  request.exact = from.exact();
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  if (from.has_score_threshold()) request.score_threshold = from.score_threshold();
  request.select = read_select(from.select());
  request.params = read_params(*call, from.min_seq());
  QUIPU_TRY(const SearchResult found,
            call->core().engine.search(call->tenant(), from.collection(), request));
  return response_of(found);
}

Error bad_json(const Error& error) {
  return {ErrorCode::kInvalidArgument, "query_json: " + error.message, "invalid_query"};
}

Result<pb::SearchResponse> do_query(const CallPtr& call, const pb::QueryRequest& from) {
  const auto parsed = JsonDocument::parse(from.query_json());
  if (!parsed.ok()) return bad_json(parsed.error());
  QUIPU_TRY(query::RankedRequest ranked,
            query::read_query(parsed.value().root(), {.field = "query_json", .others = {}}));
  QueryRequest request;
  request.root = std::move(ranked.stage);
  request.offset = ranked.offset;
  request.select = read_select(from.select());
  request.params = read_params(*call, from.min_seq());
  QUIPU_TRY(const SearchResult found,
            call->core().engine.query(call->tenant(), from.collection(), request));
  return response_of(found);
}

Result<pb::QueryGroupsResponse> do_groups(const CallPtr& call, const pb::QueryGroupsRequest& from) {
  const auto parsed = JsonDocument::parse(from.query_json());
  if (!parsed.ok()) return bad_json(parsed.error());
  QUIPU_TRY(query::GroupedRequest grouped,
            query::read_query_groups(parsed.value().root(), {.field = "query_json", .others = {}}));
  GroupRequest request;
  request.root = std::move(grouped.stage);
  request.group_by = std::move(grouped.group_by);
  request.group_size = grouped.group_size;
  request.select = read_select(from.select());
  request.params = read_params(*call, from.min_seq());
  QUIPU_TRY(const GroupResult found,
            call->core().engine.query_groups(call->tenant(), from.collection(), request));
  pb::QueryGroupsResponse response;
  for (const HitGroup& group : found.groups) {
    pb::HitGroup& to = *response.add_groups();
    if (const auto* text = std::get_if<std::string>(&group.value)) {
      to.set_text(*text);
    } else {
      to.set_number(std::get<std::int64_t>(group.value));
    }
    fill_hits(group.hits, *to.mutable_hits());
  }
  return response;
}

Result<pb::FacetResponse> do_facet(const CallPtr& call, const pb::FacetRequest& from) {
  FacetRequest request{
      .key = from.key(), .filter = {}, .params = read_params(*call, from.min_seq())};
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  if (from.has_limit()) request.limit = from.limit();
  QUIPU_TRY_OK(check_within(request.limit, 1, limits::kSearchHitsMax, "limit"));
  QUIPU_TRY(const std::vector<FacetValue> values,
            call->core().engine.facet(call->tenant(), from.collection(), request));
  pb::FacetResponse response;
  for (const FacetValue& each : values) {
    pb::FacetValue& to = *response.add_values();
    to.set_count(each.count);
    if (const auto* text = std::get_if<std::string>(&each.value)) {
      to.set_text(*text);
    } else if (const auto* flag = std::get_if<bool>(&each.value)) {
      to.set_flag(*flag);
    } else {
      to.set_number(std::get<std::int64_t>(each.value));
    }
  }
  return response;
}

// Reads a message and answers by `work`, where waiting holds up nobody else: texts are embedded.
template <typename Request, typename Work>
void answer(const CallPtr& call, bool may_embed, const Work& work) {
  Request message;
  if (!parse_message(call, message)) return;
  const bool waits = may_embed || !message.min_seq().empty();
  run(call, waits, [message = std::move(message), work](const CallPtr& self) {
    reply_or_fail(self, work(self, message));
  });
}

}  // namespace

void search(const CallPtr& call) {
  pb::SearchRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = message.has_text() || !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    reply_or_fail(self, do_search(self, message));
  });
}

// Whether a query has a text is known only when it was read: it is read where it may wait.
void query(const CallPtr& call) { answer<pb::QueryRequest>(call, true, do_query); }
void query_groups(const CallPtr& call) { answer<pb::QueryGroupsRequest>(call, true, do_groups); }
void facet(const CallPtr& call) { answer<pb::FacetRequest>(call, false, do_facet); }

}  // namespace quipu::api::grpc::v1
